/** `gradcheck`: an engine's gradient against float64, tensor by tensor, at one h or over many. */

import { openEngine } from "../backend.ts";
import { hasSteps } from "../core/estimator.ts";
import { createRandom } from "../core/generators.ts";
import { notFinite } from "../core/finite.ts";
import { initialParameters } from "../core/initialization.ts";
import { parameterTensors, shapeOf } from "../core/network.ts";
import { CpuEngine } from "../cpu/engine.ts";
import { forward, gather } from "../cpu/forward.ts";
import { freedomOf } from "../cpu/freedom.ts";
import { kinksOf } from "../cpu/kinks.ts";
import { selectSamples } from "../data/samples.ts";
import type { Engine, EngineOptions } from "../engine.ts";
import { CHECK_STEP } from "../method/checked.ts";
import { compare, compareGradients, judge, type Judged } from "../method/gradcheck.ts";
import { tableLines } from "../method/table.ts";
import { checkTraining, train } from "../method/training.ts";
import { openTo, type Reference } from "../method/verdict.ts";
import { loadDataSet } from "./datasets.ts";
import { EXIT } from "./errors.ts";
import {
  engineOptionsOf,
  estimatorOf,
  type Given,
  networkFor,
  type Options,
  tellSkipped,
  trainingOf,
} from "./options.ts";
import { losses } from "../operations/registry.ts";
import { checkFitsData, type Loaded, loadWeights, namesLine } from "./weights.ts";

/** The steps that a sweep goes through. */
const SWEEP = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7];

/** Weights and a batch at which gradients are compared. */
interface Place {
  readonly parameters: Float64Array; // [parameters]
  /** Engine options whose samples are the batch alone. */
  readonly options: EngineOptions;
}

/** Runs the command; the exit code tells whether all is within the tolerance. */
export async function runGradcheck(
  given: Options & { rtol: number; sweep?: boolean },
  isGiven: Given,
): Promise<number> {
  const tell = (line: string) => given.json ? console.error(line) : console.log(line);
  const load = ({ data, seed }: Options) => loadDataSet(data, { seed, tell });
  const file = given.weights ?? given.model;
  const loaded = file === undefined ? undefined : await loadWeights(file, given, isGiven, load);
  const options = { ...given, ...loaded?.options };
  const called = loaded && namesLine(loaded.names, file!);
  if (called) tell(called);
  if (!(options.rtol > 0)) {
    throw new RangeError(`Cannot check to a tolerance of ${options.rtol}: give a positive number`);
  }
  const place = await reach(options, loaded, tell);
  const isStrict = isGiven("rtol" as keyof Options);
  try {
    return options.sweep
      ? await sweep(options, place, tell)
      : await check(options, place, isStrict, tell);
  } catch (error) {
    if (!(error instanceof NotFinite)) throw error;
    console.error(`Cannot compare gradients: ${error.message}; use a smaller h, or other weights`);
    if (options.json) console.log(JSON.stringify({ ok: false, notFinite: error.message }));
    return EXIT.failed;
  }
}

/** Fresh weights or those of a file, after `--steps` steps, and the next batch. */
async function reach(
  options: Options,
  loaded: Loaded | undefined,
  tell: (line: string) => void,
): Promise<Place> {
  const random = createRandom(options.rng, options.seed);
  const steps = Math.max(1, options.steps);
  const training = { ...trainingOf(options), steps, evalEvery: steps };
  checkTraining(training, Infinity); // before any data is fetched
  const data = loaded?.data ?? await loadDataSet(options.data, { seed: options.seed, tell });
  checkTraining(training, data.train.count);
  if (loaded) checkFitsData(loaded.network, data, (options.weights ?? options.model)!);
  const network = loaded?.network ?? networkFor(options, data);
  tellSkipped(network);
  const engineOptions = engineOptionsOf(options, network, data.train);
  // Training is as it would be; what is checked are short nudges, which cross next to no kink.
  const isStepped = hasSteps(network.nodes) || !losses[network.loss].isSmooth;
  const h = options.h ?? (isStepped ? undefined : CHECK_STEP);
  const estimator = estimatorOf({ ...options, h });
  let parameters = loaded?.parameters ?? initialParameters(network, options.init, random);
  if (options.steps > 0) {
    using engine = await openEngine(engineOptions, options.backend, tell);
    engine.setParameters(parameters);
    for await (const _ of train(engine, data, random, training));
    parameters = await engine.parameters();
  }
  const samples = selectSamples(data.train, random.sample(data.train.count, options.batch));
  tell(
    `Gradient of ${shapeOf(network)} after ${options.steps} steps, over ${options.batch} samples ` +
      `of ${data.name}`,
  );
  return { parameters, options: { ...engineOptions, estimator, samples } };
}

