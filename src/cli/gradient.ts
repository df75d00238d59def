/**
 * `gradient`: weights and a batch from one file, gradients into another; and gradients of other
 * origin, found in the same file, compared with ours tensor by tensor.
 */

import { openEngine } from "../backend.ts";
import { notFinite } from "../core/finite.ts";
import { parameterTensors, type Shape, shapeOf } from "../core/network.ts";
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
import { compare } from "../method/gradcheck.ts";
import { roundingNotice } from "../method/rounding.ts";
import { EXIT } from "./errors.ts";
import { claimTensorFile, readWhole, writeWhole } from "./files.ts";
import { engineOptionsOf, type Given, type Options, tellSkipped } from "./options.ts";
import { comparisonLines } from "./table.ts";
import { type Loaded, loadWeights, namesLine, networkIn } from "./weights.ts";

/**
 * What gradients to be checked are named like, in front of W1 or behind it, where nothing is said: as
 * many R programs name them, and as PyTorch does.
 */
const DEFAULT_AFFIXES = ["GB", ".grad"];

export interface GradientOptions extends Options {
  input: string;
  out?: string;
  check?: string;
  rtol: number;
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

/**
 * Runs the command; the exit code tells whether the gradients that were checked are right. A gradient
 * that is not finite everywhere is neither written nor compared.
 */
export async function runGradient(given: GradientOptions, isGiven: Given): Promise<number> {
  const { input, out, json, rtol, check } = given;
  const tell = (line: string) => json ? console.error(line) : console.log(line);
  if (!(rtol > 0)) {
    throw new RangeError(`Cannot check to a tolerance of ${rtol}: give a positive number`);
  }
  if (out !== undefined) await claimTensorFile(out);
  const tensors = await readTensors(await readWhole(input), input);
  const model = given.model === undefined
    ? undefined
    : await loadWeights(given.model, given, isGiven, () => Promise.reject()); // it says its shape
  const options = { ...given, ...model?.options };
  const { layout, value: { network, parameters, names, samples, affix, theirs } } = readAll(
    tensors,
    options,
    model,
  );
  tellSkipped(network);
  const called = namesLine(names, given.model ?? input);
  if (called) tell(called);
  if (check !== undefined && theirs.size === 0) {
    throw new TypeError(`Cannot check ${input}: it has no ${check}${names.get("W1")!.name}, ...`);
  }
  if (out === undefined && theirs.size === 0) {
    throw new TypeError(
      `Cannot do anything with the gradient: give --out FILE, or put gradients to be checked into ` +
        `${input} as GB${names.get("W1")!.name} or ${names.get("W1")!.name}.grad, ...`,
    );
  }

  const engineOptions = engineOptionsOf({ ...options, batch: samples.count }, network, samples);
  using engine = await openEngine(engineOptions, options.backend, tell);
  engine.setParameters(parameters);
  const notice = roundingNotice(engineOptions, engine, parameters);
  if (notice) tell(notice);
  const evaluated = await engine.gradient(
    Uint32Array.from({ length: samples.count }, (_, n) => n),
  );
  const about = {
    samples: samples.count,
    backend: engine.backend,
    adapter: engine.adapter,
    engine: options.engine,
    h: options.h,
    estimator: options.estimator,
  };
  const bad = notFinite(network, evaluated);
  if (bad !== undefined) {
    console.error(
      `Cannot use the gradient of ${input}: ${bad}; use a smaller h, or other weights or data`,
    );
    if (json) console.log(JSON.stringify({ ok: false, notFinite: bad, ...about }));
    return EXIT.failed;
  }
  const { loss, gradient } = evaluated;
  if (out !== undefined) {
    const written = asTensors(network, gradient, layout, tensors, names);
    await writeWhole(out, await writeTensors(written, out));
  }
  const comparisons = parameterTensors(network).flatMap(({ name, shape, offset, size }) => {
    const other = theirs.get(name);
    const ours = gradient.subarray(offset, offset + size);
    if (!other) return [];
    // Where they lie is said as the file has them.
    const naming = names.get(name)!, full = affixed(tensors, affix, naming.name)!;
    const [theirsThere, oursThere] = [other, ours].map((data) =>
      naming.turned ? turned({ shape, data }).data : data
    );
    return [compare(full, naming.shape, theirsThere, oursThere)];
  });
  const ok = comparisons.every(({ relativeError }) => relativeError <= rtol);
  if (json) {
    const checked = comparisons.length > 0 ? { ok, rtol, tensors: comparisons } : {};
    console.log(JSON.stringify({ loss, ...about, ...checked }));
  } else {
    tell(
      `Gradient of ${shapeOf(network)} over the ${samples.count} samples of ${input}: loss ` +
        `${loss.toFixed(6)} (engine ${options.engine} on ${engine.adapter})`,
    );
    if (out !== undefined) tell(`Wrote ${out}.`);
    if (comparisons.length > 0) {
      comparisonLines(comparisons, rtol).forEach(tell);
      tell(
        ok
          ? `Every gradient is within ${rtol}.`
          : `Not every gradient is within ${rtol}: those marked are off.`,
      );
    }
  }
  return ok ? EXIT.done : EXIT.failed;
}
