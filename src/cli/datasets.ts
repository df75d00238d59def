/**
 * Where data comes from: a folder, the cache, a download, or our own synthetic digits. Says which
 * and why, and never leaves a half-written file.
 */

import { deadline } from "@std/async/deadline";
import { dirname } from "@std/path/dirname";
import { drawDigits } from "../data/digits.ts";
import { dataSetIn } from "../data/data_file.ts";
import { idxDataSet, type IdxFiles, type NamedBytes, parseIdx, writeIdx } from "../data/idx.ts";
import type { DataSet } from "../data/samples.ts";
import { readTensors } from "../data/tensors.ts";
import { sha256 } from "./digest.ts";
import { readWhole, why, writeWhole } from "./files.ts";
import { DATA_NAMES, isTensorFile, MIRRORS, mnistCache, spellings } from "./places.ts";
import { startProgress } from "./progress.ts";

/** SHA-256 of MNIST's four files, decompressed. */
const SUMS: Record<keyof IdxFiles, string> = {
  trainImages: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  trainLabels: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  testImages: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  testLabels: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
};
const ROLES = Object.keys(SUMS) as (keyof IdxFiles)[];

const MAX_DOWNLOAD = 64 * 2 ** 20;

/** What can be told apart in a test: the world outside. */
export interface Sources {
  readonly mirrors: readonly string[];
  readonly cache: string;
  /** Sums of the decompressed files. */
  readonly sums: Record<keyof IdxFiles, string>;
  /** A download that brings nothing for so long is given up. */
  readonly stallSeconds: number;
}

function defaultSources(): Sources {
  return { mirrors: MIRRORS, cache: mnistCache(), sums: SUMS, stallSeconds: 10 };
}

const reason = (error: unknown) => (error as Error).message.replace(/^Cannot /, "could not ");

/** SHA-256 of a file's content, decompressed. */
async function contentSum(file: NamedBytes): Promise<string> {
  return await sha256(writeIdx(await parseIdx(file)));
}

/** One of the four files in a folder. */
async function findFile(folder: string, role: keyof IdxFiles): Promise<NamedBytes | undefined> {
  for (const path of spellings(folder, DATA_NAMES[role])) {
    try {
      return { name: path, bytes: await Deno.readFile(path) };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) {
        throw new TypeError(`Cannot read ${path}: ${why(error)}; give a folder that can be read`);
      }
    }
  }
}

/** The data set in a folder. */
async function fromFolder(folder: string, name: string): Promise<DataSet> {
  const found = await Promise.all(ROLES.map((role) => findFile(folder, role)));
  const missing = ROLES.filter((_, i) => !found[i]).map((role) => DATA_NAMES[role]);
  if (missing.length > 0) {
    throw new TypeError(
      `Cannot load data from ${folder}: it has no ${missing.join(", ")} (or the same .gz); ` +
        `give a folder with the four IDX files, or mnist, digits or auto`,
    );
  }
  const files = Object.fromEntries(ROLES.map((role, i) => [role, found[i]]));
  return idxDataSet(files as unknown as IdxFiles, name);
}

/** Fetches one URL, giving up where nothing comes for a while. */
async function download(
  url: string,
  stallSeconds: number,
  progress: (bytes: number, total: number) => void,
): Promise<Uint8Array> {
  const abort = new AbortController();
  const soon = <T>(promise: Promise<T>) =>
    deadline(promise, 1000 * stallSeconds).catch((error) => {
      throw error.name === "TimeoutError" ? new Error(`nothing came for ${stallSeconds} s`) : error;
    });
  try {
    const response = await soon(fetch(url, { signal: abort.signal }));
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      throw new Error(`the server answers ${response.status}`);
    }
    const total = Number(response.headers.get("content-length") ?? 0);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    const reader = response.body.getReader();
    let length = 0;
    while (true) {
      const { value: part, done } = await soon(reader.read());
      if (done) break;
      parts.push(part);
      length += part.length;
      if (length > MAX_DOWNLOAD) throw new Error("it is far longer than MNIST");
      progress(length, total);
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  } finally {
    abort.abort(); // where it is not over yet
  }
}

