/** The unperturbed forward pass in float64, and the trace of it that every method starts from. */

import { type Layer, type Network, residualsOf } from "../core/network.ts";
import type { Samples } from "../data/samples.ts";
import { activationOf, losses } from "../operations/registry.ts";
import {
  addBiases,
  addConvolution,
  addMeans,
  isWindowed,
  type Windowed,
  winners as winnersOf,
} from "./windows.ts";

/** A batch as the network sees it. */
export interface Batch {
  readonly size: number;
  /** Inputs, each row followed by a constant 1. */
  readonly x: Float64Array; // [batch, inputs + 1]
  readonly labels: Uint16Array; // [batch]
  /** What the outputs should be, where that is no one-hot row of the label. */
  readonly targets?: Float64Array; // [batch, outputs]
}

/** What one forward pass leaves behind. */
export interface Trace {
  readonly batch: Batch;
  /**
   * The data, then what each layer gives: layer l is at l + 1, and `DATA` at 0. Rows are followed by
   * a constant 1; the last are the logits.
   */
  readonly values: Float64Array[]; // layers + 1 of [batch, width + 1]
  /** What each layer's activation takes. */
  readonly inputs: Float64Array[]; // layers of [batch, outputs]
  /** Its derivative there, which exact changes are made with. */
  readonly derivatives: Float64Array[]; // layers of [batch, outputs]
  /** Where the largest value of each window of a max pool lies among a sample's; else nothing. */
  readonly winners: (Int32Array | undefined)[]; // layers of [batch, outputs]
  readonly residuals: Float64Array; // [batch, residualsOf(network)]
  readonly losses: Float64Array; // [batch]
}

/** Gathers samples into a batch; bytes become value / 255. */
export function gather(samples: Samples, indices: Uint32Array): Batch {
  const { count, inputs, x: source, targets: goals } = samples;
  const outputs = (goals?.length ?? 0) / count;
  const targets = goals && new Float64Array(indices.length * outputs);
  const bytes = source instanceof Uint8Array;
  const x = new Float64Array(indices.length * (inputs + 1)).fill(1);
  const labels = new Uint16Array(indices.length);
  for (let n = 0; n < indices.length; n++) {
    const from = indices[n] * inputs, to = n * (inputs + 1);
    for (let i = 0; i < inputs; i++) {
      x[to + i] = bytes ? source[from + i] / 255 : source[from + i];
    }
    labels[n] = samples.labels[indices[n]];
    for (let k = 0; k < outputs; k++) targets![n * outputs + k] = goals![indices[n] * outputs + k];
  }
  return { size: indices.length, x, labels, targets };
}

/** z = [a, 1] W for every sample. Zero inputs are passed over. */
export function dense(
  { inputs, outputs, offset }: Layer,
  parameters: Float64Array, // [parameters]
  a: Float64Array, // [batch, inputs + 1]
  z: Float64Array, // [batch, outputs]
): void {
  const batch = a.length / (inputs + 1);
  z.fill(0);
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i <= inputs; i++) {
      const value = a[n * (inputs + 1) + i];
      if (value === 0) continue;
      const row = offset + i * outputs, to = n * outputs;
      for (let j = 0; j < outputs; j++) z[to + j] += value * parameters[row + j];
    }
  }
}

/** z = the sum of what is taken, for every sample. */
function sum(taken: readonly Float64Array[], z: Float64Array, outputs: number): void {
  const batch = z.length / outputs;
  z.fill(0);
  for (const values of taken) { // [batch, outputs + 1]
    for (let n = 0; n < batch; n++) {
      for (let j = 0; j < outputs; j++) z[n * outputs + j] += values[n * (outputs + 1) + j];
    }
  }
}

/**
 * What a window makes of every sample's maps.
 * @returns the winners of a max pool.
 */
function look(
  layer: Windowed,
  parameters: Float64Array, // [parameters]
  a: Float64Array, // [batch, inputs + 1]
  z: Float64Array, // [batch, outputs], of zeros
): Int32Array | undefined { // [batch, outputs]
  const { kind, inputs, outputs } = layer;
  const all = kind === "maxpool" ? new Int32Array(z.length) : undefined;
  for (let n = 0; n * outputs < z.length; n++) {
    const x = a.subarray(n * (inputs + 1), (n + 1) * (inputs + 1));
    const to = z.subarray(n * outputs, (n + 1) * outputs);
    if (all) {
      const found = winnersOf(layer, x);
      all.set(found, n * outputs);
      found.forEach((winner, at) => to[at] = x[winner]);
    } else if (kind === "avgpool") addMeans(layer, x, to);
    else {
      addConvolution(layer, parameters, x, to);
      addBiases(layer, parameters, to);
    }
  }
  return all;
}

/** Runs a batch through the network. */
export function forward(network: Network, parameters: Float64Array, batch: Batch): Trace {
  const values = [batch.x], inputs: Float64Array[] = [], derivatives: Float64Array[] = [];
  const winners: Trace["winners"] = [];
  for (const layer of network.layers) {
    const { kind, from, outputs, activation } = layer;
    const z = new Float64Array(batch.size * outputs), taken = from.map((l) => values[l + 1]);
    if (isWindowed(layer)) winners.push(look(layer, parameters, taken[0], z));
    else {
      winners.push(undefined);
      if (kind === "dense") dense(layer, parameters, taken[0], z);
      else sum(taken, z, outputs);
    }
    const { activate, derivative } = activationOf(activation);
    const a = new Float64Array(batch.size * (outputs + 1)).fill(1);
    for (let n = 0; n < batch.size; n++) {
      for (let j = 0; j < outputs; j++) a[n * (outputs + 1) + j] = activate(z[n * outputs + j]);
    }
    values.push(a);
    inputs.push(z);
    derivatives.push(z.map(derivative));
  }
  const { classes } = network;
  const logits = values.at(-1)!;
  const width = residualsOf(network);
  const residuals = new Float64Array(batch.size * width);
  const lossOf = new Float64Array(batch.size);
  const { value } = losses[network.loss];
  for (let n = 0; n < batch.size; n++) {
    const row = n * (classes + 1);
    const sample = logits.subarray(row, row + classes);
    const goal = batch.targets?.subarray(n * classes, (n + 1) * classes);
    lossOf[n] = value(sample, batch.labels[n], network.epsilon, residuals, n * width, goal);
  }
  return { batch, values, inputs, derivatives, winners, residuals, losses: lossOf };
}

/** Mean of the losses. */
export function mean(losses: Float64Array): number {
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}
