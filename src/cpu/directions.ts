/**
 * Random directions in float64: all weights are nudged at once, and the gradient is estimated from
 * the change of the loss along a few directions (SPSA; see core/directions.ts).
 */

import { directionSign } from "../core/directions.ts";
import { type Network, residualsOf } from "../core/network.ts";
import { activationFunctions } from "./activations.ts";
import { forward, mean, type Trace } from "./forward.ts";
import { lossFunctions } from "./losses.ts";
import type { Share } from "./share.ts";

/** The vector of signs that belongs to a key. */
export function direction(key: number, parameters: number): Float64Array { // [parameters]
  return Float64Array.from({ length: parameters }, (_, index) => directionSign(key, index));
}

/**
 * Exact change of the mean loss when the parameters w become w + d. In one layer that is
 * [da, 0] (W + D) + [a, 1] D: nothing is subtracted from anything near it.
 */
export function changeAlong(
  network: Network,
  parameters: Float64Array, // [parameters]
  trace: Trace,
  d: Float64Array, // [parameters]
): number {
  const { layers } = network;
  const { batch, residuals } = trace;
  const { changes } = lossFunctions[network.loss];
  const whole = Float64Array.of(1), dL = new Float64Array(1);
  let total = 0;
  for (let n = 0; n < batch.size; n++) {
    let da = new Float64Array(network.inputs); // [inputs]
    layers.forEach(({ inputs, outputs, offset, activation }, l) => {
      const dz = new Float64Array(outputs);
      for (let i = 0; i <= inputs; i++) {
        const a = trace.activations[l][n * (inputs + 1) + i];
        const change = i < inputs ? da[i] : 0;
        for (let j = 0; j < outputs; j++) {
          const index = offset + i * outputs + j;
          dz[j] += change * (parameters[index] + d[index]) + a * d[index];
        }
      }
      const f = activationFunctions[activation];
      da = dz.map((dz, j) =>
        f.change(
          trace.activations[l + 1][n * (outputs + 1) + j],
          trace.derivatives[l][n * outputs + j],
          trace.inputs[l][n * outputs + j],
          dz,
        )
      );
    });
    changes(residuals, n * residualsOf(network), batch.labels[n], da, whole, dL);
    total += dL[0];
  }
  return total / batch.size;
}

/**
 * The slopes (L(w + h d) - L(w - h d)) / 2h along this share's directions d; 0 along the others.
 * @param literal evaluates both losses whole and subtracts them, instead of their exact changes.
 */
export function slopes(
  network: Network,
  parameters: Float64Array, // [parameters]
  trace: Trace,
  h: number,
  keys: readonly number[], // [queries]
  literal: boolean,
  { index, of }: Share,
): Float64Array { // [queries]
  const slopes = new Float64Array(keys.length);
  for (let query = index; query < keys.length; query += of) {
    const signs = direction(keys[query], network.parameters);
    const lossAlong = (scale: number) => {
      const d = signs.map((sign) => sign * scale);
      if (!literal) return changeAlong(network, parameters, trace, d);
      return mean(forward(network, parameters.map((w, i) => w + d[i]), trace.batch).losses);
    };
    slopes[query] = (lossAlong(h) - lossAlong(-h)) / (2 * h);
  }
  return slopes;
}

/** The gradient that the slopes estimate: the mean over the directions of slope times direction. */
export function meanAlong(
  keys: readonly number[], // [queries]
  slopes: Float64Array, // [queries]
  parameters: number,
): Float64Array { // [parameters]
  const gradient = new Float64Array(parameters);
  keys.forEach((key, query) => {
    const share = slopes[query] / keys.length;
    for (let i = 0; i < parameters; i++) gradient[i] += share * directionSign(key, i);
  });
  return gradient;
}
