/**
 * `gradient`: weights and a batch from one file, gradients into another; and gradients of other
 * origin, found in the same file, compared with ours tensor by tensor.
 */

import { type Backend, openEngine } from "../backend.ts";
import { notFinite } from "../core/finite.ts";
import { type Network, type Shape, shapeOf, sizeOfShape, textOfShape } from "../core/network.ts";
import { planFor } from "../cpu/work.ts";
import { readTensors, type Tensors, writeTensors } from "../data/tensors.ts";
import {
  affixed,
  asTensors,
  batchIn,
  inLayout,
  type Layout,
  namedLikeWeights,
  onlyLayout,
  sampleShapeIn,
  throughSamples,
  turned,
} from "../data/weights.ts";
import type { Engine, EngineOptions } from "../engine.ts";
import { CHECK_STEP, examine, NotFinite, type Problem } from "../method/checked.ts";
import { roundingNotice } from "../method/rounding.ts";
import { placesByName, placesOfNodes, shapeOfValue } from "../method/values.ts";
import { EXIT } from "./errors.ts";
import { claimTensorFile, readWhole, writeWhole } from "./files.ts";
import { engineOptionsOf, type Given, type Options, tellSkipped } from "./options.ts";
import { type Loaded, loadWeights, namesLine, networkIn } from "./weights.ts";

/**
 * What gradients to be checked are named like, in front of W1 or behind it, where nothing is said: as
 * many R programs name them, and as PyTorch does.
 */
const DEFAULT_AFFIXES = ["GB", ".grad"];

/** What gradients of values inside the network are named like, in front of the value's name. */
const VALUE_PREFIX = "d.";

/**
 * Multiplications with additions of a check that the CPU does in float64, at most, before it is worth
 * the start of a GPU: some two seconds of work.
 */
const MOST_ON_CPU = 2e9;

export interface GradientOptions extends Options {
  input: string;
  out?: string;
  check?: string;
  rtol: number;
  elements?: number;
  budget?: number;
}

/** The network, the batch and the gradients to be checked, out of a file's tensors. */
function readAll(tensors: Tensors, options: GradientOptions, model: Loaded | undefined) {
  const affixes = options.check === undefined ? DEFAULT_AFFIXES : [options.check];
  const weights = (layout: Layout): Pick<Loaded, "network" | "parameters" | "names"> => {
    if (model) return model;
    const read = (inputShape?: Shape) =>
      networkIn(tensors, { ...options, inputShape }, options.input, layout, affixes[0]);
    const said = sampleShapeIn(tensors, layout);
    if (options.inputShape || !said) return read(options.inputShape);
    return throughSamples(said, () => read(said));
  };
  // The weights mostly tell the layout by themselves; what else is wrong is then said more simply.
  const layout = options.layout ?? (model ? undefined : onlyLayout(weights));
  return inLayout(options.input, layout, (layout) => {
    const { network, parameters, names } = weights(layout);
    const samples = batchIn(tensors, layout, network);
    const found = affixes.map((affix) =>
      [affix, namedLikeWeights(tensors, affix, network, layout, names)] as const
    );
    const [affix, theirs] = found.find(([, { size }]) => size > 0) ?? found[0];
    return { network, parameters, names, samples, affix, theirs };
  });
}

/** The gradients of values inside the network that a file holds, as in the network. */
function valuesIn(
  tensors: Tensors,
  { network, onnx }: Pick<Loaded, "network" | "onnx">,
  batch: number,
  layout: Layout,
): NonNullable<Problem["values"]> {
  const named = placesByName(network), nodes = placesOfNodes(network);
  for (const [name, node] of onnx?.values ?? []) named.set(name, nodes[node]);
  return new Map([...tensors].flatMap(([full, tensor]) => {
    if (!full.startsWith(VALUE_PREFIX)) return [];
    const name = full.slice(VALUE_PREFIX.length), place = named.get(name);
    if (!place) {
      console.error(
        `Note: ${full} is not checked: there is no value ${name}, but ${
          [...named.keys()].join(", ")
        }`,
      );
      return [];
    }
    const { data } = layout === "r" ? turned(tensor) : tensor;
    const shape = shapeOfValue(network, place, batch);
    if (data.length !== sizeOfShape(shape)) {
      throw new TypeError(
        `Cannot check ${full}: it is ${textOfShape(tensor.shape)} where ${name} is ` +
          `${textOfShape(shape)}; give it for each sample of the batch`,
      );
    }
    return [[full, { place, data }] as const];
  }));
}

/** Says that a gradient is none, and how the command ends. */
function refuseNotFinite(bad: string, input: string, json: boolean | undefined, about: object) {
  console.error(
    `Cannot use the gradient of ${input}: ${bad}; use a smaller h, or other weights or data`,
  );
  if (json) console.log(JSON.stringify({ ok: false, notFinite: bad, ...about }));
  return EXIT.failed;
}

/**
 * Runs the command; the exit code tells whether the gradients that were checked are right. A gradient
 * that is not finite everywhere is neither written nor compared.
 */
