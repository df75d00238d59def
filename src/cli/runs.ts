/** Runs in files: saving one, and going on with it as if it had never stopped. */

import { decodeHex } from "@std/encoding/hex";
import { createRandom } from "../core/generators.ts";
import { type Network, weightedLayers } from "../core/network.ts";
import type { Random } from "../core/random.ts";
import { checkpointTensors, runTensors } from "../data/checkpoint.ts";
import { onnxOf } from "../data/onnx_writer.ts";
import type { DataSet } from "../data/samples.ts";
import { isOnnxName, writeTensors } from "../data/tensors.ts";
import type { Names } from "../data/weights.ts";
import type { Engine } from "../engine.ts";
import { sha256 } from "./digest.ts";
import { writeWhole } from "./files.ts";
import {
  flagOf,
  type Given,
  isOfMaps,
  nodesOf,
  type Options,
  optionsFrom,
  rateOf,
  stepOf,
  textOf,
} from "./options.ts";
import { recoveryOf } from "./places.ts";
import { type Loaded, loadWeights } from "./weights.ts";

/** Options that a run cannot change on its way without becoming another run. */
const FIXED = [
  ...[
    "network",
    "inputShape",
    "hidden",
    "activation",
    "loss",
    "epsilon",
    "batch",
    "lr",
    "optimizer",
    "weightDecay",
  ] as const,
  ...[
    "schedule",
    "estimator",
    "queries",
    "kernel",
    "points",
    "h",
    "engine",
    "surrogate",
    "surrogateWidth",
    "seed",
    "rng",
    "validation",
  ] as const,
];
/** Options that are kept with it too, and may be given anew. */
const FREE = ["steps", "data"] as const;

const flag = (name: string) => `--${flagOf(name)}`;

/** Options that a file in which the network itself lies does not keep. */
const OF_NETWORK: readonly string[] = ["network", "inputShape", "hidden", "activation"];

/** The sum of all samples and labels, to tell whether data are those that a run began with. */
async function fingerprint({ train, test }: DataSet): Promise<string> {
  const parts = await Promise.all(
    [train, test].flatMap(({ x, labels, targets }) => [x, labels, ...targets ? [targets] : []]).map(
      sha256,
    ),
  );
  return await sha256(decodeHex(parts.join("")));
}

/**
 * Reads a run, or weights alone.
 * @param load the data, which may have to say what shape a sample has.
 * @returns it, with the options that it was trained with where none were given.
 * @throws {TypeError} when an option is given that differs from the run's, without `--override`.
 */
export async function loadRun(
  path: string,
  options: Options,
  given: Given,
  load: (options: Options) => Promise<DataSet>,
): Promise<Loaded> {
  const loaded = await loadWeights(path, options, given, load);
  const { settings } = loaded.checkpoint ?? {};
  const widths = weightedLayers(loaded.network.layers).slice(0, -1).map((layer) => layer.outputs);
  // Weights alone say how wide the network is, and no more.
  const kept = settings && ("network" in settings || loaded.onnx)
    ? settings
    : loaded.onnx
    ? {}
    : { ...settings, hidden: widths.join(",") || "none" };
  const saved = optionsFrom(kept, [...FIXED, ...FREE], path);
  const texts = (of: Options) => textOf({ ...of, network: [...nodesOf(of)] }, FIXED);
  const now = texts(options);
  const before = texts({ ...options, ...(settings && { network: undefined }), ...saved });
  for (const name of FIXED) {
    const isShape = name === "hidden" || name === "network" || name === "inputShape";
    const mayDiffer = options.override && !isShape; // the file's weights have one
    if (given(name) && now[name] !== before[name] && !mayDiffer) {
      throw new TypeError(
        `Cannot go on with ${path}: it has ${flag(name)} ${before[name]}, and ${now[name]} was ` +
          `given; leave ${flag(name)} out` +
          (isShape ? "" : `, or add --override`),
      );
    }
  }
  const unsaid = Object.entries(saved).filter(([name]) => !given(name as keyof Options));
  const { layout } = loaded; // it is saved again as it was
  const { inputShape, network, epsilon } = loaded.options;
  const ofFile = loaded.onnx ? { network, epsilon } : {};
  const merged: Options = {
    ...options,
    layout,
    inputShape,
    ...ofFile,
    ...Object.fromEntries(unsaid),
  };
  const state = loaded.checkpoint?.random, words = createRandom(merged.rng, 1).state.length;
  // A generator with nothing but zeros in it draws zeros for ever.
  if (state && (state.length !== words || state.filter((word) => word !== 0).length < 2)) {
    throw new TypeError(
      `Cannot go on with ${path}: checkpoint/random is no state of --rng ${merged.rng}; ` +
        `give weights alone, or another file`,
    );
  }
  return { ...loaded, options: merged };
}

