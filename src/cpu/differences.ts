/**
 * The differences method in float64: every nudged copy is carried through the network as its exact
 * finite change from the unperturbed pass (divided-difference arithmetic: Reps and Rall,
 * "Computational Divided Differencing and Divided-Difference Arithmetics", 2003).
 */

import type { StencilPoint } from "../core/estimator.ts";
import { type Network, residualsOf } from "../core/network.ts";
import { activationFunctions } from "./activations.ts";
import type { Trace } from "./forward.ts";
import { lossFunctions } from "./losses.ts";
import type { Share } from "./share.ts";

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
 * The gradient of the mean loss by a stencil of exact changes, for the weights into this share's
 * units; 0 for the others.
 *
 * A nudge d of W[i,j] in layer l changes the input of one unit by d a_i. That unit's change times
 * its row of the next matrix is the change of the next layer's inputs, and so on to the loss. All
 * copies of one sample and one unit are evaluated side by side: up to the unit's change they differ
 * in d a_i alone, and in the layer before the last, in the length of one and the same step of the
 * logits.
 */
export function differences(
  network: Network,
  parameters: Float64Array, // [parameters]
  trace: Trace,
  stencil: readonly StencilPoint[],
  h: number,
  { index, of }: Share,
): Float64Array { // [parameters]
  const { layers, classes } = network;
  const { batch, residuals } = trace;
  const gradient = new Float64Array(network.parameters);
  const loss = lossFunctions[network.loss];
  const functions = layers.map((layer) => activationFunctions[layer.activation]);
  const hops = layers.map((layer) => new Float64Array(layer.outputs)); // one copy's, each layer
  const last = layers.length - 1;
  const points = stencil.length, width = residualsOf(network);
  const weights = Float64Array.from(stencil, (point) => point.coefficient / (h * batch.size));
  const whole = Float64Array.of(1), one = new Float64Array(1);

  /** Change of sample n's loss when layer l's unit j changes its value by da. */
  function propagate(n: number, l: number, j: number, da: number): number {
    hops[l + 1].fill(0);
    addRow(hops[l + 1], da, parameters, layers[l + 1].offset + j * layers[l + 1].outputs);
    for (let m = l + 1; m < last; m++) {
      const { outputs } = layers[m], next = layers[m + 1];
      hops[m + 1].fill(0);
      for (let k = 0; k < outputs; k++) {
        const a = trace.activations[m + 1][n * (outputs + 1) + k];
        const at = n * outputs + k, c = trace.derivatives[m][at];
        const change = functions[m].change(a, c, trace.inputs[m][at], hops[m][k]);
        if (change !== 0) addRow(hops[m + 1], change, parameters, next.offset + k * next.outputs);
      }
    }
    loss.changes(residuals, n * width, batch.labels[n], hops[last], whole, one);
    return one[0];
  }

  let units = 0; // of the layers before: units are dealt out to the shares in turn
  for (let l = 0; l < layers.length; l++) {
    const { inputs, outputs, offset } = layers[l];
    const a = trace.activations[l], values = trace.activations[l + 1];
    const { change } = functions[l];
    const first = (index + of - units % of) % of;
    units += outputs;
    const indices = new Uint32Array(inputs + 1); // of the sample's inputs that are not 0
    const scratch = [0, 1, 2].map(() => new Float64Array((inputs + 1) * points));
    for (let n = 0; n < batch.size; n++) {
      const target = batch.labels[n], row = n * width;
      let active = 0;
      for (let i = 0; i <= inputs; i++) {
        const input = a[n * (inputs + 1) + i];
        if (input === 0) continue; // every copy's change is 0
        for (let s = 0; s < points; s++) {
          scratch[0][active * points + s] = stencil[s].offset * h * input;
        }
        indices[active++] = i;
      }
      const [dz, da, dL] = scratch.map((array) => array.subarray(0, active * points)); // [copies]
      for (let j = first; j < outputs; j += of) {
        if (l === last) {
          loss.changesOfOne(residuals, row, target, classes, j, dz, dL);
        } else {
          const value = values[n * (outputs + 1) + j], at = n * outputs + j;
          const c = trace.derivatives[l][at], z = trace.inputs[l][at];
          for (let m = 0; m < dz.length; m++) da[m] = change(value, c, z, dz[m]);
          if (l + 1 === last) {
            const next = layers[last].offset + j * classes;
            const direction = parameters.subarray(next, next + classes);
            loss.changes(residuals, row, target, direction, da, dL);
          } else {
            for (let m = 0; m < da.length; m++) {
              dL[m] = da[m] === 0 ? 0 : propagate(n, l, j, da[m]);
            }
          }
        }
        for (let m = 0; m < active; m++) {
          let sum = 0;
          for (let s = 0; s < points; s++) sum += weights[s] * dL[m * points + s];
          gradient[offset + indices[m] * outputs + j] += sum;
        }
      }
    }
  }
  return gradient;
}
