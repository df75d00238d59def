/**
 * Random directions in float64: all weights are nudged at once, and the gradient is estimated from
 * the change of the loss along a few directions (SPSA; see core/directions.ts).
 */

import { directionSign } from "../core/directions.ts";
import { layersBehind, type Network, residualsOf } from "../core/network.ts";
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

/** What becomes of one sample when all weights are moved at once. */
export interface Moved {
  /** The exact change of its loss. */
  readonly loss: number;
  /** Of what each layer's activation takes, and of the data and what each layer gives. */
  readonly inputs: readonly Float64Array[]; // layers of [outputs]
  readonly values: readonly Float64Array[]; // layers + 1 of [outputs]
}

/**
 * Exact changes, sample by sample, when the parameters w become w + d. In one dense layer that is
 * [da, 0] (W + D) + [a, 1] D, in a convolution the same with convolutions for products, in a sum
 * that of the changes: nothing is subtracted from anything near it.
 * @param only the layer whose weights move; default all. Nothing is evaluated of those before it.
 */
export function* changesAlong(
  network: Network,
  parameters: Float64Array, // [parameters]
  trace: Trace,
  d: Float64Array, // [parameters]
  only?: number,
): Generator<Moved> {
  const { layers } = network;
  const { batch, residuals } = trace;
  const { changes } = losses[network.loss];
  const whole = Float64Array.of(1), dL = new Float64Array(1);
  const moved = parameters.map((weight, index) => weight + d[index]); // W + D
  const behind = only === undefined ? layers.keys() : [only, ...layersBehind(layers, only)];
  const moves = new Set(behind), still = layers.map(({ outputs }) => new Float64Array(outputs));
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
    if (only !== undefined && l !== only) return;
    addConvolution(layer, d, a, dz);
    addBiases(layer, d, dz);
  };
  for (let n = 0; n < batch.size; n++) {
    // Of the data, and of what each layer gives: layer l's is at l + 1. [outputs]
    const changed = [new Float64Array(network.inputs)], sums: Float64Array[] = [];
    layers.forEach((layer, l) => {
      const { kind, from, inputs, outputs, offset, activation } = layer;
      if (!moves.has(l)) {
        changed.push(still[l]);
        sums.push(still[l]);
        return;
      }
      const dz = new Float64Array(outputs);
      sums.push(dz);
      if (isWindowed(layer)) look(layer, l, n, changed[from[0] + 1], dz);
      else if (kind === "sum") {
        for (const source of from) changed[source + 1].forEach((da, j) => dz[j] += da);
      } else {
        const a = trace.values[from[0] + 1], da = changed[from[0] + 1];
        const isMoved = only === undefined || l === only;
        for (let i = 0; i <= inputs; i++) {
          const value = isMoved ? a[n * (inputs + 1) + i] : 0, change = i < inputs ? da[i] : 0;
          if (value === 0 && change === 0) continue;
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
    yield { loss: dL[0], inputs: sums, values: changed };
  }
}

/** Exact change of the mean loss when the parameters w become w + d. */
export function changeAlong(
  network: Network,
  parameters: Float64Array, // [parameters]
  trace: Trace,
  d: Float64Array, // [parameters]
): number {
  let total = 0;
  for (const { loss } of changesAlong(network, parameters, trace, d)) total += loss;
  return total / trace.batch.size;
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
