/**
 * IDX, the format of MNIST's files: four bytes of magic (two zeros, the type, the number of
 * dimensions), the dimensions as big-endian 32-bit numbers, then the data. Takes bytes, raw or
 * gzipped; where they come from is others' affair.
 */

import type { DataSet, Samples } from "./samples.ts";

/** An array of bytes with its shape. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array; // row-major
}

/** A file's bytes and what to call it in messages. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const UNSIGNED_BYTE = 0x08;
/** No header may claim more: 2 GiB. */
const MAX_BYTES = 2 ** 31;
/** Longest header: magic and four dimensions. */
const MAX_DIMENSIONS = 4;

function headerLength(bytes: Uint8Array): number {
  return 4 + 4 * bytes[3];
}

/**
 * Reads the header.
 * @throws {SyntaxError} when it is no header of an IDX file of bytes.
 */
function readHeader(bytes: Uint8Array, name: string): { shape: number[]; size: number } {
  const isIdx = bytes.length >= 4 && bytes[0] === 0 && bytes[1] === 0 && bytes[2] === UNSIGNED_BYTE;
  if (!isIdx || bytes[3] < 1 || bytes[3] > MAX_DIMENSIONS) {
    const found = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0"));
    throw new SyntaxError(
      `Cannot read ${name}: it begins with ${found.join(" ") || "nothing"}, not with the magic ` +
        `number of an IDX file of bytes (00 00 08 and 01 to 04); give another file`,
    );
  }
  if (bytes.length < headerLength(bytes)) {
    throw new SyntaxError(`Cannot read ${name}: its header is cut off; fetch the file again`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: bytes[3] }, (_, d) => view.getUint32(4 + 4 * d));
  const size = shape.reduce((product, length) => product * length, 1);
  if (size > MAX_BYTES) {
    throw new SyntaxError(
      `Cannot read ${name}: its header claims ${shape.join(" x ")} bytes, more than 2 GiB`,
    );
  }
  return { shape, size };
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
        `Cannot read ${this.name}: its header claims ${shape.join(" x ")} bytes, more than so ` +
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
 * Reads an IDX file of unsigned bytes, gzipped or not.
 * @throws {SyntaxError} when the file is no such file, cut off, or longer than its header says.
 */
export async function parseIdx({ name, bytes }: NamedBytes): Promise<IdxArray> {
  const zipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const raw = zipped ? await gunzip(bytes, name) : bytes;
  const { shape, size } = readHeader(raw, name);
  const data = raw.subarray(headerLength(raw));
  if (data.length !== size) {
    throw new SyntaxError(
      `Cannot read ${name}: its header says ${shape.join(" x ")} = ${size} bytes of data, and ` +
        `${data.length < size ? `only ${data.length}` : "more"} follow; fetch the file again`,
    );
  }
  return { shape, data };
}

/** The uncompressed file of an array of bytes. */
export function writeIdx({ shape, data }: IdxArray): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, (UNSIGNED_BYTE << 8) + shape.length);
  shape.forEach((length, d) => view.setUint32(4 + 4 * d, length));
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}

/** Reads one pair of files into samples. */
async function readSamples(images: NamedBytes, labels: NamedBytes) {
  const { shape, data: x } = await parseIdx(images);
  const { shape: labelShape, data } = await parseIdx(labels);
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
  const samples: Samples = { count, inputs, x, labels: data };
  return { samples, rest };
}

/** The four files of a data set. */
export interface IdxFiles {
  readonly trainImages: NamedBytes;
  readonly trainLabels: NamedBytes;
  readonly testImages: NamedBytes;
  readonly testLabels: NamedBytes;
}

/**
 * Reads a data set out of its four files. Any widths, any number of classes.
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
  const largest = train.labels.reduce((a, b) => Math.max(a, b));
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
  const image = rest.length === 2 ? { image: [rest[0], rest[1]] as const } : {};
  return { name, inputs: train.inputs, classes, ...image, train, test };
}
