/**
 * The differences method in float64: every nudged copy is carried through the network as its exact
 * finite change from the unperturbed pass (divided-difference arithmetic: Reps and Rall,
 * "Computational Divided Differencing and Divided-Difference Arithmetics", 2003).
 */

import type { StencilPoint } from "../core/estimator.ts";
import type { Network } from "../core/network.ts";
import { activationFunctions } from "./activations.ts";
import type { Trace } from "./forward.ts";
import { lossFunctions } from "./losses.ts";

/** Adds `scale` x (row of W) to z. */
function addRow(
  z: Float64Array, // [outputs]
  scale: number,
  parameters: Float64Array,
  row: number,
): void {
  for (let k = 0; k < z.length; k++) z[k] += scale * parameters[row + k];
}

/**
 * The gradient of the mean loss by a stencil of exact changes, for every parameter.
 *
 * A nudge d of W[i,j] in layer l changes the input of one unit by d a_i. That unit's change times
 * its row of the next matrix is the change of the next layer's inputs, and so on to the loss.
 */
export function differences(
  network: Network,
  parameters: Float64Array, // [parameters]
  trace: Trace,
  stencil: readonly StencilPoint[],
  h: number,
): Float64Array { // [parameters]
  const { layers, classes, epsilon } = network;
  const { batch, residuals } = trace;
  const gradient = new Float64Array(network.parameters);
  const loss = lossFunctions[network.loss];
  const functions = layers.map((layer) => activationFunctions[layer.activation]);
  const changes = layers.map((layer) => new Float64Array(layer.outputs)); // one copy's, each layer
  const last = layers.length - 1;

  /** Change of sample n's loss when layer l's unit j changes its value by da. */
  function propagate(n: number, l: number, j: number, da: number): number {
    changes[l + 1].fill(0);
    addRow(changes[l + 1], da, parameters, layers[l + 1].offset + j * layers[l + 1].outputs);
    for (let m = l + 1; m < last; m++) {
      const { outputs } = layers[m], next = layers[m + 1];
      changes[m + 1].fill(0);
      for (let k = 0; k < outputs; k++) {
        const a = trace.activations[m + 1][n * (outputs + 1) + k];
        const change = functions[m].change(a, trace.companions[m][n * outputs + k], changes[m][k]);
        if (change !== 0) {
          addRow(changes[m + 1], change, parameters, next.offset + k * next.outputs);
        }
      }
    }
    return loss.change(residuals, n * (classes + 1), batch.labels[n], epsilon, changes[last]);
  }

  for (let l = 0; l < layers.length; l++) {
    const { inputs, outputs, offset } = layers[l];
    const a = trace.activations[l], values = trace.activations[l + 1];
    const { change } = functions[l];
    for (let n = 0; n < batch.size; n++) {
      const target = batch.labels[n];
      for (let i = 0; i <= inputs; i++) {
        const input = a[n * (inputs + 1) + i];
        if (input === 0) continue; // every copy's change is 0
        for (const point of stencil) {
          const dz = point.offset * h * input;
          const weight = point.coefficient / (h * batch.size);
          for (let j = 0; j < outputs; j++) {
            let dL;
            if (l === last) {
              dL = loss.changeOfOne(residuals, n * (classes + 1), target, epsilon, classes, j, dz);
            } else {
              const value = values[n * (outputs + 1) + j];
              const da = change(value, trace.companions[l][n * outputs + j], dz);
              dL = da === 0 ? 0 : propagate(n, l, j, da);
            }
            gradient[offset + i * outputs + j] += weight * dL;
          }
        }
      }
    }
  }
  return gradient;
}
