/**
 * What coordinator and workers tell each other. Everything is data, in JSON or as plain numbers, and all
 * that comes in is checked here before anything is made of it: lengths, ranges, types. What is not as it
 * should be is `undefined`, and nobody's program ends over it.
 */

import {
  createEstimator,
  type Estimator,
  type EstimatorName,
  ESTIMATORS,
  SMOOTHING_KERNELS,
  type SmoothingKernel,
} from "../core/estimator.ts";
import {
  connect,
  type Loss,
  LOSSES,
  type Network,
  parseNodes,
  type Shape,
  textOfNodes,
} from "../core/network.ts";
import type { Slice } from "../core/slices.ts";

/** Numbers of this kind: a change of what messages mean is a change of it. */
export const VERSION = 1;

/** Bytes of the JSON in a message, at most. */
const MOST_JSON = 2 ** 20;
/** Samples of a batch, pieces of a gradient, and weights of a network, at most. */
const MOST_SAMPLES = 2 ** 16, MOST_PIECES = 2 ** 20, MOST_WEIGHTS = 2 ** 28;

/** What data a run is on. Which samples these are a worker has to know by itself. */
export interface DataDescription {
  /** Data that the program draws, or MNIST, or a folder that each worker has to name itself. */
  readonly source: "digits" | "mnist" | "folder";
  readonly seed: number;
  /** Training samples that are held out. */
  readonly validation?: number;
}

/** A run, as workers are told of it. */
export interface Run {
  readonly version: typeof VERSION;
  /** Tells it from all others. */
  readonly id: string;
  /** As `--network` has it, without the last layer. */
  readonly network: string;
  readonly inputs: number;
  readonly inputShape?: Shape;
  readonly classes: number;
  readonly loss: Loss;
  readonly epsilon: number;
  readonly estimator: Estimator;
  readonly batch: number;
  readonly seed: number;
  readonly sharing: boolean;
  readonly data: DataDescription;
  /** Bytes of a number that is sent: as precise as the coordinator computes. */
  readonly bytes: 4 | 8;
}

/** A worker's word: that it is there, and, once it has them, on which data. */
export interface Hello {
  readonly worker: string;
  /** What computes, for people. */
  readonly adapter: string;
  /** The run that it is ready for. */
  readonly run?: string;
  /** The sum of its data, of which it has not been told. */
  readonly fingerprint?: string;
  /** Whether it has nothing to compute. */
  readonly idle: boolean;
  readonly leaves?: boolean;
}

/** What it is told back: the run, whether it takes part, or why it does not. */
export interface Welcome {
  readonly run: Run;
  readonly accepted: boolean;
  readonly refused?: string;
}

/** A slice to be evaluated. */
export interface Job {
  readonly run: string;
  readonly step: number;
  readonly task: number;
  readonly attempt: number;
  /** Pieces of the gradient. */
  readonly first: number;
  readonly end: number;
  /** The weights' SHA-256, which they are found by, and the parts that they are kept in. */
  readonly weights: string;
  readonly parts: number;
  readonly indices: Uint32Array; // [batch]
}

/** A slice that was evaluated. */
export interface Answer extends Slice {
  readonly run: string;
  readonly step: number;
  readonly task: number;
  readonly attempt: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Anything as JSON. */
export const toJson = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value));

