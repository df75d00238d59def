/**
 * IDX, the format of MNIST's files: four bytes of magic (two zeros, the type, the number of
 * dimensions), the dimensions as big-endian 32-bit numbers, then the data, big-endian, too. Values
 * are bytes; labels may also be whole numbers of 16 or 32 bits, for more classes than a byte counts.
 * Files come as bytes, raw or gzipped; from where is others' affair.
 */

import { MAX_CLASSES } from "../core/network.ts";
import type { DataSet, Labels, Samples } from "./samples.ts";

/** An array with its shape. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array | Int16Array | Int32Array; // row-major
}

/** A file's bytes and what to call it in messages. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The types that are read, as the third byte of the magic names them. */
const TYPES = { 0x08: Uint8Array, 0x0b: Int16Array, 0x0c: Int32Array } as const;
type Type = keyof typeof TYPES;

/** No header may claim more: 2 GiB. */
const MAX_BYTES = 2 ** 31;
/** Longest header: magic and four dimensions. */
const MAX_DIMENSIONS = 4;

function headerLength(bytes: Uint8Array): number {
  return 4 + 4 * bytes[3];
}

interface Header {
  readonly type: Type;
  readonly shape: number[];
  /** Bytes of data. */
  readonly size: number;
}

/**
 * Reads the header.
 * @throws {SyntaxError} when it is no header of an IDX file of bytes or whole numbers.
 */
function readHeader(bytes: Uint8Array, name: string): Header {
  const isIdx = bytes.length >= 4 && bytes[0] === 0 && bytes[1] === 0 && bytes[2] in TYPES;
  if (!isIdx || bytes[3] < 1 || bytes[3] > MAX_DIMENSIONS) {
    const found = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0"));
    throw new SyntaxError(
      `Cannot read ${name}: it begins with ${found.join(" ") || "nothing"}, not with the magic ` +
        `number of an IDX file of bytes or whole numbers (00 00, then 08, 0b or 0c, then 01 to ` +
        `04); give another file`,
    );
  }
  const type = bytes[2] as Type;
  if (bytes.length < headerLength(bytes)) {
    throw new SyntaxError(`Cannot read ${name}: its header is cut off; fetch the file again`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: bytes[3] }, (_, d) => view.getUint32(4 + 4 * d));
  const size = shape.reduce((product, length) => product * length, TYPES[type].BYTES_PER_ELEMENT);
  if (size > MAX_BYTES) {
    throw new SyntaxError(
      `Cannot read ${name}: its header claims ${shape.join(" x ")} values, more than 2 GiB`,
    );
  }
  return { type, shape, size };
}

/** Deflate makes data no shorter than by this factor (zlib's technical details). */
const MAX_RATIO = 1032;
/** Bytes that are unpacked at a time: a thousand times as many can come of them. */
const SLICE = 4096;

/** What an IDX file is inflated into: not much more than the header inside says. */
class Inflated {
  /** Bytes that are known so far. */
  length = 0;
  // As long as the header is not whole, there is room for a header alone; then for what it says and
  // one byte more, which shows that a file goes on behind its end.
  #bytes = new Uint8Array(4 + 4 * MAX_DIMENSIONS);
  #isSized = false;

  /**
   * @param most bytes that can come of the file.
   * @param name of the file.
   */
  constructor(readonly most: number, readonly name: string) {}

