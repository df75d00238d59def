/** Files for the commands: read with a clear complaint, written whole or not at all. */

const ENDINGS = /\.(h5|hdf5|safetensors)$/i;

/** What the system says, in lower case and without its number. */
function why(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file or folder";
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

const folderOf = (path: string) => /^(.*)[/\\]/.exec(path)?.[1] || (path[0] === "/" ? "/" : ".");

/**
 * Writes a file whole or not at all: under a temporary name in its folder, flushed, then renamed.
 * @throws {TypeError} when it cannot be written; what was there before is still there then.
 */
export async function writeWhole(path: string, bytes: Uint8Array | string): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}.part`;
  try {
    {
      using file = await Deno.open(temporary, { write: true, createNew: true });
      let rest = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
      while (rest.length > 0) rest = rest.subarray(await file.write(rest));
      await file.sync();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw new TypeError(`Cannot write ${path}: ${why(error)}; give a path that can be written`);
  }
}

/**
 * Makes sure that a file can be written later, before hours are spent on what it is to hold.
 * @throws {TypeError} when its folder is missing or closed, or the path is a folder.
 */
export async function checkWritable(path: string): Promise<void> {
  const info = await Deno.stat(path).catch(() => undefined);
  if (info?.isDirectory) throw new TypeError(`Cannot write ${path}: it is a folder; name a file`);
  const probe = `${folderOf(path)}/.${crypto.randomUUID()}.part`;
  try {
    (await Deno.open(probe, { write: true, createNew: true })).close();
    await Deno.remove(probe);
  } catch (error) {
    throw new TypeError(`Cannot write ${path}: ${why(error)}; give a path that can be written`);
  }
}

/**
 * Makes sure that tensors can be saved under this name later.
 * @throws {TypeError} when its ending names no format, or it cannot be written.
 */
export async function checkTensorFile(path: string): Promise<void> {
  if (!ENDINGS.test(path)) {
    throw new TypeError(
      `Cannot write ${path}: its ending names no known format; use .h5, .hdf5 or .safetensors`,
    );
  }
  await checkWritable(path);
}
