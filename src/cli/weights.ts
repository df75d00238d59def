/** Networks from files: weights of any origin, and runs that were saved. */

import { type Network, shapeOf } from "../core/network.ts";
import { type Checkpoint, checkpointIn, settingsIn } from "../data/checkpoint.ts";
import type { DataSet } from "../data/samples.ts";
import { readTensors, type Tensors } from "../data/tensors.ts";
import { classesIn, inLayout, type Layout, parametersIn, weightsIn } from "../data/weights.ts";
import { readWhole } from "./files.ts";
import {
  type Given,
  isOfMaps,
  networkOf,
  networkOfMaps,
  type Options,
  optionsFrom,
} from "./options.ts";

/** A network from a file. */
export interface Loaded {
  /** The options, with those of the saved run where none were given. */
  readonly options: Options;
  readonly network: Network;
  readonly parameters: Float64Array; // [parameters]
  readonly layout: Layout;
  /** Where the run stands; undefined where the file holds weights alone. */
  readonly checkpoint: Checkpoint | undefined;
  /** The data, where they had to say what shape a sample has. */
  readonly data?: DataSet;
}

/** Options that say what a network computes, for weights that are given. */
const NETWORK_SETTINGS = ["network", "inputShape", "activation", "loss", "epsilon"] as const;

/**
 * The network and its weights out of a file's tensors. Weights of dense layers say how wide these are;
 * a network of maps is what the options say, and its weights have to be of it.
 */
export function networkIn(
  tensors: Tensors,
  options: Options,
  path: string,
  layout: Layout,
): { network: Network; parameters: Float64Array } {
  if (!isOfMaps(options)) {
    const { widths, parameters } = weightsIn(tensors, layout);
    return { network: networkOf(options, widths, path), parameters };
  }
  const network = networkOfMaps(options, classesIn(tensors), path);
  return { network, parameters: parametersIn(tensors, network, layout) };
}

/**
 * Reads a network: its widths from the shapes of W1, b1, W2, ..., the rest from the options, or,
 * where an option was not given, from the run that was saved with the weights.
 * @param load the data, which may have to say what shape a sample has.
 * @throws {SyntaxError | TypeError | RangeError} naming the file and the tensor that is wrong.
 */
export async function loadWeights(
  path: string,
  options: Options,
  given: Given,
  load: (options: Options) => Promise<DataSet>,
): Promise<Loaded> {
  const tensors = await readTensors(await readWhole(path), path);
  const settings = settingsIn(tensors, path) ?? {};
  const short = (["hidden", "activation"] as const).find(given);
  if ("network" in settings && short) {
    throw new TypeError(
      `Cannot use --${short} with ${path}: its network is "${settings.network}"; ` +
        `leave --${short} out`,
    );
  }
  const unsaid = NETWORK_SETTINGS.filter((name) => !given(name));
  const merged: Options = { ...options, ...optionsFrom(settings, unsaid, path) };
  const data = isOfMaps(merged) && !merged.inputShape ? await load(merged) : undefined;
  const shaped = { ...merged, inputShape: merged.inputShape ?? data?.image };
  const { layout, value: { network, parameters } } = inLayout(
    path,
    options.layout,
    (layout) => networkIn(tensors, shaped, path, layout),
  );
  const checkpoint = checkpointIn(tensors, path, parameters.length);
  return { options: shaped, network, parameters, layout, checkpoint, data };
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