  get isFull(): boolean {
    return this.length === this.#bytes.length;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /**
   * Adds bytes, as long as there is room.
   * @throws {SyntaxError} when they are no IDX file, or one that claims too much.
   */
  add(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0 && !this.isFull) {
      const part = rest.subarray(0, this.#bytes.length - this.length);
      this.#bytes.set(part, this.length);
      this.length += part.length;
      rest = rest.subarray(part.length);
      if (this.isFull && !this.#isSized) this.#makeRoom();
    }
  }

  #makeRoom(): void {
    const start = this.#bytes, { shape, size } = readHeader(start, this.name);
    if (size > this.most) {
      throw new SyntaxError(
        `Cannot read ${this.name}: its header claims ${shape.join(" x ")} values, more than so ` +
          `short a file can hold; fetch the file again`,
      );
    }
    this.#isSized = true;
    this.#bytes = new Uint8Array(Math.max(this.length, headerLength(start) + size + 1));
    this.#bytes.set(start);
  }
}

/** Inflates one member of a gzip file into `to`; returns whether it is whole, and all that is there. */
async function inflateMember(bytes: Uint8Array, to: Inflated): Promise<boolean> {
  let at = 0;
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at += SLICE));
    },
  }, { highWaterMark: 0 });
  const reader = source.pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    while (!to.isFull) {
      const { value, done } = await reader.read();
      if (done) return true;
      to.add(value);
    }
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    return false;
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Where members of a gzip file may begin, behind the first: at what looks like a header (RFC 1952). */
function* memberStarts(bytes: Uint8Array): Generator<number> {
  const RESERVED = 0xe0;
  for (let at = 1; (at = bytes.indexOf(0x1f, at)) > 0; at++) {
    const isHeader = bytes[at + 1] === 0x8b && bytes[at + 2] === 8 && !(bytes[at + 3] & RESERVED);
    if (isHeader) yield at;
  }
}

/** So many places of a file may look like a member's header and be none: one is in some 100 MB. */
const MOST_MISTAKEN = 100;

/**
 * Inflates gzip. A file may have several members, one behind another; the platform's inflater takes
 * one at a time, and does not say where it ends, but its checksum tells whether it ends where the
 * next seems to begin.
 */
async function gunzip(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  const whole = new Inflated(MAX_RATIO * bytes.length, name);
  if (await inflateMember(bytes, whole)) return whole.bytes; // most have one
  whole.length = 0;
  let start = 0, mistaken = 0;
  for (const end of [...memberStarts(bytes), bytes.length]) {
    const before = whole.length;
    if (await inflateMember(bytes.subarray(start, end), whole)) start = end;
    else whole.length = before;
    if (whole.isFull) return whole.bytes;
    if (start !== end && ++mistaken > MOST_MISTAKEN) break;
  }
  if (start === bytes.length) return whole.bytes;
  throw new SyntaxError(
    `Cannot read ${name}: its gzip data is corrupt or cut off; fetch the file again`,
  );
}

/**
 * Reads an IDX file of unsigned bytes or of whole numbers of 16 or 32 bits, gzipped or not.
 * @throws {SyntaxError} when the file is no such file, cut off, or longer than its header says.
 */
export async function parseIdx({ name, bytes }: NamedBytes): Promise<IdxArray> {
  const zipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const raw = zipped ? await gunzip(bytes, name) : bytes;
  const { type, shape, size } = readHeader(raw, name);
  const data = raw.subarray(headerLength(raw));
  if (data.length !== size) {
    throw new SyntaxError(
      `Cannot read ${name}: its header says ${shape.join(" x ")} values, ${size} bytes, and ` +
        `${data.length < size ? `only ${data.length}` : "more"} follow; fetch the file again`,
    );
  }
  if (type === 0x08) return { shape, data };
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return {
    shape,
    data: type === 0x0b
      ? Int16Array.from({ length: size / 2 }, (_, i) => view.getInt16(2 * i))
      : Int32Array.from({ length: size / 4 }, (_, i) => view.getInt32(4 * i)),
  };
}

/** The uncompressed file of an array. */
export function writeIdx({ shape, data }: IdxArray): Uint8Array<ArrayBuffer> {
  const first = 4 + 4 * shape.length, { BYTES_PER_ELEMENT: width } = data;
  const bytes = new Uint8Array(first + width * data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, ({ 1: 0x08, 2: 0x0b, 4: 0x0c }[width]! << 8) + shape.length);
  shape.forEach((length, d) => view.setUint32(4 + 4 * d, length));
  if (data instanceof Uint8Array) bytes.set(data, first);
  else if (data instanceof Int16Array) data.forEach((n, i) => view.setInt16(first + 2 * i, n));
  else data.forEach((n, i) => view.setInt32(first + 4 * i, n));
  return bytes;
}

