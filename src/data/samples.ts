/** What a network is trained and tested on: the shape every data source delivers. */

import { complaint, firstBad, type Precision } from "../core/finite.ts";

/** Labelled samples. A byte of `x` stands for byte / 255; floats stand for themselves. */
export interface Samples {
  /** How many samples. */
  readonly count: number;
  /** Values per sample. */
  readonly inputs: number;
  /** Inputs, row by row. Bytes stay bytes until they reach the device. */
  readonly x: Uint8Array | Float32Array | Float64Array; // [count, inputs]
  /** The class of each sample, from 0. */
  readonly labels: Uint8Array; // [count]
}

/** A training set and a test set of one kind. */
export interface DataSet {
  /** What it is, for people: "MNIST", "synthetic digits", or the folder it came from. */
  readonly name: string;
  /** Values per sample. */
  readonly inputs: number;
  /** Number of classes: one more than the largest label. */
  readonly classes: number;
  /** Height and width, where the samples are images. */
  readonly image?: readonly [rows: number, columns: number];
  readonly train: Samples;
  readonly test: Samples;
}

/**
 * Refuses samples with values that are no numbers.
 * @throws {RangeError} naming the first.
 */
export function checkSamples({ x, inputs }: Samples, precision: Precision): void {
  const bad = x instanceof Uint8Array ? -1 : firstBad(x, precision);
  if (bad < 0) return;
  throw new RangeError(
    `Cannot compute with value ${bad % inputs} of sample ${Math.floor(bad / inputs)} = ${
      x[bad]
    }: ` +
      `${complaint(x[bad], precision)}; mend the data`,
  );
}

/** Some of the samples, by their indices. */
export function selectSamples({ inputs, x, labels }: Samples, indices: Uint32Array): Samples {
  const Numbers = x.constructor as new (length: number) => typeof x;
  const chosen = new Numbers(indices.length * inputs);
  indices.forEach((index, n) =>
    chosen.set(x.subarray(index * inputs, (index + 1) * inputs), n * inputs)
  );
  return {
    count: indices.length,
    inputs,
    x: chosen,
    labels: Uint8Array.from(indices, (n) => labels[n]),
  };
}
