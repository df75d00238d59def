/** Networks from files: weights of any origin, and runs that were saved. */

import { type Network, shapeOf } from "../core/network.ts";
import { type Checkpoint, checkpointIn, parametersOfRun, settingsIn } from "../data/checkpoint.ts";
import { readOnnx } from "../data/onnx.ts";
import { networkOfOnnx, type OnnxNetwork } from "../data/onnx_network.ts";
import type { DataSet } from "../data/samples.ts";
import { isOnnxName, readTensors, type Tensors } from "../data/tensors.ts";
import {
  classesIn,
  firstFit,
  inLayout,
  type Layout,
  moduleClasses,
  moduleNames,
  modulesIn,
  moduleWidths,
  type Names,
  namesOf,
  parametersIn,
  refuseLayout,
  weightsIn,
} from "../data/weights.ts";
import { readWhole } from "./files.ts";
import {
  flagOf,
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
  /** What the file calls the weights. */
  readonly names: Names;
  /** What an ONNX file says besides. */
  readonly onnx?: Pick<OnnxNetwork, "closed" | "softmax" | "values">;
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
  affix = "",
): { network: Network; parameters: Float64Array; names: Names } {
  const modules = modulesIn(tensors, affix);
  if (modules.length > 0) return networkOfModules(tensors, modules, options, path, layout);
  if (!isOfMaps(options)) {
    const { widths, parameters } = weightsIn(tensors, layout);
    const network = networkOf(options, widths, path);
    return { network, parameters, names: namesOf(network) };
  }
  const network = networkOfMaps(options, classesIn(tensors), path);
  return { network, parameters: parametersIn(tensors, network, layout), names: namesOf(network) };
}

/** The same of a file where PyTorch named the weights, which are matched by order and shape. */
function networkOfModules(
  tensors: Tensors,
  modules: readonly string[],
  options: Options,
  path: string,
  layout: Layout,
) {
  if (layout === "r" && options.layout !== "r") { // nothing but a shape would speak for it
    return refuseLayout(`it has PyTorch's names, as ${modules[0]}.weight`);
  }
  if (!isOfMaps(options)) {
    const { widths, order } = moduleWidths(tensors, modules, layout);
    const network = networkOf(options, widths, path);
    const names = moduleNames(tensors, modules, network, layout, order);
    return { network, parameters: parametersIn(tensors, network, layout, names), names };
  }
  const networks = moduleClasses(tensors, modules, layout)
    .map((classes) => networkOfMaps(options, classes, path));
  return firstFit(networks, (network) => {
    const names = moduleNames(tensors, modules, network, layout);
    return { network, parameters: parametersIn(tensors, network, layout, names), names };
  });
}

/** Says how a file's names were understood, where they are not ours. */
export function namesLine(names: Names, path: string): string | undefined {
  const others = [...names].filter(([ours, { name }]) => ours !== name);
  if (others.length === 0) return undefined;
  return `${path}: ${others.map(([ours, { name }]) => `${name} is ${ours}`).join(", ")}`;
}

/**
 * The network of an ONNX file, with its weights and the run that may lie in it.
 * @throws {SyntaxError | TypeError} naming the file, and the node that is not known.
 */
async function loadOnnx(path: string, options: Options, given: Given): Promise<Loaded> {
  const other = (["network", "hidden", "activation", "inputShape"] as const).find(given);
  if (other) {
    throw new TypeError(
      `Cannot use --${flagOf(other)} with ${path}: it says its network; leave --${
        flagOf(other)
      } out`,
    );
  }
  const model = readOnnx(await readWhole(path), path), tensors = model.initializers;
  const settings = settingsIn(tensors, path) ?? {};
  const unsaid = (["loss", "epsilon"] as const).filter((name) => !given(name));
  // What writes such files has no small number inside the logarithm.
  const defaults = given("epsilon") ? {} : { epsilon: 0 };
  const merged: Options = { ...options, ...defaults, ...optionsFrom(settings, unsaid, path) };
  const { network, parameters, names, softmax, closed, values, notes } = networkOfOnnx(
    model,
    path,
    merged,
  );
  for (const note of notes) console.error(`Note: ${note}`);
  if (softmax !== undefined && merged.loss !== "cross-entropy") {
    throw new TypeError(
      `Cannot use ${path} with --loss ${merged.loss}: it ends in a ${softmax}, which goes into the ` +
        `cross-entropy; leave --loss out`,
    );
  }
  if (closed !== undefined) {
    console.error(
      `Note: ${path} ends in ${closed}; a dense layer that passes everything on is put behind it`,
    );
  }
  return {
    options: { ...merged, network: [...network.nodes], inputShape: network.inputShape },
    network,
    parameters: parametersOfRun(tensors, path, parameters),
    layout: "numpy",
    names,
    onnx: { softmax, closed, values },
    checkpoint: checkpointIn(tensors, path, parameters.length),
  };
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
  if (isOnnxName(path)) return await loadOnnx(path, options, given);
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
  const { layout, value: { network, parameters, names } } = inLayout(
    path,
    options.layout,
    (layout) => networkIn(tensors, shaped, path, layout),
  );
  const checkpoint = checkpointIn(tensors, path, parameters.length);
  return { options: shaped, network, parameters, layout, names, checkpoint, data };
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
