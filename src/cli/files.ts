/** Files for the commands: read with a clear complaint, written whole or not at all. */

import { partOf, targetOf } from "./places.ts";

const ENDINGS = /\.(h5|hdf5|safetensors)$/i, RUN_ENDINGS = /\.(h5|hdf5|safetensors|onnx)$/i;

/** What the system says, without its number. */
export function why(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file or folder";
  if (error instanceof Deno.errors.NotCapable) return "commands are kept from that place";
  return (error as Error).message.replace(/ \(os error \d+\).*/, "");
}

/**
 * Reads a whole file.
 * @throws {TypeError} when it cannot be read.
 */
export async function readWhole(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw new TypeError(`Cannot read ${path}: ${why(error)}; give the path of a file`);
  }
}

const cannotWrite = (path: string, error: unknown) =>
  new TypeError(`Cannot write ${path}: ${why(error)}; give a path that can be written`);

/** Files that this run is going to write, and their parts: open, and locked against other runs. */
const claims = new Map<string, Deno.FsFile>();

/** Whether a file is the part of one that this run has claimed, under whatever name. */
async function isOurs(file: Deno.FsFile): Promise<boolean> {
  const { dev, ino } = await file.stat();
  for (const claimed of claims.values()) {
    const other = await claimed.stat();
    if (other.ino === ino && other.dev === dev) return true;
  }
  return false;
}

/**
 * Makes sure that a path means a file: one that is there, or one to be. A pipe would have to be read
 * by someone, and a device cannot be replaced.
 */
async function checkIsFile(path: string): Promise<void> {
  const info = await Deno.stat(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  if (info?.isDirectory) throw new Error("it is a folder");
  if (info && !info.isFile) throw new Error("it is a pipe or a device, and no file");
}

/** What is thrown where another run has a file; it may yet turn out that it has not. */
class InUse extends Error {
  constructor() {
    super("it is in use by another run");
  }
}

/**
 * Whether a file has just been written by a run that has not claimed it anew yet: what it wrote is
 * locked until it has.
 */
async function isBeingWritten(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(targetOf(path), { write: true });
    return !await file.tryLock(true);
  } catch {
    return false; // there is none, or none to be locked
  }
}

/** Opens the part of a file, for this run alone; `again` where it is this run that wrote the file. */
async function openPart(path: string, again = false): Promise<Deno.FsFile> {
  await checkIsFile(path);
  const open = () => Deno.open(partOf(targetOf(path)), { write: true, create: true });
  for (;;) {
    const file = await open();
    const locked = await file.tryLock(true).catch(() => undefined);
    if (locked === undefined) return file; // a file system without locks: runs cannot be told apart
    if (!locked) {
      using _ = file;
      if (await isOurs(file)) throw new Error("this run writes something else there");
      throw new InUse();
    }
    // Another run may have renamed it between our opening it and our locking it. Then another file has
    // the name, free or locked; else it is this one, which can be locked anew once we unlock it.
    const named = await open();
    const isAnother = await named.tryLock(true);
    if (!isAnother) await file.unlock();
    const isFree = isAnother || await named.tryLock(true);
    file.close();
    if (isFree && !isAnother && (again || !await isBeingWritten(path))) return named;
    named.close();
    if (!isAnother) throw new InUse();
  }
}

/**
 * Claims a file anew that this run has written and still has locked. Another run that meets the part
 * meanwhile has it for a moment, until it sees that.
 */
