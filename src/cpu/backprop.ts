/**
 * The chain rule in float64, for comparison only: nothing that trains numerically uses it. Parts of
 * it can be replaced, to see what a backward pass with a mistake gives.
 */

import { DATA, type Network, residualsOf } from "../core/network.ts";
import { type Surrogate, surrogateSlope } from "../core/surrogate.ts";
import { activationOf, losses } from "../operations/registry.ts";
import type { Trace } from "./forward.ts";
import { convolutionGradient, isWindowed, meansGradient, type Windowed } from "./windows.ts";

/** What a layer's backward pass is made with. */
export interface Means {
  /** What errors are weighed with on their way back. */
  readonly weights: Float64Array; // [parameters]
  /** What weights are multiplied with on the way forward: as in a trace. */
  readonly values: readonly Float64Array[]; // layers + 1 of [batch, width + 1]
  /** Hands the errors of a max pool's windows, of sample n, to what they look at. */
  route(
    l: number,
    n: number,
    error: Float64Array, // [outputs]
    before: Float64Array, // [inputs], written
  ): void;
}

/** Hands each window's error to its winner. */
export const toWinners = ({ winners }: Trace): Means["route"] => (l, n, error, before) => {
  error.forEach((value, at) => before[winners[l]![n * error.length + at]] += value);
};

/** The same through a window, for every sample: adds to what is known of weights and inputs. */
function backThroughWindow(
  layer: Windowed,
  l: number,
  { weights, values, route }: Means,
  error: Float64Array, // [batch, outputs]
  gradient: Float64Array, // [parameters], written
  before: Float64Array, // [batch, inputs], written
): void {
  const { kind, from: [source], inputs, outputs } = layer, a = values[source + 1];
  for (let n = 0; n * outputs < error.length; n++) {
    const each = error.subarray(n * outputs, (n + 1) * outputs);
    const to = before.subarray(n * inputs, (n + 1) * inputs);
    if (kind === "conv") {
      const x = a.subarray(n * (inputs + 1), (n + 1) * (inputs + 1));
      convolutionGradient(layer, weights, x, each, gradient, to);
    } else if (kind === "avgpool") meansGradient(layer, each, to);
    else route(l, n, each, to);
  }
}

/**
 * Takes dL/dz of layer l back through it: adds to dL/d of its weights, and of what it takes. It is
 * linear in the error.
 */
export function backThrough(
  { layers }: Network,
  l: number,
  means: Means,
  error: Float64Array, // [batch, outputs]
  gradient: Float64Array, // [parameters], written
  errors: readonly Float64Array[], // layers of [batch, outputs], written
): void {
  const { kind, from, inputs, outputs, offset } = layers[l];
  if (kind === "sum") {
    for (const source of from) {
      if (source !== DATA) error.forEach((value, at) => errors[source][at] += value);
    }
    return;
  }
  const [source] = from, layer = layers[l], batch = error.length / outputs;
  if (isWindowed(layer)) {
    // What comes of the data's own derivatives is of no use.
    const before = errors[source] ?? new Float64Array(batch * inputs);
    backThroughWindow(layer, l, means, error, gradient, before);
    return;
  }
  const a = means.values[source + 1], { weights } = means;
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i <= inputs; i++) {
      const input = a[n * (inputs + 1) + i], row = offset + i * outputs;
      const isPassed = source !== DATA && i < inputs;
      if (input === 0 && !isPassed) continue;
      let sum = 0;
      for (let j = 0; j < outputs; j++) {
        gradient[row + j] += input * error[n * outputs + j];
        sum += weights[row + j] * error[n * outputs + j];
      }
      if (isPassed) errors[source][n * inputs + i] += sum;
    }
  }
}

/** The derivatives of the mean loss by the logits. */
export function logitErrors({ classes, loss, ...network }: Network, trace: Trace): Float64Array {
  const { batch, residuals } = trace, { derivative } = losses[loss];
  const width = residualsOf({ ...network, classes, loss });
  return Float64Array.from({ length: batch.size * classes }, (_, at) => {
    const n = Math.floor(at / classes);
    return derivative(residuals, n * width, batch.labels[n], classes, at % classes) / batch.size;
  }); // [batch, classes]
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

/** Parts of the chain rule that are to be others. */
export interface Replaced {
  /** dL/d logits. */
  readonly logits?: Float64Array; // [batch, classes]
  /** Derivatives of a layer's activation. */
  readonly slopes?: (l: number) => Float64Array; // [batch, outputs]
  /** What errors are weighed with on their way back. */
  readonly weights?: Float64Array; // [parameters]
  /** What weights are multiplied with. */
  readonly values?: readonly Float64Array[];
  readonly route?: Means["route"];
  /** Changes dL/d of what layer l gives, before it is used. */
  readonly adjust?: (l: number, error: Float64Array) => void;
}

/** The derivatives of the mean loss. */
export interface Derivatives {
  readonly gradient: Float64Array; // [parameters]
  /** By what each layer gives, and by what its activation takes. */
  readonly values: readonly Float64Array[]; // layers of [batch, outputs]
  readonly inputs: readonly Float64Array[]; // layers of [batch, outputs]
}

/** The chain rule, with some of its parts replaced. */
export function chainRule(
  network: Network,
  parameters: Float64Array, // [parameters]
  trace: Trace,
  replaced: Replaced = {},
): Derivatives {
  const { layers } = network, { batch } = trace;
  const { slopes = (l) => trace.derivatives[l], adjust } = replaced;
  const means: Means = {
    weights: replaced.weights ?? parameters,
    values: replaced.values ?? trace.values,
    route: replaced.route ?? toWinners(trace),
  };
  const gradient = new Float64Array(network.parameters), inputs: Float64Array[] = [];
  // dL/d of what each layer gives: the sum over all that take it. [batch, outputs]
  const values = layers.map(({ outputs }) => new Float64Array(batch.size * outputs));
  values.at(-1)!.set(replaced.logits ?? logitErrors(network, trace));
  for (let l = layers.length - 1; l >= 0; l--) {
    adjust?.(l, values[l]);
    const slope = slopes(l);
    inputs[l] = values[l].map((value, at) => value * slope[at]);
    backThrough(network, l, means, inputs[l], gradient, values);
  }
  return { gradient, values, inputs };
}

/** The derivative of the mean loss by backpropagation. */
export function backprop(
  network: Network,
  parameters: Float64Array, // [parameters]
  trace: Trace,
  surrogate?: Surrogate,
): Float64Array { // [parameters]
  const slopes = (l: number) => slopesOf(network, trace, l, surrogate);
  return chainRule(network, parameters, trace, { slopes }).gradient;
}
