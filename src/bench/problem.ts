/** What is timed: the tutorial's network and others like it, trained by an engine, and checked. */

import { Gpu, GpuEngine } from "../gpu/engine.ts";
import {
  type Activation,
  type Backend,
  compareGradients,
  createEstimator,
  createNetwork,
  type DataSet,
  type Engine,
  type EngineOptions,
  type Initialization,
  initialParameters,
  type Method,
  type Network,
  openEngine,
  train,
  Xoshiro,
} from "../mod.ts";
import { type Setting, Skip, WrongResult } from "./measurement.ts";

/** Learning rate of every training run here. */
export const RATE = 0.1;
/** Steps whose losses are compared. */
const CHECKED_STEPS = 5;
/** Largest relative error of a gradient in float32: measured 1e-7 to 4e-7, of exact differences. */
export const TOLERANCE = 1e-6;

/** A network with its first weights, and the samples to train it on. */
export interface Problem {
  readonly network: Network;
  readonly parameters: Float64Array; // [parameters]
  readonly data: DataSet;
  readonly batch: number;
  /** The step of the difference. */
  readonly h: number;
  /** Whether copies share what they have in common; default true. */
  readonly sharing?: boolean;
}

/** The tutorial's problem, or another width, depth or batch; smaller where it is only tried out. */
export function createProblem(
  { data, smoke }: Setting,
  { hidden = [50], activation, batch = 100, h = 1e-4, init = 0.01 }: {
    hidden?: readonly number[];
    activation?: Activation;
    batch?: number;
    h?: number;
    init?: Initialization;
  } = {},
): Problem {
  const { inputs, classes } = data;
  const widths = smoke ? hidden.map((width) => Math.ceil(width / 10)) : hidden;
  const network = createNetwork({ inputs, hidden: widths, classes, activation });
  const parameters = initialParameters(network, init, new Xoshiro(1));
  return { network, parameters, data, batch: smoke ? Math.ceil(batch / 10) : batch, h };
}

/** The batches of a run, step by step, the same for everyone. */
export function* batchesOf({ data, batch }: Problem): Generator<Uint32Array, never> {
  const random = new Xoshiro(2);
  while (true) yield random.sample(data.train.count, batch);
}

/** The first batches in one array. */
function firstBatches(problem: Problem, steps: number): Uint32Array { // [steps, batch]
  const batches = batchesOf(problem);
  return Uint32Array.from(
    Array.from({ length: steps }, () => [...batches.next().value]).flat(),
  );
}

/** What an engine for a problem is told. */
function optionsOf({ network, data, batch, h, sharing }: Problem, method: Method): EngineOptions {
  return {
    network,
    method,
    estimator: createEstimator("central", h),
    optimizer: { name: "sgd", weightDecay: 0 },
    samples: data.train,
    batch,
    seed: 1,
    sharing,
  };
}

/**
 * Opens an engine, with the problem's weights in place.
 * @throws {Skip} where there is no adapter for it.
 */
export async function open(
  problem: Problem,
  method: Method,
  backend: Backend = "webgpu",
): Promise<Engine> {
  const engine = await openEngine(optionsOf(problem, method), backend).catch((error) => {
    throw /no adapter/.test(error.message) ? new Skip("there is no WebGPU adapter") : error;
  });
  engine.setParameters(problem.parameters);
  return engine;
}

/** Opens an engine on a device at hand, which it owns: one whose commands can be timed. */
export function openOn(gpu: Gpu, problem: Problem, method: Method): GpuEngine {
  const engine = new GpuEngine(gpu, optionsOf(problem, method));
  engine.setParameters(problem.parameters);
  return engine;
}

/** The device, for what no engine does. It is to be disposed of. */
export async function openGpu(): Promise<Gpu> {
  const gpu = await Gpu.open();
  if (!gpu) throw new Skip("there is no WebGPU adapter");
  return gpu;
}