export async function runGradient(given: GradientOptions, isGiven: Given): Promise<number> {
  const { input, out, json, check } = given;
  const tell = (line: string) => json ? console.error(line) : console.log(line);
  if (!(given.rtol > 0)) {
    throw new RangeError(`Cannot check to a tolerance of ${given.rtol}: give a positive number`);
  }
  if (out !== undefined) await claimTensorFile(out);
  const tensors = await readTensors(await readWhole(input), input);
  const model = given.model === undefined
    ? undefined
    : await loadWeights(given.model, given, isGiven, () => Promise.reject()); // it says its shape
  const options = { ...given, ...model?.options };
  const read = readAll(tensors, options, model);
  const { layout, value: { network, samples, names, affix, theirs } } = read;
  tellSkipped(network);
  const called = namesLine(names, given.model ?? input);
  if (called) tell(called);
  const values = valuesIn(tensors, { network, onnx: model?.onnx }, samples.count, layout);
  const isChecked = theirs.size + values.size > 0;
  if (check !== undefined && theirs.size === 0) {
    throw new TypeError(`Cannot check ${input}: it has no ${check}${names.get("W1")!.name}, ...`);
  }
  if (out === undefined && !isChecked) {
    throw new TypeError(
      `Cannot do anything with the gradient: give --out FILE, or put gradients to be checked into ` +
        `${input} as GB${names.get("W1")!.name} or ${names.get("W1")!.name}.grad, ...`,
    );
  }
  const h = options.h ?? (isChecked ? CHECK_STEP : undefined);
  const engineOptions = engineOptionsOf({ ...options, h, batch: samples.count }, network, samples);
  const about = {
    samples: samples.count,
    engine: options.engine,
    h: engineOptions.estimator.h,
    estimator: options.estimator,
  };
  let written: Written | undefined;
  if (out !== undefined) {
    written = await write(out, read, tensors, options, engineOptions, tell);
    if (written.bad !== undefined) {
      return refuseNotFinite(written.bad, input, json, { ...about, ...written.by });
    }
  }
  if (!isChecked) {
    const { by, loss } = written!;
    if (json) console.log(JSON.stringify({ loss, ...about, ...by }));
    else tellOf(network, samples.count, input, options.engine, by.adapter, loss, tell);
    if (!json) tell(`Wrote ${out}.`);
    return EXIT.done;
  }
  try {
    const report = await examine({
      network,
      parameters: read.value.parameters,
      samples,
      gradients: theirs,
      called: new Map(
        [...names].map(([ours, { name, shape, turned }]) =>
          [ours, { name: affixed(tensors, affix, name) ?? name, shape, turned }] as const
        ),
      ),
      values,
      h: engineOptions.estimator.h,
      tolerance: options.rtol,
      elements: options.elements,
      budget: options.budget,
      seed: options.seed,
      engine: engineOptions,
      open: openerFor(engineOptions, options.backend, tell),
    });
    const { ok, loss, adapter } = report;
    if (json) {
      console.log(JSON.stringify({ ...report, ...about, rtol: options.rtol }));
    } else {
      tellOf(network, samples.count, input, options.engine, adapter, loss, tell);
      if (out !== undefined) tell(`Wrote ${out}.`);
      tell(report.text());
    }
    return ok ? EXIT.done : EXIT.failed;
  } catch (error) {
    if (!(error instanceof NotFinite)) throw error;
    return refuseNotFinite(error.reason, input, json, about);
  }
}

/** What computes a check: a GPU where it is asked for, or where there is much to do. */
function openerFor(
  options: EngineOptions,
  backend: Backend,
  tell: (line: string) => void,
): Problem["open"] {
  const isShort = planFor(options).multiplyAdds <= MOST_ON_CPU;
  const isOnCpu = backend === "cpu" || (backend === "auto" && isShort);
  return isOnCpu ? undefined : (options) => openEngine(options, backend, tell);
}

/** The first line of what is printed. */
function tellOf(
  network: Network,
  samples: number,
  input: string,
  engine: string,
  adapter: string,
  loss: number,
  tell: (line: string) => void,
): void {
  tell(
    `Gradient of ${shapeOf(network)} over the ${samples} samples of ${input}: loss ` +
      `${loss.toFixed(6)} (engine ${engine} on ${adapter})`,
  );
}

/** What became of a gradient that was to be written. */
interface Written {
  /** What of it is no finite number; it is then not written. */
  readonly bad?: string;
  readonly loss: number;
  readonly by: Pick<Engine, "backend" | "adapter">;
}

/** Evaluates the whole gradient and writes it. */
async function write(
  out: string,
  { layout, value: { network, parameters, names } }: ReturnType<typeof readAll>,
  tensors: Tensors,
  options: Options,
  engineOptions: EngineOptions,
  tell: (line: string) => void,
): Promise<Written> {
  using engine = await openEngine(engineOptions, options.backend, tell);
  engine.setParameters(parameters);
  const notice = roundingNotice(engineOptions, engine, parameters);
  if (notice) tell(notice);
  const evaluated = await engine.gradient(
    Uint32Array.from({ length: engineOptions.batch }, (_, n) => n),
  );
  const { backend, adapter } = engine, { loss, gradient } = evaluated;
  const bad = notFinite(network, evaluated);
  if (bad === undefined) {
    const written = asTensors(network, gradient, layout, tensors, names);
    await writeWhole(out, await writeTensors(written, out));
  }
  return { bad, loss, by: { backend, adapter } };
}
