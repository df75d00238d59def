/**
 * A gradient as shares that know nothing of one another, so that threads can evaluate them. A share
 * is some of the weights (or of the random directions), never some of the samples, and each value is
 * evaluated by one share alone: the bits do not depend on how many shares there are.
 */

import { type Estimator, stencilsOf } from "../core/estimator.ts";
import type { Network } from "../core/network.ts";
import type { Surrogate } from "../core/surrogate.ts";
import type { Way } from "../core/plan.ts";
import type { Slice } from "../core/slices.ts";
import type { Gradient, Method } from "../engine.ts";
import { backprop } from "./backprop.ts";
import { copies } from "./copies.ts";
import { differences } from "./differences.ts";
import { meanAlong, slopes } from "./directions.ts";
import { type Batch, forward, mean } from "./forward.ts";
import type { Share } from "./share.ts";

/** Of what a gradient is to be evaluated: plain data, that can be sent to another thread. */
export interface Problem {
  readonly network: Network;
  readonly method: Method;
  readonly surrogate?: Surrogate;
  readonly estimator: Estimator;
  readonly parameters: Float64Array; // [parameters]
  readonly batch: Batch;
  /** Of the random directions. */
  readonly keys: readonly number[]; // [queries]
  /** Of the layers with weights, by their index, where weights are nudged one by one. */
  readonly ways: Readonly<Record<number, Way>>;
  /** Whether equal inputs share a response. */
  readonly sharing: boolean;
  /** The elements that are asked for, by their index; default all. */
  readonly elements?: Uint32Array;
}

/** What one share comes to. */
export interface Part {
  readonly loss: number;
  /** Slopes for random directions, else the gradient; 0 in place of all other shares' values. */
  readonly values: Float64Array; // [queries], [parameters] or [elements]
}

/** Whether a method nudges all weights at once; backpropagation nudges none. */
const isRandom = (method: Method, estimator: Estimator) =>
  method !== "backprop" && estimator.name === "spsa";

/** Some of the elements, or all. */
const chosen = (gradient: Float64Array, elements?: Uint32Array) =>
  elements ? Float64Array.from(elements, (element) => gradient[element]) : gradient;

/** Evaluates one share. */
export function evaluate(problem: Problem, share: Share): Part {
  const { network, method, estimator, parameters, batch, keys, elements } = problem;
  const trace = forward(network, parameters, batch);
  const stencils = stencilsOf(estimator, network);
  const values = isRandom(method, estimator)
    ? slopes(network, parameters, trace, estimator.h, keys, method === "copies", share)
    : method === "differences"
    ? differences(
      { network, parameters, trace },
      stencils,
      problem.ways,
      problem.sharing,
      share,
      elements,
    )
    : method === "copies"
    ? copies(network, parameters, batch, stencils, share, elements)
    : share.index === 0 // backpropagation is one piece
    ? chosen(backprop(network, parameters, trace, problem.surrogate), elements)
    : new Float64Array(elements?.length ?? network.parameters);
  return { loss: mean(trace.losses), values };
}

/** What all shares come to: slopes for random directions, else the gradient. */
export function added(parts: readonly Part[]): Slice {
  const [{ loss, values }, ...others] = parts;
  for (const part of others) {
    for (let i = 0; i < values.length; i++) values[i] += part.values[i]; // one of them is 0
  }
  return { loss, values };
}

/** The gradient out of all its shares. */
export function combine(problem: Problem, parts: readonly Part[]): Gradient {
  const { network, method, estimator, keys, elements } = problem;
  const { loss, values } = added(parts);
  return {
    loss,
    gradient: isRandom(method, estimator)
      ? meanAlong(keys, values, network.parameters, elements)
      : values,
  };
}
