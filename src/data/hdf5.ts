/**
 * Reads and writes HDF5 through h5wasm, the HDF5 library compiled to WebAssembly.
 *
 * The library is C: it reports errors by printing them, and a hostile file can leave it half torn
 * down, or trap. So its error output is caught here (one complaint, and the whole file is refused),
 * and after every file its memory and stack are put back as they were when it was loaded: each file
 * meets a fresh library, whatever the file before it did. Shapes are delivered as in the file; R's
 * transposition is left to others.
 */

import {
  checkFinite,
  countElements,
  decode,
  type ElementType,
  encode,
  MAX_ELEMENTS,
  quote,
  type ReadOptions,
  type Tensor,
  type Tensors,
  type WriteOptions,
} from "./elements.ts";

/** HDF5's C functions and its in-memory file system, as h5wasm exports them. */
type Module = Awaited<typeof import("h5wasm")["ready"]>;

/** Where a file lies while the library has it: only in the library's own in-memory file system. */
const PATH = "/tensors.h5";
const ERROR_OUTPUT = 2; // file descriptor

/** The loaded library, and what is needed to put it back into its first state. */
interface Library {
  readonly module: Module;
  /** Its memory when it was loaded, up to the last byte that is not zero. */
  readonly memory: Uint8Array;
  /** How much memory it had then, in bytes. */
  readonly size: number;
  /** What it has printed since it was last put back, as bytes. */
  readonly output: number[];
}

let library: Promise<Library> | undefined;

async function load(): Promise<Library> {
  let module: Module;
  try {
    // 4 MB of code: loaded when a first HDF5 file is, and not with the page.
    module = await (await import("h5wasm")).ready;
  } catch (error) {
    throw new TypeError(
      `Cannot load the HDF5 library: ${(error as Error).message}; ` +
        `allow WebAssembly ('wasm-unsafe-eval' in a content security policy), or use .safetensors`,
    );
  }
  // Emscripten asks this hook before it prints.
  module.onAbort = (reason: unknown) => {
    throw new Error(`the HDF5 library gave up: ${reason}`);
  };
  const fs = module.FS as any; // h5wasm's types lack the members used here
  const output: number[] = [];
  fs.createDevice("/dev", "complaints", null, (byte: number) => {
    if (output.length < 20_000) output.push(byte & 255);
  });
  fs.close(fs.streams[ERROR_OUTPUT]);
  fs.open("/dev/complaints", "w"); // takes the lowest free descriptor: the one just closed
  let end = module.HEAPU8.length;
  while (module.HEAPU8[end - 1] === 0) end--;
  return { module, memory: module.HEAPU8.slice(0, end), size: module.HEAPU8.length, output };
}

/** Frees what the last file left behind in the library. */
function putBack({ module, memory, size, output }: Library): void {
  const fs = module.FS as any;
  for (const stream of fs.streams) if (stream && stream.fd > ERROR_OUTPUT) fs.close(stream);
  if (fs.analyzePath(PATH).exists) fs.unlink(PATH);
  module.HEAPU8.set(memory);
  module.HEAPU8.fill(0, memory.length, size);
  output.length = 0;
}