/** An object out of JSON; undefined where it is none. */
function fromJson(bytes: Uint8Array): Record<string, unknown> | undefined {
  if (bytes.length > MOST_JSON) return undefined;
  try {
    const value = JSON.parse(decoder.decode(bytes));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isWhole = (value: unknown, most: number, least = 0): value is number =>
  Number.isInteger(value) && value as number >= least && value as number <= most;
const isText = (value: unknown, most: number): value is string =>
  typeof value === "string" && value.length <= most;
const isOneOf = <T>(value: unknown, choices: readonly T[]): value is T =>
  choices.includes(value as T);
/** What can be part of a subject, and of a key. */
const isName = (value: unknown): value is string =>
  typeof value === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(value);
const isSum = (value: unknown): value is string =>
  typeof value === "string" && /^[0-9a-f]{64}$/.test(value);

/**
 * A worker's name.
 * @throws {TypeError} where it cannot be one.
 */
export function checkName(name: string): string {
  if (isName(name)) return name;
  throw new TypeError(
    `Cannot call a worker ${JSON.stringify(name)}: give up to 64 letters, digits, - and _`,
  );
}

/** A worker's word. */
export function readHello(bytes: Uint8Array): Hello | undefined {
  const hello = fromJson(bytes);
  if (!hello || !isName(hello.worker) || !isText(hello.adapter, 200)) return undefined;
  if (typeof hello.idle !== "boolean") return undefined;
  if (hello.run !== undefined && !isName(hello.run)) return undefined;
  if (hello.fingerprint !== undefined && !isSum(hello.fingerprint)) return undefined;
  if (hello.leaves !== undefined && typeof hello.leaves !== "boolean") return undefined;
  // Nothing of it reaches a terminal that could do anything there.
  return { ...hello, adapter: hello.adapter.replace(/[^ -~]/g, "?") } as unknown as Hello;
}

/** What a worker is told. */
export function readWelcome(bytes: Uint8Array): Welcome | undefined {
  const welcome = fromJson(bytes);
  if (!welcome || typeof welcome.accepted !== "boolean") return undefined;
  if (welcome.refused !== undefined && !isText(welcome.refused, 1000)) return undefined;
  const run = readRun(welcome.run);
  return run && { run, accepted: welcome.accepted, refused: welcome.refused };
}

/** A run that this program can compute; undefined where it is of another version, or no run. */
function readRun(value: unknown): Run | undefined {
  const run = value as Run | undefined;
  if (typeof run !== "object" || run === null || run.version !== VERSION) return undefined;
  const { estimator, data, inputShape } = run;
  if (!isName(run.id) || !isText(run.network, 10_000)) return undefined;
  if (!isWhole(run.inputs, MOST_WEIGHTS, 1) || !isWhole(run.classes, 65_536, 1)) return undefined;
  const isShape = Array.isArray(inputShape) && inputShape.length <= 3 &&
    inputShape.every((side) => isWhole(side, MOST_WEIGHTS, 1));
  if (inputShape !== undefined && !isShape) return undefined;
  if (!isOneOf(run.loss, LOSSES) || !Number.isFinite(run.epsilon)) return undefined;
  if (!isWhole(run.batch, MOST_SAMPLES, 1) || !isWhole(run.seed, 2 ** 32 - 1)) return undefined;
  if (typeof run.sharing !== "boolean" || !isOneOf(run.bytes, [4, 8] as const)) return undefined;
  if (!isOneOf(data?.source, ["digits", "mnist", "folder"])) return undefined;
  if (!isWhole(data.seed, 2 ** 32 - 1)) return undefined;
  if (data.validation !== undefined && !isWhole(data.validation, 2 ** 31, 1)) return undefined;
  if (!isOneOf(estimator?.name, ESTIMATORS)) return undefined;
  try {
    return { ...run, estimator: estimatorOf(estimator) };
  } catch {
    return undefined;
  }
}

/** An estimator that was made of these numbers. */
function estimatorOf({ name, h, queries, smoothing }: Estimator): Estimator {
  const kernel = smoothing?.kernel as SmoothingKernel | undefined;
  if (kernel !== undefined && !isOneOf(kernel, SMOOTHING_KERNELS)) throw new RangeError();
  if (queries > MOST_PIECES) throw new RangeError();
  return createEstimator(name as EstimatorName, h, name === "spsa" ? queries : 1, {
    kernel,
    points: smoothing?.points,
  });
}

/**
 * The network of a run.
 * @throws {RangeError | TypeError} where its text is none of this program's, or it is too large.
 */
export function networkOf(
  { network, inputs, inputShape, classes, loss, epsilon }: Pick<
    Run,
    "network" | "inputs" | "inputShape" | "classes" | "loss" | "epsilon"
  >,
): Network {
  const nodes = network === "" ? [] : parseNodes(network);
  return connect({ inputs, inputShape, classes, nodes, loss, epsilon });
}

/**
 * A network as workers are told of it.
 * @throws {TypeError} where no text says it: where branches join, or it came from elsewhere.
 */
export function textOfNetwork(network: Network): string {
  const text = textOfNodes(network.nodes);
  const plain = ({ layers }: Network) => JSON.stringify(layers);
  try {
    if (plain(networkOf({ ...network, network: text })) === plain(network)) return text;
  } catch { /* then it is no such text */ }
  throw new TypeError(
    `Cannot share out this network: workers are told of chains as --network takes them; leave ` +
      `--nats out, or give --network`,
  );
}

export const writeJob = (job: Job): Uint8Array => toJson({ ...job, indices: [...job.indices] });

/** A job; undefined where it is none, or not of a batch of this run. */
export function readJob(bytes: Uint8Array, { id, batch }: Run, samples: number): Job | undefined {
  const job = fromJson(bytes);
  if (!job || job.run !== id || !isSum(job.weights)) return undefined;
  if (!isWhole(job.step, 2 ** 40) || !isWhole(job.task, MOST_PIECES)) return undefined;
  if (!isWhole(job.attempt, 2 ** 20) || !isWhole(job.parts, 2 ** 12, 1)) return undefined;
  if (!isWhole(job.end, MOST_PIECES) || !isWhole(job.first, job.end)) return undefined;
  const { indices } = job;
  if (!Array.isArray(indices) || indices.length !== batch) return undefined;
  if (!indices.every((index) => isWhole(index, samples - 1))) return undefined;
  return { ...job, indices: Uint32Array.from(indices) } as unknown as Job;
}

/** Numbers as they are sent, little-endian as all machines that this runs on have them. */
export function toBytes(numbers: Float64Array, bytes: 4 | 8): Uint8Array {
  const array = bytes === 4 ? Float32Array.from(numbers) : numbers;
  return new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
}

/** The numbers that were sent. */
export function fromBytes(data: Uint8Array, bytes: 4 | 8): Float64Array {
  const copy = data.slice().buffer; // where it begins at a whole number
  return bytes === 4 ? Float64Array.from(new Float32Array(copy)) : new Float64Array(copy);
}

/** An answer: the length of its JSON in 4 bytes, the JSON, the numbers. */
export function writeAnswer({ values, ...rest }: Answer, bytes: 4 | 8): Uint8Array {
  const json = toJson(rest), numbers = toBytes(values, bytes);
  const message = new Uint8Array(4 + json.length + numbers.length);
  new DataView(message.buffer).setUint32(0, json.length, true);
  message.set(json, 4);
  message.set(numbers, 4 + json.length);
  return message;
}

/** Why a message is no answer to what was asked. */
export class NoAnswer extends Error {}

/**
 * An answer.
 * @param size of a task's values; undefined where there is no such task.
 * @throws {NoAnswer} saying what is wrong with it.
 */
export function readAnswer(
  data: Uint8Array,
  { id, bytes }: Run,
  size: (answer: Omit<Answer, "values">) => number | undefined,
): Answer {
  const length = data.length < 4
    ? 0
    : new DataView(data.buffer, data.byteOffset, 4).getUint32(0, true);
  const answer = length > 4096 ? undefined : fromJson(data.subarray(4, 4 + length));
  if (
    !answer || answer.run !== id || !isWhole(answer.step, 2 ** 40) ||
    !isWhole(answer.task, MOST_PIECES) || !isWhole(answer.attempt, 2 ** 20)
  ) throw new NoAnswer("it is no answer of this run");
  // JSON has no NaN: it says null.
  const head = { ...answer, loss: Number(answer.loss ?? NaN) } as unknown as Answer;
  const expected = size(head);
  if (expected === undefined) {
    throw new NoAnswer(
      `it is for step ${head.step}, task ${head.task}, which it was not asked for`,
    );
  }
  const numbers = data.subarray(4 + length);
  if (numbers.length !== expected * bytes) {
    throw new NoAnswer(`it has ${numbers.length} bytes of numbers instead of ${expected * bytes}`);
  }
  return { ...head, values: fromBytes(numbers, bytes) };
}
