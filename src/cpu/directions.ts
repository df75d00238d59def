/**
 * Random directions in float64: all weights are nudged at once, and the gradient is estimated from
 * the change of the loss along a few directions (SPSA; see core/directions.ts).
 */

import { directionSign } from "../core/directions.ts";
import { type Network, residualsOf } from "../core/network.ts";
import { activationOf, losses } from "../operations/registry.ts";
import { forward, mean, type Trace } from "./forward.ts";
import type { Share } from "./share.ts";
import {
  addBiases,
  addConvolution,
  addMeans,
  changeLargest,
  isWindowed,
  type Windowed,
} from "./windows.ts";

/** The vector of signs that belongs to a key. */
export function direction(key: number, parameters: number): Float64Array { // [parameters]
  return Float64Array.from({ length: parameters }, (_, index) => directionSign(key, index));
}

/**
 * Exact change of the mean loss when the parameters w become w + d. In one dense layer that is
 * [da, 0] (W + D) + [a, 1] D, in a convolution the same with convolutions for products, in a sum
 * that of the changes: nothing is subtracted from anything near it.
 */
export function changeAlong(
  network: Network,
  parameters: Float64Array, // [parameters]
  trace: Trace,
  d: Float64Array, // [parameters]
): number {
  const { layers } = network;
  const { batch, residuals } = trace;
  const { changes } = losses[network.loss];
  const whole = Float64Array.of(1), dL = new Float64Array(1);
  const moved = parameters.map((weight, index) => weight + d[index]); // W + D
  /** What comes of a window over maps that change by da. */
  const look = (layer: Windowed, l: number, n: number, da: Float64Array, dz: Float64Array) => {
    const { kind, from, inputs, outputs } = layer, start = n * (inputs + 1);
    const a = trace.values[from[0] + 1].subarray(start, start + inputs);
    if (kind === "avgpool") return addMeans(layer, da, dz);
    if (kind === "maxpool") {
      const winners = trace.winners[l]!.subarray(n * outputs, (n + 1) * outputs);
      return changeLargest(layer, winners, a, da, dz);
    }
    addConvolution(layer, moved, da, dz);
    addConvolution(layer, d, a, dz);
    addBiases(layer, d, dz);
  };
  let total = 0;
  for (let n = 0; n < batch.size; n++) {
    // Of the data, and of what each layer gives: layer l's is at l + 1. [outputs]
    const changed = [new Float64Array(network.inputs)];
    layers.forEach((layer, l) => {
      const { kind, from, inputs, outputs, offset, activation } = layer;
      const dz = new Float64Array(outputs);
      if (isWindowed(layer)) look(layer, l, n, changed[from[0] + 1], dz);
      else if (kind === "sum") {
        for (const source of from) changed[source + 1].forEach((da, j) => dz[j] += da);
      } else {
        const a = trace.values[from[0] + 1], da = changed[from[0] + 1];
        for (let i = 0; i <= inputs; i++) {
          const value = a[n * (inputs + 1) + i], change = i < inputs ? da[i] : 0;
          for (let j = 0; j < outputs; j++) {
            const index = offset + i * outputs + j;
            dz[j] += change * moved[index] + value * d[index];
          }
        }
      }
      const { change } = activationOf(activation);
      changed.push(dz.map((dz, j) =>
        change(
          trace.values[l + 1][n * (outputs + 1) + j],
          trace.derivatives[l][n * outputs + j],
          trace.inputs[l][n * outputs + j],
          dz,
        )
      ));
    });
    const da = changed.at(-1)!;
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
  elements?: Uint32Array,
): Float64Array { // [parameters] or [elements]
  const gradient = new Float64Array(elements?.length ?? parameters);
  keys.forEach((key, query) => {
    const share = slopes[query] / keys.length;
    for (let i = 0; i < gradient.length; i++) {
      gradient[i] += share * directionSign(key, elements?.[i] ?? i);
    }
  });
  return gradient;
}