/** The innermost of the errors that HDF5 printed, in one line; undefined where it printed none. */
function complaint(output: readonly number[]): string | undefined {
  if (output.length === 0) return undefined;
  // Errors come as stacks; the first says what happened, the others are its consequences.
  const text = String.fromCharCode(...output).split("HDF5-DIAG: ", 2).at(-1)!;
  const causes = [...text.matchAll(/#\d+: .*?\(\): (.*)/g)].map((match) => match[1]);
  // A missing filter (lzf, szip) ends in a search for plugins, which would mislead.
  const filter = text.match(/required filter .* is not registered/)?.[0];
  return (filter ?? causes.at(-1) ?? text).replace(/[^\x20-\x7e]+/g, " ").slice(0, 160).trim();
}

/**
 * Runs `work` on the library in its first state and puts it back, whatever happened.
 * @throws {Error} with the bare reason, when `work` throws or traps, or HDF5 complains.
 */
function withLibrary<T>(library: Library, work: (module: Module) => T): T {
  const { module, output } = library;
  let result: { readonly value: T } | undefined;
  let failure: unknown;
  // ccall puts the C stack back when it has passed a string; nothing else gives access to it. A
  // trap in the middle of the library would lose the part of the stack that was in use.
  (module as any)._guarded = () => {
    try {
      result = { value: work(module) };
    } catch (error) {
      failure = error;
    }
  };
  module.ccall("guarded", null, ["string"], [""]);
  const reason = complaint(output);
  putBack(library);
  if (result && reason === undefined) return result.value;
  const what = result
    ? "the HDF5 library reports"
    : failure instanceof Error
    ? failure.message
    : String(failure);
  // What h5wasm says whenever something cannot be opened; HDF5's own reason follows it.
  const clear = what.replace("error - name not defined!", "it cannot be opened");
  throw new Error(reason === undefined ? clear : `${clear}: ${reason}`);
}

/** Whether HDF5's signature stands at the start, or after a user block of 512, 1024, ... bytes. */
export function isHdf5(bytes: Uint8Array): boolean {
  const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
  for (let at = 0; at + signature.length <= bytes.length; at = at ? 2 * at : 512) {
    if (signature.every((byte, i) => bytes[at + i] === byte)) return true;
  }
  return false;
}

/**
 * Every dataset of numbers in an HDF5 file, those in groups as "group/name". Datasets of other
 * things (strings, compounds, truth values, nothing) are passed over.
 *
 * @param bytes the whole file
 * @param fileName its name, for error messages
 * @returns the datasets by name, row-major, with the shapes that the file gives
 * @throws {SyntaxError} when the file is no HDF5, is damaged, holds no dataset of numbers, holds an
 *   integer beyond float64, or claims more than 2^28 numbers or more than its bytes can hold.
 * @throws {TypeError} when the library cannot be loaded.
 * @throws {RangeError} when a dataset holds NaN or infinity (and they are not allowed).
 */
export async function readHdf5(
  bytes: Uint8Array,
  fileName: string,
  options: ReadOptions = {},
): Promise<Tensors> {
  const refuse = (reason: string) =>
    new SyntaxError(
      `Cannot read ${fileName}: ${reason}; save it anew, with float64 datasets (h5py, rhdf5)`,
    );
  if (!isHdf5(bytes)) throw refuse("it is no HDF5 file (its signature is missing)");
  const loaded = await (library ??= load());
  let tensors: Tensors;
  try {
    tensors = withLibrary(loaded, (module) => readAll(module, bytes));
  } catch (error) {
    throw refuse((error as Error).message);
  }
  if (tensors.size === 0) throw refuse("it holds no dataset of numbers");
  checkFinite(tensors, fileName, options);
  return tensors;
}

/** Every dataset of numbers. Throws bare reasons, naming the dataset. */
function readAll(module: Module, bytes: Uint8Array): Tensors {
  module.FS.writeFile(PATH, bytes);
  const file = module.open(PATH, module.H5F_ACC_RDONLY, false, -1, -1);
  if (file < 0n) throw new Error("it cannot be opened");
  const tensors: Tensors = new Map();
  let total = 0;
  // HDF5's own walk through the groups, which visits no group twice.
  for (const name of module.get_names(file, "/", true)) {
    try {
      if (tensors.has(name)) throw new Error("it occurs twice");
      const tensor = readDataset(module, file, `/${name}`, bytes.length, MAX_ELEMENTS - total);
      if (!tensor) continue;
      total += tensor.data.length;
      tensors.set(name, tensor);
    } catch (error) {
      throw new Error(`dataset ${quote(name)}: ${(error as Error).message}`);
    }
  }
  if (module.close_file(file) < 0) throw new Error("it cannot be closed");
  return tensors;
}

/** The types read. 2-byte floats are missing: h5wasm does not tell binary16 from bfloat16. */
const TYPES = new Set(["F64", "F32", "I64", "U64", "I32", "U32", "I16", "U16", "I8", "U8"]);

/** More than this, deflate cannot compress by. */
const MAX_COMPRESSION = 1032;

/**
 * A dataset of at most `limit` numbers, or undefined where `path` is anything else.
 * @param fileSize bytes of the whole file: what it claims to hold is measured against it, because
 *   memory that the library once took is never given back.
 */
function readDataset(
  module: Module,
  file: bigint,
  path: string,
  fileSize: number,
  limit: number,
): Tensor | undefined {
  if (module.get_type(file, path) !== module.H5G_DATASET) return undefined;
  const metadata = module.get_dataset_metadata(file, path);
  const isFloat = metadata.type === module.H5T_class_t.H5T_FLOAT.value;
  if (!isFloat && metadata.type !== module.H5T_class_t.H5T_INTEGER.value) return undefined;
  if (metadata.shape === null) return undefined; // a type without any data
  if (metadata.virtual_sources) throw new Error("it is virtual: its numbers lie in other files");
  const type = `${isFloat ? "F" : metadata.signed ? "I" : "U"}${8 * metadata.size}`;
  if (!TYPES.has(type)) throw new Error(`${metadata.size}-byte numbers are not read`);
  const shape = [...metadata.shape];
  const count = countElements(shape);
  if (count === undefined || count > limit) {
    throw new Error(`its shape [${shape}] claims more than the 2^28 numbers that are read`);
  }
  const size = count * metadata.size; // bytes
  const chunk = (metadata.chunks ?? []).reduce((product, side) => product * side, metadata.size);
  if (Math.max(size, chunk) > fileSize * (metadata.chunks ? MAX_COMPRESSION : 1)) {
    throw new Error(`its shape [${shape}] claims more numbers than lie in ${fileSize} bytes`);
  }
  const pointer = module._malloc(Math.max(size, 8));
  if (pointer === 0) throw new Error(`there is no memory for its ${size} bytes`);
  // The status is the only sign of a failed read: the memory holds rubbish then.
  if (count > 0 && module.get_dataset_data(file, path, null, null, null, BigInt(pointer)) < 0) {
    throw new Error("it cannot be read");
  }
  const data = decode(type as ElementType, module.HEAPU8.subarray(pointer, pointer + size));
  module._free(pointer);
  return { shape, data };
}

/**
 * An HDF5 file holding the tensors as float64, or float32 if the options ask for it. A name with
 * slashes puts the tensor into groups.
 *
 * @param fileName the file's name, for error messages
 * @throws {TypeError} when HDF5 cannot have a tensor's name, or one name is a group of another.
 * @throws {RangeError} when a shape does not fit its data, float32 cannot hold a number, or the file
 *   would be larger than the library's memory.
 */
export async function writeHdf5(
  tensors: Tensors,
  fileName: string,
  options: WriteOptions = {},
): Promise<Uint8Array> {
  const { precision = 64 } = options;
  const parts: Part[] = [];
  const groups = new Set<string>(); // parents before children
  for (const [name, tensor] of tensors) {
    const steps = name.split("/");
    if (steps.some((step) => step === "" || step === "." || /\0/.test(step))) refuseName(name);
    if (!name.isWellFormed()) refuseName(name);
    for (let depth = 1; depth < steps.length; depth++) {
      const group = steps.slice(0, depth).join("/");
      if (tensors.has(group)) refuseName(name);
      groups.add(group);
    }
    parts.push({ name, shape: tensor.shape, bytes: encode(name, tensor, precision, fileName) });
  }
  function refuseName(name: string): never {
    throw new TypeError(
      `Cannot write ${fileName}: HDF5 cannot hold a tensor named ${quote(name)} here; rename it`,
    );
  }
  const loaded = await (library ??= load());
  try {
    return withLibrary(loaded, (module) => writeAll(module, groups, parts, precision / 8));
  } catch (error) {
    throw new RangeError(
      `Cannot write ${fileName}: the HDF5 library refused: ${(error as Error).message}; ` +
        `use shorter names or less data`,
    );
  }
}

/** A tensor ready to be stored. */
interface Part {
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array; // [product of shape * bytes of one number], little-endian
}

function writeAll(
  module: Module,
  groups: Iterable<string>,
  parts: readonly Part[],
  size: number,
): Uint8Array {
  const file = module.open(PATH, module.H5F_ACC_TRUNC, false, -1, -1);
  for (const group of groups) module.create_group(file, `/${group}`);
  for (const { name, shape, bytes } of parts) {
    const pointer = module._malloc(Math.max(bytes.length, 8));
    if (pointer === 0) throw new Error(`no memory for the ${bytes.length} bytes of ${quote(name)}`);
    module.HEAPU8.set(bytes, pointer);
    module.create_dataset(file, `/${name}`, BigInt(pointer), {
      type: module.H5T_class_t.H5T_FLOAT.value,
      size,
      signed: true,
      littleEndian: true,
      vlen: false,
      shape: shape.map(BigInt),
      maxshape: null,
      total_size: bytes.length / size,
    });
    module._free(pointer);
  }
  if (module.close_file(file) < 0) throw new Error("it could not be finished");
  return module.FS.readFile(PATH);
}
