/**
 * Reads and writes safetensors: 8 bytes of header length, a JSON header, then the numbers.
 *
 * The format is small enough to be read here in full strictness: whatever the header says is
 * checked before a byte of data is touched, and every byte of data belongs to just one tensor.
 * Format: https://github.com/huggingface/safetensors#format. Other formats are not known here.
 */

import {
  checkFinite,
  countElements,
  decode,
  ELEMENT_BYTES,
  type ElementType,
  encode,
  quote,
  type ReadOptions,
  type Tensor,
  type Tensors,
  type WriteOptions,
} from "./elements.ts";

/** What a safetensors file holds. */
export interface Safetensors {
  readonly tensors: Tensors;
  /** The free strings of `__metadata__`; empty where there are none. */
  readonly metadata: Map<string, string>;
}

/** The reference implementation's own limit. */
const MAX_HEADER = 100_000_000;
const METADATA = "__metadata__";

/** Where one tensor lies. */
interface Entry {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly begin: number; // first byte, from the end of the header
  readonly end: number; // one past the last byte
}

/**
 * The tensors and metadata of a safetensors file. Integers and short floats become float64.
 *
 * @param bytes the whole file
 * @param fileName its name, for error messages
 * @throws {SyntaxError} when the header or the layout of the data is not what the format asks for.
 * @throws {RangeError} when a tensor holds NaN, infinity or an integer beyond float64.
 */
export function readSafetensors(
  bytes: Uint8Array,
  fileName: string,
  options: ReadOptions = {},
): Safetensors {
  const refuse = (reason: string): never => {
    throw new SyntaxError(
      `Cannot read ${fileName} as safetensors: ${reason}; save the file anew, or use .h5`,
    );
  };
  if (bytes.length < 8) refuse(`${bytes.length} bytes cannot hold the header's length`);
  const size = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (size > MAX_HEADER) refuse(`a header of ${size} bytes is larger than the allowed 100 MB`);
  if (size > bytes.length - 8) refuse(`a header of ${size} bytes runs beyond the file's end`);
  const data = bytes.subarray(8 + Number(size));
  const header = parse(bytes.subarray(8, 8 + Number(size)), refuse);

  const metadata = new Map<string, string>();
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name !== METADATA) {
      entries.push(parseEntry(name, value, refuse));
      continue;
    }
    if (!isObject(value)) refuse(`${METADATA} is no JSON object`);
    for (const [key, text] of Object.entries(value as object)) {
      if (typeof text !== "string") refuse(`${METADATA} entry ${quote(key)} is no string`);
      metadata.set(key, text);
    }
  }
  checkCover(entries, data.length, refuse);

  const tensors: Tensors = new Map();
  for (const { name, type, shape, begin, end } of entries) {
    try {
      tensors.set(name, { shape, data: decode(type, data.subarray(begin, end)) });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new RangeError(
        `Cannot read ${fileName}: tensor ${quote(name)}: ${error.message}; store it as F64`,
      );
    }
  }
  checkFinite(tensors, fileName, options);
  return { tensors, metadata };
}

type Refuse = (reason: string) => never;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The header as an object without duplicate names. */
function parse(bytes: Uint8Array, refuse: Refuse): Record<string, unknown> {
  let text = "";
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    refuse("its header is not JSON");
  }
  if (!isObject(header)) return refuse("its header is no JSON object");
  const twice = duplicateKey(text);
  if (twice !== undefined) refuse(`its header names ${quote(twice)} twice`);
  return header;
}

/** A key that some object in valid JSON holds twice: JSON.parse would keep the last one silently. */
function duplicateKey(json: string): string | undefined {
  const open: Set<string>[] = []; // the keys of every object that is open at this place
  for (let i = 0; i < json.length; i++) {
    if (json[i] === "{") open.push(new Set());
    else if (json[i] === "}") open.pop();
    else if (json[i] === '"') {
      const start = i;
      for (i++; json[i] !== '"'; i++) if (json[i] === "\\") i++;
      let next = i + 1;
      while (" \t\n\r".includes(json[next] ?? "-")) next++;
      if (json[next] !== ":") continue;
      const key = JSON.parse(json.slice(start, i + 1)) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

/** One tensor's line of the header: type, shape and a range of just the bytes that they need. */
function parseEntry(name: string, value: unknown, refuse: Refuse): Entry {
  const tensor = `tensor ${quote(name)}`;
  if (!isObject(value)) return refuse(`${tensor} is described by no JSON object`);
  const { dtype, shape, data_offsets: range } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(ELEMENT_BYTES, dtype)) {
    return refuse(`${tensor} has the unknown dtype ${quote(String(JSON.stringify(dtype)))}`);
  }
  const type = dtype as ElementType;
  const count = countElements(shape);
  if (count === undefined) {
    return refuse(`${tensor} has no shape of whole numbers with at most 2^28 elements`);
  }
  if (
    !Array.isArray(range) || range.length !== 2 ||
    !range.every((offset) => Number.isSafeInteger(offset) && offset >= 0) || range[0] > range[1]
  ) {
    return refuse(`${tensor} has no valid data_offsets`);
  }
  const [begin, end] = range as [number, number];
  if (end - begin !== count * ELEMENT_BYTES[type]) {
    return refuse(
      `${tensor} has ${end - begin} bytes, but its shape and dtype need ` +
        `${count * ELEMENT_BYTES[type]}`,
    );
  }
  return { name, type, shape: shape as number[], begin, end };
}

/** Refuses tensors that overlap, leave gaps, or do not end where the file ends. */
function checkCover(entries: readonly Entry[], length: number, refuse: Refuse): void {
  let covered = 0;
  for (
    const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)
  ) {
    if (end > length) refuse(`tensor ${quote(name)} runs beyond the file's end`);
    if (begin < covered) refuse(`tensor ${quote(name)} overlaps the tensor before it`);
    if (begin > covered) refuse(`there is a gap before tensor ${quote(name)}`);
    covered = end;
  }
  if (covered < length) refuse(`${length - covered} bytes at its end belong to no tensor`);
}

/**
 * A safetensors file holding the tensors, as F64 unless the options ask for F32.
 *
 * @param fileName the file's name, for error messages
 * @throws {TypeError} when a name is `__metadata__` or no valid Unicode.
 * @throws {RangeError} when a shape does not fit its data, or float32 cannot hold a number.
 */
export function writeSafetensors(
  tensors: Tensors,
  fileName: string,
  options: WriteOptions & { readonly metadata?: ReadonlyMap<string, string> } = {},
): Uint8Array {
  const { precision = 64, metadata } = options;
  const header: [string, unknown][] = [];
  if (metadata?.size) header.push([METADATA, Object.fromEntries(metadata)]);
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const [name, tensor] of tensors as Map<string, Tensor>) {
    if (name === METADATA || !name.isWellFormed()) {
      throw new TypeError(
        `Cannot write ${fileName}: safetensors has no tensor named ${quote(name)}; rename it`,
      );
    }
    const part = encode(name, tensor, precision, fileName);
    const begin = end;
    end += part.length;
    parts.push(part);
    header.push([name, {
      dtype: precision === 64 ? "F64" : "F32",
      shape: tensor.shape,
      data_offsets: [begin, end],
    }]);
  }
  // fromEntries, because assignment would lose a tensor named "__proto__".
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const size = Math.ceil(json.length / 8) * 8; // readers may map the data: keep it aligned
  const file = new Uint8Array(8 + size + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(size), true);
  file.fill(0x20, 8, 8 + size); // the format pads with spaces
  file.set(json, 8);
  let offset = 8 + size;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.length;
  }
  return file;
}