/** One file from the cache, or else from the first mirror that delivers it whole. */
async function fetchFile(
  role: keyof IdxFiles,
  { mirrors, cache, sums, stallSeconds }: Sources,
  tell: (line: string) => void,
): Promise<NamedBytes> {
  const name = `${DATA_NAMES[role]}.gz`;
  const path = `${cache}/${name}`;
  const isRight = async (file: NamedBytes) =>
    await contentSum(file).catch(() => "unreadable") === sums[role];
  const cached = await Deno.readFile(path).catch(() => undefined);
  if (cached) {
    if (await isRight({ name: path, bytes: cached })) return { name: path, bytes: cached };
    tell(`${path} is damaged and is fetched again`);
  }
  const failures: string[] = [];
  for (const mirror of mirrors) {
    const progress = startProgress(1, `${name}: {received} of {size} kB`);
    try {
      const bytes = await download(
        mirror + name,
        stallSeconds,
        (received, size) =>
          progress.update(size ? received / size : 0, {
            received: `${Math.round(received / 1000)}`,
            size: size ? `${Math.round(size / 1000)}` : "?",
          }),
      );
      const file = { name: mirror + name, bytes };
      if (!(await isRight(file))) throw new Error("its SHA-256 is not that of MNIST");
      await keep(path, bytes).catch((error) => tell(`${name} is not cached: ${reason(error)}`));
      return file;
    } catch (error) {
      failures.push(`${new URL(mirror).host}: ${reason(error).split("\n")[0].slice(0, 120)}`);
    } finally {
      progress.stop();
    }
  }
  throw new TypeError(`Cannot fetch ${name}: ${failures.join("; ")}`);
}

/** Puts a file into the cache. */
async function keep(path: string, bytes: Uint8Array): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await writeWhole(path, bytes);
}

/** MNIST from `MNIST_DIR`, the cache, or a mirror. */
async function loadMnist(sources: Sources, tell: (line: string) => void): Promise<DataSet> {
  const folder = Deno.env.get("MNIST_DIR");
  if (folder) return fromFolder(folder, "MNIST");
  const files: Partial<Record<keyof IdxFiles, NamedBytes>> = {};
  for (const role of ROLES) files[role] = await fetchFile(role, sources, tell);
  return idxDataSet(files as IdxFiles, "MNIST");
}

/** A data set of one's own, in one file. */
async function fromFile(path: string, tell: (line: string) => void): Promise<DataSet> {
  return dataSetIn(await readTensors(await readWhole(path), path), path, tell);
}

/**
 * Loads the data that `--data` names: `auto`, `mnist`, `digits`, a file of tensors, or a folder.
 * @param tell is given one line when `auto` falls back to synthetic digits, with the reason.
 * @throws {TypeError | SyntaxError} when what was asked for cannot be had, or is damaged.
 */
export async function loadDataSet(
  choice: string,
  { seed, tell, sources = defaultSources() }: {
    seed: number;
    tell: (line: string) => void;
    sources?: Sources;
  },
): Promise<DataSet> {
  if (choice === "digits") return drawDigits({ seed });
  if (choice === "mnist") return loadMnist(sources, tell);
  if (isTensorFile(choice)) return fromFile(choice, tell);
  if (choice !== "auto") return fromFolder(choice, choice);
  try {
    return await loadMnist(sources, tell);
  } catch (error) {
    if (Deno.env.get("MNIST_DIR")) throw error; // named on purpose: no falling back
    tell(
      `MNIST could not be had (${(error as Error).message}), so this trains on synthetic digits; ` +
        `--data FOLDER or MNIST_DIR names a copy`,
    );
    return drawDigits({ seed });
  }
}