/**
 * Labels as classes.
 * @throws {SyntaxError} naming the first that is none.
 */
function asClasses(data: IdxArray["data"], name: string): Labels {
  if (data instanceof Uint8Array) return data;
  const strange = data.findIndex((label) => label < 0 || label >= MAX_CLASSES);
  if (strange >= 0) {
    throw new SyntaxError(
      `Cannot use ${name}: label ${data[strange]} of sample ${strange} is out of range; classes ` +
        `go from 0 to ${MAX_CLASSES - 1}`,
    );
  }
  return Uint16Array.from(data);
}

/** Reads one pair of files into samples. */
async function readSamples(images: NamedBytes, labels: NamedBytes) {
  const { shape, data: x } = await parseIdx(images);
  const { shape: labelShape, data } = await parseIdx(labels);
  if (!(x instanceof Uint8Array)) {
    throw new SyntaxError(
      `Cannot use ${images.name}: its values are whole numbers of ${
        8 * x.BYTES_PER_ELEMENT
      } bits, ` +
        `where only labels may be; give values as bytes`,
    );
  }
  const [count, ...rest] = shape;
  const inputs = rest.reduce((product, length) => product * length, 1);
  if (rest.length === 0 || count === 0 || inputs === 0) {
    throw new SyntaxError(
      `Cannot use ${images.name}: its shape ${shape.join(" x ")} holds no samples`,
    );
  }
  if (labelShape.length !== 1 || labelShape[0] !== count) {
    throw new SyntaxError(
      `Cannot pair ${images.name} with ${labels.name}: ${count} samples and ` +
        `${labelShape.join(" x ")} labels; give files that belong together`,
    );
  }
  const samples: Samples = { count, inputs, x, labels: asClasses(data, labels.name) };
  return { samples, rest };
}

/** The shape of an image, where samples have two dimensions, or channels before them. */
function imageOf(shape: readonly number[]): DataSet["image"] {
  if (shape.length < 2 || shape.length > 3) return undefined;
  const [rows, columns] = shape.slice(-2);
  return [shape.length === 3 ? shape[0] : 1, rows, columns];
}

/** The four files of a data set. */
export interface IdxFiles {
  readonly trainImages: NamedBytes;
  readonly trainLabels: NamedBytes;
  readonly testImages: NamedBytes;
  readonly testLabels: NamedBytes;
}

/**
 * Reads a data set out of its four files. Any widths, up to 65,536 classes.
 * @throws {SyntaxError} when a file cannot be read or the files do not belong together.
 */
export async function idxDataSet(files: IdxFiles, name: string): Promise<DataSet> {
  const { samples: train, rest } = await readSamples(files.trainImages, files.trainLabels);
  const { samples: test } = await readSamples(files.testImages, files.testLabels);
  if (train.inputs !== test.inputs) {
    throw new SyntaxError(
      `Cannot pair ${files.trainImages.name} with ${files.testImages.name}: ${train.inputs} and ` +
        `${test.inputs} values a sample; give files that belong together`,
    );
  }
  let largest = 0;
  for (const label of train.labels) largest = Math.max(largest, label);
  const classes = Math.max(2, largest + 1);
  if (classes > train.count + 1) {
    throw new SyntaxError(
      `Cannot use ${files.trainLabels.name}: label ${largest} is out of range for ` +
        `${train.count} samples`,
    );
  }
  const strange = test.labels.findIndex((label) => label >= classes);
  if (strange >= 0) {
    throw new SyntaxError(
      `Cannot use ${files.testLabels.name}: label ${
        test.labels[strange]
      } of sample ${strange} is ` +
        `out of range; the training labels go from 0 to ${largest}`,
    );
  }
  return { name, inputs: train.inputs, classes, image: imageOf(rest), train, test };
}