/** Milliseconds a step through the training loop, from the problem's weights: all that a step is. */
export async function trainingTime(
  engine: Engine,
  { data, parameters, batch }: Problem,
  steps: number,
): Promise<number> {
  engine.setParameters(parameters);
  let milliseconds = 0;
  const run = { steps, batch, learningRate: RATE, schedule: "constant", evalEvery: steps } as const;
  for await (const event of train(engine, data, new Xoshiro(2), run)) {
    if (event.kind === "steps") milliseconds += event.milliseconds;
  }
  return milliseconds / steps;
}

/** Takes steps of the engine in one group; gives the milliseconds that a step took. */
export async function groupTime(engine: Engine, problem: Problem, steps: number): Promise<number> {
  const indices = firstBatches(problem, steps), rates = new Float64Array(steps).fill(RATE);
  const started = performance.now();
  await engine.train(indices, rates);
  return (performance.now() - started) / steps;
}

/** The gradient of the first batch in float64. */
export async function referenceGradient(problem: Problem, method: Method): Promise<Float64Array> {
  using reference = await open(problem, method, "cpu");
  return (await reference.gradient(firstBatches(problem, 1))).gradient;
}

/** The losses of the first steps in float64, by backpropagation. */
export async function referenceLosses(problem: Problem): Promise<Float64Array> {
  using reference = await open(problem, "backprop", "cpu");
  const rates = new Float64Array(CHECKED_STEPS).fill(RATE);
  return await reference.train(firstBatches(problem, CHECKED_STEPS), rates);
}

/**
 * Compares losses with those of the first steps in float64.
 * @throws {WrongResult} when the largest relative difference is above the tolerance.
 */
export function checkLosses(
  who: string,
  losses: ArrayLike<number>,
  expected: Float64Array,
  tolerance: number,
): string {
  const distance = Math.max(
    ...expected.map((loss, step) => Math.abs((losses[step] ?? NaN) / loss - 1)),
  );
  if (!(distance <= tolerance)) {
    throw new WrongResult(
      `the losses of ${who} are off by ${distance.toExponential(1)}: ` +
        `${Array.from(losses).join(", ")} instead of ${expected.join(", ")}`,
    );
  }
  return `losses of the first ${expected.length} steps of ${who} within ` +
    `${distance.toExponential(1)} of float64's`;
}

/**
 * Compares an engine's gradient with float64's, tensor by tensor, and the losses of its first
 * steps. The reference is backpropagation, which differs from central differences by less than
 * 1e-8 at the h of training; or, for an h where that is not so, exact differences at the same h.
 * Losses are those of backpropagation, and compared where that is the reference.
 * @throws {WrongResult} with the tensor, or the losses.
 */
export async function checkEngine(
  engine: Engine,
  problem: Problem,
  { who, reference = "backprop", tolerance = TOLERANCE, losses = reference === "backprop" }: {
    who: string;
    reference?: Method;
    tolerance?: number;
    losses?: boolean;
  },
): Promise<string> {
  const { network, parameters } = problem;
  const { gradient } = await engine.gradient(firstBatches(problem, 1));
  const comparisons = compareGradients(
    network,
    gradient,
    await referenceGradient(problem, reference),
  );
  for (const { name, relativeError, maxAbsDifference, at } of comparisons) {
    if (relativeError <= tolerance) continue;
    throw new WrongResult(
      `the gradient of ${who} is wrong: ${name} has a relative error of ` +
        `${relativeError.toExponential(1)}, the largest difference, ` +
        `${maxAbsDifference.toExponential(1)}, at [${at}]`,
    );
  }
  const worst = Math.max(...comparisons.map(({ relativeError }) => relativeError));
  const right = `gradient of ${who} within ${worst.toExponential(1)} of float64's`;
  if (!losses) return right;
  const rates = new Float64Array(CHECKED_STEPS).fill(RATE);
  const trained = await engine.train(firstBatches(problem, CHECKED_STEPS), rates);
  engine.setParameters(parameters);
  return `${right}, ${checkLosses(who, trained, await referenceLosses(problem), TOLERANCE)}`;
}
