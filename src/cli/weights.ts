/** Networks from files: weights of any origin, and runs that were saved. */

import { type Network, shapeOf } from "../core/network.ts";
import { type Checkpoint, checkpointIn } from "../data/checkpoint.ts";
import type { DataSet } from "../data/samples.ts";
import { readTensors } from "../data/tensors.ts";
import { inLayout, type Layout, weightsIn } from "../data/weights.ts";
import { readWhole } from "./files.ts";
import { type Given, networkOf, type Options, optionsFrom } from "./options.ts";

/** A network from a file. */
export interface Loaded {
  /** The options, with those of the saved run where none were given. */
  readonly options: Options;
  readonly network: Network;
  readonly parameters: Float64Array; // [parameters]
  readonly layout: Layout;
  /** Where the run stands; undefined where the file holds weights alone. */
  readonly checkpoint: Checkpoint | undefined;
}

/** Options that say what a network computes, for weights that are given. */
const NETWORK_SETTINGS = ["network", "activation", "loss", "epsilon"] as const;

/**
 * Reads a network: its widths from the shapes of W1, b1, W2, ..., the rest from the options, or,
 * where an option was not given, from the run that was saved with the weights.
 * @throws {SyntaxError | TypeError | RangeError} naming the file and the tensor that is wrong.
 */
export async function loadWeights(path: string, options: Options, given: Given): Promise<Loaded> {
  const tensors = await readTensors(await readWhole(path), path);
  const { layout, value: { widths, parameters } } = inLayout(
    path,
    options.layout,
    (layout) => weightsIn(tensors, layout),
  );
  const checkpoint = checkpointIn(tensors, path, parameters.length);
  const short = (["hidden", "activation"] as const).find(given);
  if (checkpoint && "network" in checkpoint.settings && short) {
    throw new TypeError(
      `Cannot use --${short} with ${path}: its network is "${checkpoint.settings.network}"; ` +
        `leave --${short} out`,
    );
  }
  const unsaid = NETWORK_SETTINGS.filter((name) => !given(name));
  const merged = { ...options, ...optionsFrom(checkpoint?.settings ?? {}, unsaid, path) };
  const network = networkOf(merged, widths, path);
  return { options: merged, network, parameters, layout, checkpoint };
}

/**
 * Refuses data that a network has no inputs or no outputs for.
 * @throws {TypeError} with both numbers.
 */
export function checkFitsData(network: Network, data: DataSet, path: string): void {
  if (network.inputs !== data.inputs || network.classes < data.classes) {
    throw new TypeError(
      `Cannot use ${path} with ${data.name}: the network is ${shapeOf(network)}, and the samples ` +
        `have ${data.inputs} values and ${data.classes} classes; give the data that it was ` +
        `trained on`,
    );
  }
}
