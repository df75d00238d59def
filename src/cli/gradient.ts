/**
 * `gradient`: weights and a batch from one file, gradients into another; and gradients of other
 * origin, found in the same file, compared with ours tensor by tensor.
 */

import { openEngine } from "../backend.ts";
import { notFinite } from "../core/finite.ts";
import { parameterTensors, type Shape, shapeOf } from "../core/network.ts";
import { readTensors, type Tensors, writeTensors } from "../data/tensors.ts";
import {
  asTensors,
  batchIn,
  inLayout,
  type Layout,
  namedLikeWeights,
  onlyLayout,
  sampleShapeIn,
  throughSamples,
} from "../data/weights.ts";
import { compare } from "../method/gradcheck.ts";
import { roundingNotice } from "../method/rounding.ts";
import { EXIT } from "./errors.ts";
import { claimTensorFile, readWhole, writeWhole } from "./files.ts";
import { engineOptionsOf, type Options, tellSkipped } from "./options.ts";
import { comparisonLines } from "./table.ts";
import { networkIn } from "./weights.ts";

/** What gradients to be checked are named like, in front of W1: as many R programs name them. */
const DEFAULT_PREFIX = "GB";

export interface GradientOptions extends Options {
  input: string;
  out?: string;
  check?: string;
  rtol: number;
}

/** The network, the batch and the gradients to be checked, out of a file's tensors. */
function readAll(tensors: Tensors, options: GradientOptions) {
  const prefix = options.check ?? DEFAULT_PREFIX;
  const weights = (layout: Layout) => {
    const read = (inputShape?: Shape) =>
      networkIn(tensors, { ...options, inputShape }, options.input, layout);
    const said = sampleShapeIn(tensors, layout);
    if (options.inputShape || !said) return read(options.inputShape);
    return throughSamples(said, () => read(said));
  };
  // The weights mostly tell the layout by themselves; what else is wrong is then said more simply.
  const layout = options.layout ?? onlyLayout(weights);
  return inLayout(options.input, layout, (layout) => {
    const { network, parameters } = weights(layout);
    const samples = batchIn(tensors, layout, network);
    const theirs = namedLikeWeights(tensors, prefix, network, layout);
    return { network, parameters, samples, theirs };
  });
}

/**
 * Runs the command; the exit code tells whether the gradients that were checked are right. A gradient
 * that is not finite everywhere is neither written nor compared.
 */
export async function runGradient(options: GradientOptions): Promise<number> {
  const { input, out, json, rtol, check } = options;
  const tell = (line: string) => json ? console.error(line) : console.log(line);
  if (!(rtol > 0)) {
    throw new RangeError(`Cannot check to a tolerance of ${rtol}: give a positive number`);
  }
  if (out !== undefined) await claimTensorFile(out);
  const tensors = await readTensors(await readWhole(input), input);
  const { layout, value: { network, parameters, samples, theirs } } = readAll(tensors, options);
  tellSkipped(network);
  if (check !== undefined && theirs.size === 0) {
    throw new TypeError(`Cannot check ${input}: it has no ${check}W1, ${check}b1, ...`);
  }
  if (out === undefined && theirs.size === 0) {
    throw new TypeError(
      `Cannot do anything with the gradient: give --out FILE, or put gradients to be checked into ` +
        `${input} as ${DEFAULT_PREFIX}W1, ${DEFAULT_PREFIX}b1, ...`,
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
    await writeWhole(out, await writeTensors(asTensors(network, gradient, layout, tensors), out));
  }
  const comparisons = parameterTensors(network).flatMap(({ name, shape, offset, size }) => {
    const other = theirs.get(name);
    const ours = gradient.subarray(offset, offset + size);
    return other ? [compare((check ?? DEFAULT_PREFIX) + name, shape, other, ours)] : [];
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
