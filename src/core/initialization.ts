/** The weights a training run starts from. */

import { type Pair, sizeOfShape } from "../operations/structure.ts";
import { type Network, weightedLayers } from "./network.ts";
import type { Random } from "./random.ts";

/** How weights are drawn: a fixed standard deviation, Xavier's, or He's. */
export type Initialization = number | "xavier" | "he";

/**
 * Standard deviation of fresh weights, by how many values each output takes and how many outputs take
 * each value; of a convolution both times those of one kernel. Xavier: sqrt(2 / (in + out)), Glorot
 * and Bengio, AISTATS 2010. He: sqrt(2 / in), He et al., ICCV 2015.
 */
function standardDeviation(init: Initialization, [fanIn, fanOut]: Pair): number {
  if (init === "xavier") return Math.sqrt(2 / (fanIn + fanOut));
  if (init === "he") return Math.sqrt(2 / fanIn);
  return init;
}

/**
 * Draws fresh parameters: normal weights, layer by layer, biases 0. A convolution's are drawn in the
 * order in which they lie, which is that of an R array of its dimensions turned around; those of a
 * layer without `fan` are 1, so that it does nothing yet.
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
  for (
    const { kind, inputs, outputs, fan, tensors: [{ shape }], offset } of weightedLayers(
      network.layers,
    )
  ) {
    const size = sizeOfShape(shape);
    if (!fan) {
      parameters.fill(1, offset, offset + size);
      continue;
    }
    const deviation = standardDeviation(init, fan);
    const [rows, columns] = kind === "dense" ? [inputs, outputs] : [1, size];
    const weights = random.normalMatrix(rows, columns).map((z) => deviation * z);
    parameters.set(rounded ? weights.map(Math.fround) : weights, offset);
  }
  return parameters;
}
