/**
 * What the file formats share: the tensor, its size, and the numbers of every stored type as
 * float64 and back.
 *
 * Nothing here knows a file format; `hdf5.ts` and `safetensors.ts` do, and `tensors.ts` chooses
 * between them.
 */

/** Numbers with a shape, row-major as in C and NumPy; `[]` is the shape of a single number. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float64Array; // [product of shape]
}

/** Tensors by name. */
export type Tensors = Map<string, Tensor>;

/** How a file is read. */
export interface ReadOptions {
  /** Deliver NaN and infinite values instead of refusing the file (default false). */
  readonly allowNonFinite?: boolean;
}

/** How a file is written. */
export interface WriteOptions {
  /** Bits of each stored number: 64 loses nothing, 32 halves the file (default 64). */
  readonly precision?: 64 | 32;
}

/** More numbers than this (2 GiB as float64) are taken for a hostile or damaged shape. */
export const MAX_ELEMENTS = 2 ** 28;

/** HDF5's own limit. */
const MAX_RANK = 32;

/** The stored types, by the names that safetensors gives them, and the bytes of one number. */
export const ELEMENT_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  U64: 8,
  I32: 4,
  U32: 4,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
} as const;

export type ElementType = keyof typeof ELEMENT_BYTES;

/** A name from a file, fit for one line of an error message. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? name.slice(0, 80) + "..." : name);
}

/** How many numbers `shape` holds, or undefined where it is no shape or larger than we read. */
export function countElements(shape: unknown): number | undefined {
  if (!Array.isArray(shape) || shape.length > MAX_RANK) return undefined;
  let count = 1;
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0 || size > MAX_ELEMENTS) return undefined;
    count *= size;
  }
  return count <= MAX_ELEMENTS ? count : undefined;
}

/** A half-precision number (IEEE 754 binary16) from its 16 bits. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0
    ? sign * fraction * 2 ** -24
    : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/**
 * Little-endian numbers of a stored type as float64.
 *
 * @param bytes the numbers [count * ELEMENT_BYTES[type]]
 * @returns [count]
 * @throws {RangeError} with the bare reason, when an integer is too large for float64 to hold.
 */
export function decode(type: ElementType, bytes: Uint8Array): Float64Array {
  // Typed arrays need an aligned start. (They are little-endian wherever WebGPU runs.)
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 8 ? bytes.slice() : bytes;
  const count = byteLength / ELEMENT_BYTES[type];
  switch (type) {
    case "F64":
      return new Float64Array(buffer, byteOffset, count).slice();
    case "F32":
      return new Float64Array(new Float32Array(buffer, byteOffset, count));
    case "F16":
      return Float64Array.from(new Uint16Array(buffer, byteOffset, count), half);
    case "BF16": { // the upper half of a float32
      const upper = new Uint32Array(new Uint16Array(buffer, byteOffset, count));
      for (let i = 0; i < count; i++) upper[i] <<= 16;
      return new Float64Array(new Float32Array(upper.buffer));
    }
    case "I64":
      return exact(new BigInt64Array(buffer, byteOffset, count));
    case "U64":
      return exact(new BigUint64Array(buffer, byteOffset, count));
    case "I32":
      return new Float64Array(new Int32Array(buffer, byteOffset, count));
    case "U32":
      return new Float64Array(new Uint32Array(buffer, byteOffset, count));
    case "I16":
      return new Float64Array(new Int16Array(buffer, byteOffset, count));
    case "U16":
      return new Float64Array(new Uint16Array(buffer, byteOffset, count));
    case "I8":
      return new Float64Array(new Int8Array(buffer, byteOffset, count));
    case "U8":
      return new Float64Array(new Uint8Array(buffer, byteOffset, count));
  }
}

/** 64-bit integers as float64, refusing those that would be rounded. */
function exact(integers: BigInt64Array | BigUint64Array): Float64Array {
  const data = new Float64Array(integers.length);
  for (let i = 0; i < data.length; i++) {
    data[i] = Number(integers[i]);
    if (BigInt(data[i]) !== integers[i]) {
      throw new RangeError(`it holds the integer ${integers[i]}, which float64 cannot`);
    }
  }
  return data;
}

/**
 * A tensor's numbers as little-endian bytes, once its shape and numbers are found to be storable.
 *
 * @returns [product of shape * precision / 8]
 * @throws {RangeError} when the shape does not fit the data, or a number overflows float32.
 */
export function encode(
  name: string,
  { shape, data }: Tensor,
  precision: 64 | 32,
  fileName: string,
): Uint8Array<ArrayBuffer> {
  const cannot = `Cannot write ${fileName}: tensor ${quote(name)}`;
  if (countElements(shape) !== data.length) {
    throw new RangeError(
      `${cannot} has shape [${shape}] but ${data.length} numbers; give a shape that holds them`,
    );
  }
  if (precision === 64) return new Uint8Array(data.slice().buffer);
  const rounded = new Float32Array(data);
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i]) && !Number.isFinite(rounded[i])) {
      throw new RangeError(`${cannot} holds ${data[i]}, too large for float32; write float64`);
    }
  }
  return new Uint8Array(rounded.buffer);
}

/**
 * Refuses NaN and infinite numbers, unless the options allow them.
 *
 * @throws {RangeError} naming the file, the tensor and the place.
 */
export function checkFinite(tensors: Tensors, fileName: string, options: ReadOptions): void {
  if (options.allowNonFinite) return;
  for (const [name, { shape, data }] of tensors) {
    const at = data.findIndex((value) => !Number.isFinite(value));
    if (at < 0) continue;
    // Row-major position as indices, last dimension fastest.
    let rest = at;
    const index = shape.toReversed().map((size) => {
      const i = rest % size;
      rest = (rest - i) / size;
      return i;
    }).reverse();
    throw new RangeError(
      `Cannot read ${fileName}: tensor ${quote(name)} holds ${data[at]} at [${index}]; ` +
        `use weights and data that are finite`,
    );
  }
}
