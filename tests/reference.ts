/**
 * Finite differences in arithmetic of 64 digits: both nudged copies of a network forward, and
 * subtracted.
 */

import { Decimal } from "decimal.js";
import type { StencilPoint } from "../src/core/estimator.ts";
import type { Layer, Network } from "../src/core/network.ts";
import { DEFINITIONS } from "./definitions.ts";

export const Exact = Decimal.clone({ precision: 64, maxE: 9e15, minE: -9e15 });
export type Exact = Decimal;

const zero = new Exact(0), one = new Exact(1);

/** exp, 0 where it is below what any number here can show. */
function exp(x: Exact): Exact {
  return x.lt(-3000) ? zero : x.exp();
}

/** 1 / (1 + exp(-z)) */
function sigmoid(z: Exact): Exact {
  return z.isNegative() ? exp(z).div(exp(z).plus(1)) : one.div(exp(z.neg()).plus(1));
}

/** An activation's value. */
const activate = (name: Layer["activation"], z: Exact) =>
  DEFINITIONS[name as keyof typeof DEFINITIONS](z);

/** f(z + dz) - f(z); f(-z) = 1 - f(z) and tanh(z) = 2 f(2z) - 1 keep what 1 would swallow. */
export function change(name: Layer["activation"], z: Exact, dz: Exact): Exact {
  const after = z.plus(dz);
  if (name === "tanh") return change("sigmoid", z.times(2), dz.times(2)).times(2);
  return name === "sigmoid" && z.gt(0) && after.gt(0)
    ? sigmoid(z.neg()).minus(sigmoid(after.neg()))
    : activate(name, after).minus(activate(name, z));
}

/** The loss of one sample. */
export function loss({ loss, epsilon }: Network, logits: Exact[], label: number): Exact {
  if (loss === "squared-error") {
    const sum = logits.reduce((sum, y, k) => sum.plus(y.minus(k === label ? 1 : 0).pow(2)), zero);
    return sum.div(2);
  }
  const largest = logits.reduce((a, b) => Exact.max(a, b));
  const sum = logits.reduce((sum, y) => sum.plus(exp(y.minus(largest))), zero);
  if (epsilon === 0) return sum.ln().plus(largest).minus(logits[label]);
  return exp(logits[label].minus(largest)).div(sum).plus(epsilon).ln().neg();
}

/** Where a sample's forward pass stands: what each layer takes, and each layer's inputs z. */
export interface Pass {
  readonly values: Exact[][]; // layers of [inputs + 1]
  readonly z: Exact[][]; // layers of [outputs]
}

/** The forward pass itself. */
export function passOf(network: Network, parameters: Float64Array, x: ArrayLike<number>): Pass {
  const values = [[...Array.from(x, (value) => new Exact(value)), one]], z: Exact[][] = [];
  for (const { inputs, outputs, offset, activation } of network.layers) {
    const a = values.at(-1)!;
    const sums = Array.from({ length: outputs }, (_, j) => {
      let sum = zero;
      for (let i = 0; i <= inputs; i++) {
        if (!a[i].isZero()) sum = sum.plus(a[i].times(parameters[offset + i * outputs + j]));
      }
      return sum;
    });
    z.push(sums);
    values.push([...sums.map((value) => activate(activation, value)), one]);
  }
  return { values, z };
}

/** A gradient, and how large what was added up to it is. */
export interface Reference {
  readonly gradient: Float64Array; // [parameters]
  /** Sums of the changes' magnitudes, by the stencil: what relative errors are relative to. */
  readonly magnitude: Float64Array; // [parameters]
  /** The largest |dz| of any unit or logit, up to 100: exp(dz) loses as many roundings. */
  readonly reach: number;
}

/**
 * The gradient by the stencil of samples whose passes are given, which may be those of a device with
 * all their roundings: from there on, each nudged copy is exact.
 */
export function reference(
  network: Network,
  parameters: Float64Array,
  passes: Pass[],
  labels: ArrayLike<number>,
  stencil: readonly StencilPoint[],
  h: number,
): Reference {
  const { layers } = network;
  const gradient = new Float64Array(network.parameters);
  const magnitude = new Float64Array(network.parameters);
  let reach = 0;
  /** The loss when layer l's inputs are others, less what it is. */
  const lossChange = ({ z }: Pass, label: number, l: number, dz: (Exact | undefined)[]): Exact => {
    for (const d of dz) if (d) reach = Math.min(100, Math.max(reach, d.abs().toNumber()));
    if (l === layers.length - 1) {
      const after = z[l].map((value, k) => value.plus(dz[k] ?? 0));
      return loss(network, after, label).minus(loss(network, z[l], label));
    }
    const { activation } = layers[l], next = layers[l + 1];
    const sums = Array.from({ length: next.outputs }, () => zero);
    dz.forEach((d, j) => {
      if (!d || d.isZero()) return;
      const da = change(activation, z[l][j], d);
      if (da.isZero()) return;
      const row = next.offset + j * next.outputs;
      for (let k = 0; k < sums.length; k++) sums[k] = sums[k].plus(da.times(parameters[row + k]));
    });
    return sums.every((sum) => sum.isZero()) ? zero : lossChange({ z } as Pass, label, l + 1, sums);
  };
  passes.forEach((pass, n) => {
    layers.forEach(({ inputs, outputs, offset }, l) => {
      for (let i = 0; i <= inputs; i++) {
        if (pass.values[l][i].isZero()) continue;
        for (let j = 0; j < outputs; j++) {
          const dz: (Exact | undefined)[] = new Array(outputs);
          for (const { offset: point, coefficient } of stencil) {
            dz[j] = pass.values[l][i].times(point * h);
            const dL = lossChange(pass, labels[n], l, dz).toNumber();
            const weight = coefficient / h / passes.length;
            gradient[offset + i * outputs + j] += weight * dL;
            magnitude[offset + i * outputs + j] += Math.abs(weight * dL);
          }
        }
      }
    });
  });
  return { gradient, magnitude, reach };
}
