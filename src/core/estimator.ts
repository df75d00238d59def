/**
 * How a gradient is estimated from evaluations of the loss.
 *
 * A stencil nudges one weight at a time to a few points around its value and combines the changes
 * of the loss there. Random directions nudge all weights at once, as SPSA does.
 */

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
 * @throws {RangeError} when h is not positive and finite, or queries no positive whole number.
 */
export function createEstimator(name: EstimatorName, h: number, queries = 1): Estimator {
  if (!(h > 0 && Number.isFinite(h))) {
    throw new RangeError(`Cannot take differences with h = ${h}: h must be a positive number`);
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

/** Losses over the batch that one gradient takes, when every nudged copy is counted as one. */
export function lossEvaluations(estimator: Estimator, parameters: number): number {
  const directions = estimator.name === "spsa" ? estimator.queries : parameters;
  return stencilOf(estimator).length * directions;
}