/**
 * Makes sure that a run goes on with the data that it began with.
 * @throws {TypeError} when they are others, without `--override`.
 */
export async function checkSameData(
  path: string,
  { checkpoint, options }: Loaded,
  data: DataSet,
): Promise<void> {
  if (!checkpoint || options.override) return;
  if (checkpoint.settings.fingerprint !== await fingerprint(data)) {
    throw new TypeError(
      `Cannot go on with ${path}: ${data.name} is not the data that it was trained on; give those ` +
        `with --data, or add --override`,
    );
  }
}

const DESCRIPTION = "Gives logits. Initializers that no node takes are where the training stands.";

/** A run with nothing under way. */
export interface Run {
  readonly options: Options;
  readonly network: Network;
  /** What its weights are called in a file; default W1, b1, W2, ... */
  readonly names?: Names;
  readonly data: DataSet;
  readonly engine: Engine;
  readonly random: Random;
  readonly losses: Float64Array; // [steps]
}

/** Writes a run in between; where that fails it warns, and the next time may be better. */
export async function saveOrWarn(path: string, run: Run): Promise<void> {
  try {
    await saveRun(path, run);
  } catch (error) {
    console.error(`${(error as Error).message} (training goes on, and saves again later)`);
  }
}

/**
 * Writes a run at its end; where that fails it says so and writes it into the temporary folder.
 * @returns whether it is where it was to be.
 */
export async function saveOrRecover(path: string, run: Run): Promise<boolean> {
  try {
    await saveRun(path, run);
    return true;
  } catch (error) {
    const rescue = recoveryOf(path);
    await saveRun(rescue, run);
    console.error(`${(error as Error).message}; the run was saved as ${rescue} instead`);
    return false;
  }
}

/**
 * Writes a run, whole or not at all.
 * @throws {TypeError} when it cannot be written.
 */
async function saveRun(
  path: string,
  { options, network, names, data, engine, random, losses }: Run,
): Promise<void> {
  const isOnnx = isOnnxName(path);
  // The network is kept in the form in which it was given.
  const kept = [...FIXED, ...FREE].filter((name) =>
    isOnnx
      ? !OF_NETWORK.includes(name)
      : options.network
      ? name !== "hidden" && name !== "activation"
      : name !== "network"
  );
  // What the data said of their shape is kept with the weights, which do not tell it.
  const inputShape = isOfMaps(options) ? network.inputShape : undefined;
  const settings = {
    ...textOf({ ...options, inputShape, h: stepOf(options), lr: rateOf(options) }, kept),
    fingerprint: await fingerprint(data),
  };
  const [parameters, state] = [await engine.parameters(), await engine.optimizerState()];
  const run = { state, random: random.state, losses, settings };
  const layout = isOnnx ? "numpy" : options.layout ?? "numpy";
  const tensors = checkpointTensors(network, parameters, run, layout, names);
  if (isOnnx) {
    const extras = { names, run: runTensors(parameters, tensors), description: DESCRIPTION };
    await writeWhole(path, onnxOf(network, parameters, path, extras));
    return;
  }
  await writeWhole(path, await writeTensors(tensors, path));
}
