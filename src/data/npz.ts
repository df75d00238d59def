/**
 * Reads NumPy's .npz files: a zip archive with an array in each .npy file, which is a line that says
 * what the numbers are, and the numbers.
 *
 * The archive is a library's; the arrays' format is small enough to be read here:
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
 */

import { unzipSync } from "fflate";
import {
  checkFinite,
  countElements,
  decode,
  ELEMENT_BYTES,
  type ElementType,
  quote,
  type ReadOptions,
  type Tensor,
  type Tensors,
} from "./elements.ts";

/** Arrays of a file, and bytes of all of them, at most. */
const MOST_ARRAYS = 10_000, MOST_BYTES = 2 ** 32;

/** NumPy's types, behind the order of their bytes. */
const TYPES: Record<string, ElementType> = {
  f8: "F64",
  f4: "F32",
  f2: "F16",
  i8: "I64",
  u8: "U64",
  i4: "I32",
  u4: "U32",
  i2: "I16",
  u2: "U16",
  i1: "I8",
  u1: "U8",
  b1: "U8",
};

type Refuse = (reason: string) => never;

/** The bytes of each number turned around. */
function swapped(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.map((_, i) => bytes[i - i % size + size - 1 - i % size]);
}

/** An array in Fortran's order, the first dimension fastest, as row-major. */
function rowMajor(shape: readonly number[], data: Float64Array): Float64Array {
  const steps = shape.map((_, d) => shape.slice(0, d).reduce((a, b) => a * b, 1));
  return data.map((_, to) => {
    let rest = to, at = 0;
    for (let d = shape.length - 1; d >= 0; d--) {
      at += rest % shape[d] * steps[d];
      rest = Math.floor(rest / shape[d]);
    }
    return data[at];
  });
}

/** The array of an .npy file. */
function readNpy(bytes: Uint8Array, refuse: Refuse): Tensor {
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \\x93NUMPY
  if (bytes.length < 12 || !magic.every((byte, i) => bytes[i] === byte)) {
    refuse("is no array of NumPy's");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length), version = bytes[6];
  if (version < 1 || version > 3) refuse(`is of version ${version} of the format`);
  const [start, length] = version === 1
    ? [10, view.getUint16(8, true)]
    : [12, view.getUint32(8, true)];
  if (start + length > bytes.length || length > 100_000) refuse("is cut off");
  const header = new TextDecoder().decode(bytes.subarray(start, start + length));
  const said = (name: string, value: string) =>
    new RegExp(`['"]${name}['"]\\s*:\\s*${value}`).exec(header)?.[1];
  const type = said("descr", "['\"]([^'\"]{1,20})['\"]");
  const order = said("fortran_order", "(True|False)");
  const lengths = said("shape", "\\(([\\d\\s,]*)\\)");
  if (type === undefined || order === undefined || lengths === undefined) {
    return refuse("does not say its type, order and shape, or is no array of plain numbers");
  }
  const stored = TYPES[type.slice(1)];
  if (!"<>|=".includes(type[0]) || stored === undefined) {
    return refuse(`holds ${quote(type)}, not numbers: save it as float64`);
  }
  const shape = lengths.split(",").filter((text) => text.trim() !== "").map(Number);
  const count = countElements(shape), size = ELEMENT_BYTES[stored];
  if (count === undefined) return refuse(`has the shape [${shape}]`);
  const numbers = bytes.subarray(start + length);
  if (numbers.length !== count * size) {
    refuse(`has ${numbers.length} bytes, and its shape and type need ${count * size}`);
  }
  const little = type[0] === ">" ? swapped(numbers, size) : numbers;
  try {
    const data = decode(stored, little);
    return { shape, data: order === "True" ? rowMajor(shape, data) : data };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refuse(error.message);
  }
}

/**
 * The arrays of an .npz file, by their names without .npy.
 * @param fileName its name, for error messages.
 * @throws {SyntaxError} in one line when it is no archive of arrays of numbers.
 * @throws {RangeError} when an array holds NaN or infinity.
 */
export function readNpz(bytes: Uint8Array, fileName: string, options: ReadOptions = {}): Tensors {
  const refuse: Refuse = (reason) => {
    throw new SyntaxError(`Cannot read ${fileName} as .npz: ${reason}; save it anew with np.savez`);
  };
  const tensors: Tensors = new Map(), names = new Set<string>();
  let size = 0, files: Record<string, Uint8Array>;
  class Refused extends Error {}
  try {
    files = unzipSync(bytes, {
      filter({ name, originalSize }) {
        if (names.has(name)) throw new Refused(`array ${quote(name)} is there twice`);
        names.add(name);
        size += originalSize;
        // Deflate makes no more than 1,032 bytes of one.
        if (names.size > MOST_ARRAYS || size > Math.min(MOST_BYTES, 1100 * bytes.length)) {
          throw new Refused(`it holds ${names.size} arrays or more, of ${size} bytes`);
        }
        return true;
      },
    });
  } catch (error) {
    return refuse(
      error instanceof Refused
        ? error.message
        : `it is no whole zip archive (${(error as Error).message})`,
    );
  }
  for (const [file, content] of Object.entries(files)) {
    const name = file.replace(/\.npy$/, "");
    tensors.set(name, readNpy(content, (reason) => refuse(`array ${quote(name)} ${reason}`)));
  }
  if (tensors.size === 0) refuse("it holds no array");
  checkFinite(tensors, fileName, options);
  return tensors;
}