/** The numbers of all samples of a batch. */
const indicesOf = (batch: number) => Uint32Array.from({ length: batch }, (_, n) => n);

/** A gradient that is not finite everywhere: there is nothing to compare. */
class NotFinite extends Error {}

/**
 * The gradient over the whole batch.
 * @throws {NotFinite} naming the engine and the element.
 */
async function gradientOf(
  engine: Engine,
  { network, method, batch, estimator: { h } }: EngineOptions,
  parameters: Float64Array, // [parameters]
): Promise<Float64Array> {
  engine.setParameters(parameters);
  const evaluated = await engine.gradient(indicesOf(batch));
  const bad = notFinite(network, evaluated);
  if (bad === undefined) return evaluated.gradient;
  throw new NotFinite(`${bad} (h = ${h}, engine ${method} on ${engine.adapter})`);
}

/** The gradient in float64, whose copies share what they can. */
async function reference({ parameters, options }: Place, method: EngineOptions["method"]) {
  using cpu = new CpuEngine({ ...options, method, sharing: true });
  return await gradientOf(cpu, { ...options, method }, parameters);
}

/** Compares one engine at one h, tensor by tensor. */
async function check(
  { json, rtol, backend, engine: method }: Options & { rtol: number },
  place: Place,
  isStrict: boolean,
  tell: (line: string) => void,
): Promise<number> {
  const { options, parameters } = place, { h } = options.estimator;
  using engine = await openEngine(options, backend, tell);
  const gradient = await gradientOf(engine, options, parameters);
  const ours = await reference(place, "differences");
  const backprop = compareGradients(options.network, gradient, await reference(place, "backprop"));
  const { reference: open, rounding } = openAt(place, ours);
  const tolerances = rounding.map((most) => isStrict ? rtol : Math.max(rtol, ENGINE_SHARE * most));
  const tensors = judge(options.network, gradient, open, tolerances)
    .map((tensor, i) => ({ ...tensor, backpropRelativeError: backprop[i].relativeError }));
  const ok = tensors.every(({ verdict }) => verdict !== "off");
  if (json) {
    const { backend, adapter } = engine;
    console.log(JSON.stringify({ ok, h, engine: method, backend, adapter, rtol, tensors }));
    return ok ? EXIT.done : EXIT.failed;
  }
  tell(
    `h = ${h}, engine ${method} on ${engine.adapter}: relative error against float64 at the same ` +
      `h, and distance from backprop`,
  );
  judgedLines(tensors).forEach(tell);
  if (tensors.some(({ verdict }) => verdict === "kinks")) {
    tell("Where kinks decide, the engine is between the slopes on either side of them.");
  }
  const largest = Math.max(...tolerances);
  const more = largest > rtol ? `, or ${largest.toPrecision(2)} where float32 rounds more` : "";
  tell(
    ok ? `Every tensor is within ${rtol}${more}.` : `Not every tensor is within ${rtol}${more}.`,
  );
  return ok ? EXIT.done : EXIT.failed;
}

/**
 * Of what rounding in float32 may come to at most, the share that an engine is allowed where no
 * tolerance is given: deep and trained networks round more than the usual one leaves room for.
 */
const ENGINE_SHARE = 1 / 8;

/**
 * The reference, and what kinks leave open of a float32 engine's gradient. Of steps nothing: a flip is counted or not,
 * and whoever counts others is wrong.
 */
