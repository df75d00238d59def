/** What a nudge has to be for units with steps: long enough that some of them take one. */

import { stencilOf } from "../core/estimator.ts";
import { layerName } from "../core/network.ts";
import { forward, gather } from "../cpu/forward.ts";
import type { EngineOptions } from "../engine.ts";
import { activationOf } from "../operations/registry.ts";

/** Of so many units and samples one at least is to be within reach. */
const ENOUGH = 100;

/**
 * A line for people where h is too small for units with steps: where nudges of a layer's weights take
 * next to none of its units across a threshold, over a batch, its gradient is 0 or next to it, and it
 * hardly learns.
 * @param indices of the samples, [batch].
 * @returns it, of the first such layer, with the h at which half of its units would flip; or undefined
 *   where there is none, or weights are not nudged one by one.
 */
export function flipNotice(
  { network, method, estimator, samples }: EngineOptions,
  parameters: Float64Array, // [parameters]
  indices: Uint32Array,
): string | undefined {
  const { layers } = network;
  const isNudged = method !== "backprop" && estimator.name !== "spsa";
  if (!isNudged || !layers.some(({ activation }) => activationOf(activation).states)) {
    return undefined;
  }
  const { values, inputs } = forward(network, parameters, gather(samples, indices));
  const farthest = Math.max(...stencilOf(estimator).map(({ offset }) => Math.abs(offset)));
  for (
    const [l, { tensors, activation, from: [from], inputs: width, outputs }] of layers.entries()
  ) {
    const { states } = activationOf(activation);
    if (!states || tensors.length === 0) continue;
    const needed = new Float64Array(indices.length * outputs); // the least h that flips each
    for (let n = 0; n < indices.length; n++) {
      const row = values[from + 1].subarray(n * (width + 1), (n + 1) * (width + 1));
      const largest = row.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      for (let at = n * outputs; at < (n + 1) * outputs; at++) {
        const gaps = states.thresholds.map((threshold) => Math.abs(threshold - inputs[l][at]));
        needed[at] = Math.min(...gaps) / (largest * farthest);
      }
    }
    const flipped = needed.filter((h) => h <= estimator.h).length, total = needed.length;
    if (flipped * ENOUGH >= total) continue;
    const half = needed.sort()[total >> 1];
    return `With h = ${estimator.h} nudges flip ${flipped} of ${
      total.toLocaleString("en")
    } units of ` +
      `${
        layerName(network, l)
      }, over all samples of a batch, and it hardly learns; give a larger h: ` +
      `${half.toPrecision(1)} flips half of them`;
  }
}
