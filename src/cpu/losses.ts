/**
 * Losses of one sample: value, exact finite change, gradient. Twin of shaders/losses/.
 *
 * The forward pass leaves one row of residuals a sample, [classes + 1]: what the change needs of
 * the unperturbed pass.
 */

import type { Loss } from "../core/network.ts";
import { addExpm1, log1p } from "./special.ts";

/** One loss. `target` is the class, `row` where the sample's residuals start. */
export interface LossFunction {
  /** The loss; writes the sample's residuals. */
  value(
    logits: Float64Array, // [classes]
    target: number,
    epsilon: number,
    residuals: Float64Array, // [batch, classes + 1]
    row: number,
  ): number;
  /**
   * L(logits + d direction) - L(logits) for every length d, exact for any finite d: one copy of
   * the network each.
   */
  changes(
    residuals: Float64Array, // [batch, classes + 1]
    row: number,
    target: number,
    epsilon: number,
    direction: Float64Array, // [classes]
    lengths: Float64Array, // [copies]
    changes: Float64Array, // [copies], written
  ): void;
  /** The same where only logit k changes. */
  changesOfOne(
    residuals: Float64Array, // [batch, classes + 1]
    row: number,
    target: number,
    epsilon: number,
    classes: number,
    k: number,
    lengths: Float64Array, // [copies]
    changes: Float64Array, // [copies], written
  ): void;
  /** dL/d logit k. Only the backprop engine, which exists for comparison, asks for it. */
  derivative(
    residuals: Float64Array, // [batch, classes + 1]
    row: number,
    target: number,
    epsilon: number,
    k: number,
  ): number;
}

/**
 * Changes of -log(p + epsilon) when 1/p grows by the factors 1 + v; in place of the v. The first
 * form never subtracts near-equals; the second, for large v, never divides 1 + v by itself.
 */
function crossEntropyChanges(v: Float64Array, p: number, epsilon: number): void {
  const share = p / (p + epsilon);
  for (let i = 0; i < v.length; i++) {
    v[i] = epsilon === 0
      ? log1p(v[i])
      : v[i] < 0.5
      ? -log1p(-share * v[i] / (1 + v[i]))
      : Math.log((p + epsilon) / (p / (1 + v[i]) + epsilon));
  }
}

/** The largest |x|; NaN where one is. */
function largest(values: Float64Array): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
}

/** Adds ((r + slope d)^2 - r^2) / 2 to each sum. */
function addHalfSquares(r: number, slope: number, d: Float64Array, sums: Float64Array): void {
  for (let i = 0; i < d.length; i++) sums[i] += slope * d[i] * (2 * r + slope * d[i]) / 2;
}

/** The losses by name. */
export const lossFunctions: Record<Loss, LossFunction> = {
  /**
   * Softmax and cross-entropy. Residuals: the probabilities, then the sum of those that are not
   * the target's, which 1 - p_t would lose on a confident sample.
   */
  "cross-entropy": {
    value(logits, target, epsilon, residuals, row) {
      const classes = logits.length;
      let largest = -Infinity;
      for (let k = 0; k < classes; k++) largest = Math.max(largest, logits[k]);
      let sum = 0;
      for (let k = 0; k < classes; k++) sum += residuals[row + k] = Math.exp(logits[k] - largest);
      let others = 0;
      for (let k = 0; k < classes; k++) {
        residuals[row + k] /= sum;
        if (k !== target) others += residuals[row + k];
      }
      residuals[row + classes] = others;
      return epsilon === 0
        ? Math.log(sum) + largest - logits[target]
        : -Math.log(residuals[row + target] + epsilon);
    },
    changes(residuals, row, target, epsilon, direction, lengths, changes) {
      const reach = largest(lengths);
      changes.fill(0); // the target's own term is expm1(0) = 0
      for (let k = 0; k < direction.length; k++) {
        const slope = direction[k] - direction[target];
        addExpm1(residuals[row + k], slope, lengths, reach, changes);
      }
      crossEntropyChanges(changes, residuals[row + target], epsilon);
    },
    // The target's logit moves, or all others the other way: the same for their differences.
    changesOfOne(residuals, row, target, epsilon, classes, k, lengths, changes) {
      const [others, slope] = k === target ? [classes, -1] : [k, 1];
      changes.fill(0);
      addExpm1(residuals[row + others], slope, lengths, largest(lengths), changes);
      crossEntropyChanges(changes, residuals[row + target], epsilon);
    },
    derivative(residuals, row, target, epsilon, k) {
      const p = residuals[row + target];
      return (residuals[row + k] - (k === target ? 1 : 0)) * p / (p + epsilon);
    },
  },
  /** Half the squared distance of the logits from the one-hot target. Residuals: y - t, then 0. */
  "squared-error": {
    value(logits, target, _epsilon, residuals, row) {
      let sum = 0;
      for (let k = 0; k < logits.length; k++) {
        const residual = residuals[row + k] = logits[k] - (k === target ? 1 : 0);
        sum += residual * residual;
      }
      residuals[row + logits.length] = 0;
      return sum / 2;
    },
    changes(residuals, row, _target, _epsilon, direction, lengths, changes) {
      changes.fill(0);
      for (let k = 0; k < direction.length; k++) {
        addHalfSquares(residuals[row + k], direction[k], lengths, changes);
      }
    },
    changesOfOne(residuals, row, _target, _epsilon, _classes, k, lengths, changes) {
      changes.fill(0);
      addHalfSquares(residuals[row + k], 1, lengths, changes);
    },
    derivative: (residuals, row, _target, _epsilon, k) => residuals[row + k],
  },
};