function openAt({ parameters, options }: Place, ours: Float64Array): {
  reference: Reference;
  /** The most that rounding may come to, relative to each tensor's norm. */
  rounding: number[]; // [tensors]
} {
  const { network, samples, batch, estimator: { h } } = options, size = network.parameters;
  const trace = forward(network, parameters, gather(samples, indicesOf(batch)));
  const at = { network, parameters, trace };
  const freedom = freedomOf(at, false), rounded = freedomOf(at).above;
  const rounding = parameterTensors(network).map(({ offset, size }) => {
    let noise = 0, norm = 0;
    for (let i = offset; i < offset + size; i++) {
      noise += (rounded[i] - freedom.above[i]) ** 2;
      norm += ours[i] ** 2;
    }
    return norm > 0 ? Math.sqrt(noise / norm) : 0;
  });
  if (hasSteps(network.nodes)) {
    return {
      reference: {
        ours,
        crossed: new Uint32Array(size),
        below: new Float64Array(size),
        above: new Float64Array(size),
      },
      rounding: rounding.map(() => 0),
    };
  }
  const reference = { ours, ...kinksOf(at, h) };
  openTo(reference, freedom.derivatives.gradient, freedom);
  return { reference, rounding };
}

/** A line a tensor. */
function judgedLines(tensors: readonly (Judged & { backpropRelativeError: number })[]): string[] {
  const hasKinks = tensors.some(({ kinks }) => kinks > 0);
  const head = ["tensor", "shape", "relative error", "largest difference", "at", "from backprop"];
  return tableLines([
    [...head, ...hasKinks ? ["kinks"] : [], "verdict"],
    ...tensors.map((tensor) => [
      tensor.name,
      tensor.shape.join("x"),
      tensor.relativeError.toExponential(2),
      tensor.maxAbsDifference.toExponential(2),
      `[${tensor.at.join(",")}]`,
      tensor.backpropRelativeError.toExponential(2),
      ...hasKinks ? [`${tensor.kinks}`] : [],
      tensor.verdict === "off" ? "OFF" : tensor.verdict,
    ]),
  ]);
}

/**
 * Compares both numerical engines over many h: what float32 leaves of a difference of whole losses,
 * and of exact changes. The differences engine alone has to be within the tolerance.
 */
async function sweep(
  { json, rtol, backend }: Options & { rtol: number },
  place: Place,
  tell: (line: string) => void,
): Promise<number> {
  const { options, parameters } = place;
  let adapter = "", used = "";
  const rows = [];
  for (const h of SWEEP) {
    const at: EngineOptions = {
      ...options,
      estimator: { ...options.estimator, h },
    };
    const exact = await reference({ parameters, options: at }, "differences");
    const error = async (method: "differences" | "copies") => {
      using engine = await openEngine({ ...at, method }, backend, tell);
      const gradient = await gradientOf(engine, { ...at, method }, parameters);
      ({ adapter, backend: used } = engine);
      return {
        relativeError: compare("all", [gradient.length], gradient, exact).relativeError,
        tensors: compareGradients(at.network, gradient, exact),
      };
    };
    const row = { h, differences: await error("differences"), copies: await error("copies") };
    rows.push(row);
    console.error(`h = ${h} is done`);
  }
  const ok = rows.every((row) => row.differences.relativeError <= rtol);
  if (json) {
    console.log(JSON.stringify({ ok, backend: used, adapter, rtol, sweep: rows }));
    return ok ? EXIT.done : EXIT.failed;
  }
  tell(`Relative error against float64 central differences at the same h, on ${adapter}:`);
  const figures = rows.map(({ h, differences, copies }) => [
    h.toExponential(),
    differences.relativeError.toExponential(1),
    copies.relativeError.toExponential(1),
  ]);
  tableLines([["h", "differences", "copies"], ...figures]).forEach(tell);
  tell(
    ok
      ? `The differences engine is within ${rtol} at every h.`
      : `The differences engine is not within ${rtol} at every h.`,
  );
  return ok ? EXIT.done : EXIT.failed;
}
