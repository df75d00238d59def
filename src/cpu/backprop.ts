/** The chain rule in float64, for comparison only: nothing that trains numerically uses it. */

import { type Network, residualsOf } from "../core/network.ts";
import type { Trace } from "./forward.ts";
import { lossFunctions } from "./losses.ts";

/** The derivative of the mean loss by backpropagation. */
export function backprop(
  network: Network,
  parameters: Float64Array, // [parameters]
  trace: Trace,
): Float64Array { // [parameters]
  const { layers, classes } = network;
  const { batch, residuals } = trace;
  const gradient = new Float64Array(network.parameters);
  const { derivative } = lossFunctions[network.loss], width = residualsOf(network);
  let errors = new Float64Array(batch.size * classes); // dL/dz of the layer, [batch, outputs]
  for (let n = 0; n < batch.size; n++) {
    for (let k = 0; k < classes; k++) {
      errors[n * classes + k] = derivative(residuals, n * width, batch.labels[n], classes, k) /
        batch.size;
    }
  }
  for (let l = layers.length - 1; l >= 0; l--) {
    const { inputs, outputs, offset } = layers[l];
    const a = trace.activations[l];
    const previous = new Float64Array(batch.size * inputs); // [batch, inputs]
    for (let n = 0; n < batch.size; n++) {
      for (let i = 0; i <= inputs; i++) {
        const input = a[n * (inputs + 1) + i], row = offset + i * outputs;
        let sum = 0;
        for (let j = 0; j < outputs; j++) {
          const error = errors[n * outputs + j];
          gradient[row + j] += input * error;
          sum += parameters[row + j] * error;
        }
        if (l > 0 && i < inputs) {
          previous[n * inputs + i] = trace.derivatives[l - 1][n * inputs + i] * sum;
        }
      }
    }
    errors = previous;
  }
  return gradient;
}
