/** The weights a training run starts from. */

import { type Layer, type Network, weightedLayers } from "./network.ts";
import type { Random } from "./random.ts";

/** How weights are drawn: a fixed standard deviation, Xavier's, or He's. */
export type Initialization = number | "xavier" | "he";

/**
 * Standard deviation of a layer's fresh weights. Xavier: sqrt(2 / (inputs + outputs)), Glorot and
 * Bengio, AISTATS 2010. He: sqrt(2 / inputs), He et al., ICCV 2015.
 */
function standardDeviation(init: Initialization, { inputs, outputs }: Layer): number {
  if (init === "xavier") return Math.sqrt(2 / (inputs + outputs));
  if (init === "he") return Math.sqrt(2 / inputs);
  return init;
}

/**
 * Draws fresh parameters: normal weights, layer by layer, biases 0.
 *
 * Weights are rounded to float32, so that every backend starts from the same numbers; the one
 * exception is `rounded: false`, for comparisons with programs that compute in float64.
 */
export function initialParameters(
  network: Network,
  init: Initialization,
  random: Random,
  rounded = true,
): Float64Array { // [network.parameters]
  const parameters = new Float64Array(network.parameters);
  for (const layer of weightedLayers(network.layers)) {
    const deviation = standardDeviation(init, layer);
    const weights = random.normalMatrix(layer.inputs, layer.outputs).map((z) => deviation * z);
    parameters.set(rounded ? weights.map(Math.fround) : weights, layer.offset);
  }
  return parameters;
}
