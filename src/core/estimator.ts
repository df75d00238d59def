/**
 * How a gradient is estimated from evaluations of the loss.
 *
 * A stencil nudges one weight at a time to a few points around its value and combines the changes
 * of the loss there. Random directions nudge all weights at once, as SPSA does.
 */

import { activationOf, structures } from "../operations/registry.ts";
import type { Node } from "./network.ts";

/** Estimators by name; `--estimator` spells them so. */
export const ESTIMATORS = ["forward", "central", "five-point", "spsa"] as const;
export type EstimatorName = (typeof ESTIMATORS)[number];

/** One evaluation in a stencil: the loss at w + offset h, with its weight in the sum. */
export interface StencilPoint {
  readonly offset: number;
  readonly coefficient: number;
}

/**
 * The derivative by f(w + offset h) - f(w), summed with the coefficients and divided by h
 * (Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids", 1988).
 * f(w) itself needs no copy: its change is 0.
 */
export const STENCILS: Record<Exclude<EstimatorName, "spsa">, readonly StencilPoint[]> = {
  "forward": [{ offset: 1, coefficient: 1 }],
  "central": [{ offset: 1, coefficient: 1 / 2 }, { offset: -1, coefficient: -1 / 2 }],
  "five-point": [
    { offset: 1, coefficient: 2 / 3 },
    { offset: -1, coefficient: -2 / 3 },
    { offset: 2, coefficient: -1 / 12 },
    { offset: -2, coefficient: 1 / 12 },
  ],
};

/** A choice of estimator with its settings. */
export interface Estimator {
  readonly name: EstimatorName;
  /** The step h of the difference. */
  readonly h: number;
  /** Random directions a step, for `spsa`; 0 for stencils. */
  readonly queries: number;
}

/**
 * Checks and completes a choice of estimator.
 * @throws {RangeError} when h is no number that can be divided by, or queries no positive whole
 *   number.
 */
export function createEstimator(name: EstimatorName, h: number, queries = 1): Estimator {
  // Where h is subnormal it has lost digits, and 1 / h is infinite; five-point goes to 2h.
  if (!(h >= 2 ** -1022 && h <= 2 ** 1022)) {
    throw new RangeError(
      `Cannot take differences with h = ${h}: h must be a positive number from 2.3e-308 to 4.4e307`,
    );
  }
  if (!Number.isInteger(queries) || queries < 1) {
    throw new RangeError(`Cannot use ${queries} queries: give a whole number from 1`);
  }
  return { name, h, queries: name === "spsa" ? queries : 0 };
}

/** The points that nudge one weight, or two for a random direction (w + h d and w - h d). */
export function stencilOf(estimator: Estimator): readonly StencilPoint[] {
  return STENCILS[estimator.name === "spsa" ? "central" : estimator.name];
}

/**
 * Refuses an h that float32 cannot compute with. Its smallest normal number is 2^-126, below which
 * devices may take 0: as a change of the loss this is a gradient of 2^-26 for the smallest h that is
 * taken. Of the largest, the coefficients over h and the batch are such numbers still.
 * @throws {RangeError} with the least and the largest that go.
 */
export function checkFloat32(estimator: Estimator, batch: number): void {
  const coefficients = stencilOf(estimator).map(({ coefficient }) => Math.abs(coefficient));
  const least = 2 ** -100, largest = Math.min(...coefficients) / batch * 2 ** 126;
  const { h } = estimator;
  if (h >= least && h <= largest) return;
  throw new RangeError(
    `Cannot take differences with h = ${h} on WebGPU: float32 has room for an h from ` +
      `${least.toPrecision(2)} to ${
        largest.toPrecision(2)
      }; give one within, or use --backend cpu, ` +
      `which computes in float64`,
  );
}

/** Losses over the batch that one gradient takes, when every nudged copy is counted as one. */
export function lossEvaluations(estimator: Estimator, parameters: number): number {
  const directions = estimator.name === "spsa" ? estimator.queries : parameters;
  return stencilOf(estimator).length * directions;
}

/** Whether some of the operations have steps, which only a nudge that is long enough takes. */
export const hasSteps = (nodes: readonly Pick<Node, "operation">[]): boolean =>
  nodes.some(({ operation }) => !(operation in structures) && activationOf(operation).states);

/**
 * The step h that a network needs where none is given: the tutorial's 1e-4; 1 where units have steps,
 * which a short nudge does not reach; and less where neighbours compete to be a max pool's largest,
 * which a longer nudge of a filter decides anew in many places.
 */
export function stepFor(nodes: readonly Pick<Node, "operation">[]): number {
  if (hasSteps(nodes)) return 1;
  return nodes.some(({ operation }) => operation === "maxpool") ? 1e-6 : 1e-4;
}