async function claimAgain(path: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      claims.set(path, await openPart(path, true));
      return;
    } catch (error) {
      if (!(error instanceof InUse)) return; // its folder is gone or closed: the next write says so
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/**
 * Makes sure that a file can be written later, before hours are spent on what it is to hold, and
 * keeps other runs from it as long as this one lives.
 * @throws {TypeError} when its folder is missing or closed, the path means no file, or it is claimed,
 *   by another run or by this one.
 */
export async function claim(path: string): Promise<void> {
  try {
    claims.set(path, await openPart(path));
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Gives up what was claimed, at the end of a command: nothing of it is left behind. */
export function releaseClaims(): void {
  for (const [path, file] of claims) {
    try {
      Deno.removeSync(partOf(targetOf(path)));
    } catch { /* its folder is gone, or closed by now */ }
    file.close();
  }
  claims.clear();
}

/**
 * Writes a file whole or not at all: under another name beside it, flushed to the disk, then
 * renamed. A symbolic link stays, and what it leads to is written. (The folder is not flushed: after
 * a power failure it may still have the file of before, whole. To flush it takes the right to read
 * all that is in it.)
 * @throws {TypeError} when it cannot be written; what was there before is still there then.
 */
export async function writeWhole(path: string, bytes: Uint8Array | string): Promise<void> {
  const held = claims.get(path), target = targetOf(path), part = partOf(target);
  claims.delete(path);
  try {
    using file = held ?? await openPart(path);
    try {
      await file.truncate(); // a run that was killed may have left something in it
      let rest = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
      while (rest.length > 0) rest = rest.subarray(await file.write(rest));
      await file.sync();
      await Deno.rename(part, target);
    } catch (error) {
      await Deno.remove(part).catch(() => {});
      throw error;
    } finally {
      if (held) await claimAgain(path); // whoever claimed it may write it again
    }
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Writes a file whole; where that fails it says so. Returns whether it is written. */
export async function writeOrSay(path: string, bytes: Uint8Array | string): Promise<boolean> {
  try {
    await writeWhole(path, bytes);
    return true;
  } catch (error) {
    console.error((error as Error).message);
    return false;
  }
}

/**
 * Claims a file that tensors are going to be saved in, or a whole run, which .onnx holds too.
 * @throws {TypeError} when its ending names no format, or it cannot be written.
 */
export async function claimTensorFile(path: string, isRun = false): Promise<void> {
  if (!(isRun ? RUN_ENDINGS : ENDINGS).test(path)) {
    const formats = isRun ? ".h5, .hdf5, .safetensors or .onnx" : ".h5, .hdf5 or .safetensors";
    throw new TypeError(
      `Cannot write ${path}: its ending names no known format; use ${formats}`,
    );
  }
  await claim(path);
}

/**
 * A log: one JSON object a line. Lines that the disk does not take are kept and tried again with
 * the next one, and a run goes on meanwhile.
 */
export class Log implements Disposable {
  readonly #file: Deno.FsFile;
  #pending = new Uint8Array(0);
  /** Length of the file up to its last whole line, in bytes. */
  #whole: number;
  #warned = false;

  /**
   * Opens a log, empty or to be gone on with.
   * @throws {TypeError} when it cannot be written.
   */
  constructor(readonly path: string, append: boolean) {
    try {
      const options = { write: true, create: true, append, truncate: !append };
      this.#file = Deno.openSync(targetOf(path), options);
      this.#whole = this.#file.seekSync(0, Deno.SeekMode.End);
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }

  /** Adds a line; where that fails it says so, once. */
  write(entry: object): void {
    const line = new TextEncoder().encode(JSON.stringify(entry) + "\n");
    const all = new Uint8Array(this.#pending.length + line.length);
    all.set(this.#pending);
    all.set(line, this.#pending.length);
    this.#pending = all;
    const error = this.#flush();
    if (error === undefined || this.#warned) return;
    this.#warned = true;
    console.error(
      `${cannotWrite(this.path, error).message} (the run goes on, and tries again with each line)`,
    );
  }

  #flush(): unknown {
    try {
      while (this.#pending.length > 0) {
        this.#pending = this.#pending.subarray(this.#file.writeSync(this.#pending));
      }
      this.#whole = this.#file.seekSync(0, Deno.SeekMode.Current);
      this.#warned = false;
    } catch (error) {
      return error;
    }
  }

  /**
   * Tries what is left a last time.
   * @returns whether the whole log is written; where it is not, it says so and ends with a whole line.
   */
  finish(): boolean {
    const error = this.#flush();
    if (error === undefined) return true;
    try {
      this.#file.truncateSync(this.#whole);
    } catch { /* no worse than before */ }
    console.error(`${cannotWrite(this.path, error).message}: its last lines are missing`);
    return false;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}
