/** The chain rule in float64, for comparison only: nothing that trains numerically uses it. */

import { DATA, type Network, residualsOf } from "../core/network.ts";
import { type Surrogate, surrogateSlope } from "../core/surrogate.ts";
import { activationOf, losses } from "../operations/registry.ts";
import type { Trace } from "./forward.ts";
import { convolutionGradient, isWindowed, meansGradient, type Windowed } from "./windows.ts";

/** The same through a window, for every sample: adds to what is known of weights and inputs. */
function backThrough(
  layer: Windowed,
  parameters: Float64Array, // [parameters]
  trace: Trace,
  l: number,
  error: Float64Array, // [batch, outputs]
  gradient: Float64Array, // [parameters], written
  before: Float64Array, // [batch, inputs], written
): void {
  const { kind, from: [source], inputs, outputs } = layer, a = trace.values[source + 1];
  for (let n = 0; n < trace.batch.size; n++) {
    const each = error.subarray(n * outputs, (n + 1) * outputs);
    const to = before.subarray(n * inputs, (n + 1) * inputs);
    if (kind === "conv") {
      const x = a.subarray(n * (inputs + 1), (n + 1) * (inputs + 1));
      convolutionGradient(layer, parameters, x, each, gradient, to);
    } else if (kind === "avgpool") meansGradient(layer, each, to);
    else each.forEach((value, at) => to[trace.winners[l]![n * outputs + at]] += value);
  }
}

/** What a layer's values are differentiated by: their derivatives, or a surrogate of them. */
function slopesOf(
  { layers }: Network,
  trace: Trace,
  l: number,
  surrogate?: Surrogate,
): Float64Array { // [batch, outputs]
  const { states } = activationOf(layers[l].activation);
  if (!surrogate || !states) return trace.derivatives[l];
  return trace.inputs[l].map(surrogateSlope(states, surrogate));
}

/** The derivative of the mean loss by backpropagation. */
export function backprop(
  network: Network,
  parameters: Float64Array, // [parameters]
  trace: Trace,
  surrogate?: Surrogate,
): Float64Array { // [parameters]
  const { layers, classes } = network;
  const { batch, residuals } = trace;
  const gradient = new Float64Array(network.parameters);
  const { derivative } = losses[network.loss], width = residualsOf(network);
  // dL/d of what each layer gives: the sum over all that take it. [batch, outputs]
  const errors = layers.map(({ outputs }) => new Float64Array(batch.size * outputs));
  const logits = errors.at(-1)!;
  for (let n = 0; n < batch.size; n++) {
    for (let k = 0; k < classes; k++) {
      logits[n * classes + k] = derivative(residuals, n * width, batch.labels[n], classes, k) /
        batch.size;
    }
  }
  for (let l = layers.length - 1; l >= 0; l--) {
    const { kind, from, inputs, outputs, offset } = layers[l];
    const slopes = slopesOf(network, trace, l, surrogate);
    const error = errors[l].map((value, at) => value * slopes[at]); // dL/dz
    if (kind === "sum") {
      for (const source of from) {
        if (source !== DATA) error.forEach((value, at) => errors[source][at] += value);
      }
      continue;
    }
    const [source] = from, a = trace.values[source + 1], layer = layers[l];
    if (isWindowed(layer)) {
      // What comes of the data's own derivatives is of no use.
      const before = errors[source] ?? new Float64Array(batch.size * inputs);
      backThrough(layer, parameters, trace, l, error, gradient, before);
      continue;
    }
    for (let n = 0; n < batch.size; n++) {
      for (let i = 0; i <= inputs; i++) {
        const input = a[n * (inputs + 1) + i], row = offset + i * outputs;
        let sum = 0;
        for (let j = 0; j < outputs; j++) {
          gradient[row + j] += input * error[n * outputs + j];
          sum += parameters[row + j] * error[n * outputs + j];
        }
        if (source !== DATA && i < inputs) errors[source][n * inputs + i] += sum;
      }
    }
  }
  return gradient;
}
