/** MNIST, out of its four files, wherever a worker has them from. */

import * as ng from "../../src/mod.ts";
import { MissingFile } from "../answers.ts";
import type { File, MissingPart } from "./protocol.ts";

/**
 * MNIST from the page's own server, which may have it in a cache, or from its mirror.
 * @param download whether the mirror may be asked.
 * @throws {AggregateError} what each of them said.
 */
export async function fetchMnist(download: boolean): Promise<ng.DataSet> {
  const names = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"];
  const bases = ["data/mnist/"];
  if (download) bases.push("https://storage.googleapis.com/cvdf-datasets/mnist/");
  const problems: string[] = [];
  for (const base of bases) {
    try {
      const files = await Promise.all(names.map(async (name): Promise<File> => {
        const response = await fetch(`${base}${name}-ubyte.gz`);
        if (response.status !== 200) throw new Error(base);
        return { name: `${name}-ubyte.gz`, bytes: new Uint8Array(await response.arrayBuffer()) };
      }));
      return await dataOf(files);
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  throw new AggregateError(problems);
}

/** A data set out of four IDX files, told apart by their names. */
export async function dataOf(files: readonly File[]): Promise<ng.DataSet> {
  const pick = (missing: MissingPart, part: RegExp) => {
    const file = files.find(({ name }) => part.test(name));
    if (!file) throw new MissingFile(missing);
    return file;
  };
  return await ng.idxDataSet({
    trainImages: pick("trainImages", /train.*images/i),
    trainLabels: pick("trainLabels", /train.*labels/i),
    testImages: pick("testImages", /(t10k|test).*images/i),
    testLabels: pick("testLabels", /(t10k|test).*labels/i),
  }, "MNIST");
}
