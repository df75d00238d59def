/**
 * Losses of one sample: value, exact finite change, gradient. Twin of shaders/losses/.
 *
 * The forward pass leaves one row of residuals a sample, [classes + 1]: what the change needs of
 * the unperturbed pass.
 */

import type { Loss } from "../core/network.ts";
import { expm1 } from "./special.ts";

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
  /** L(logits + d) - L(logits), exact for any finite d. */
  change(
    residuals: Float64Array, // [batch, classes + 1]
    row: number,
    target: number,
    epsilon: number,
    d: Float64Array, // [classes]
  ): number;
  /** The same where only logit k changes. */
  changeOfOne(
    residuals: Float64Array, // [batch, classes + 1]
    row: number,
    target: number,
    epsilon: number,
    classes: number,
    k: number,
    d: number,
  ): number;
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
 * Change of -log(p + epsilon) when 1/p grows by the factor 1 + v. The first form never subtracts
 * near-equals; the second, for large v, never divides 1 + v by itself.
 */
function crossEntropyChange(v: number, p: number, epsilon: number): number {
  if (epsilon === 0) return Math.log1p(v);
  return v < 0.5
    ? -Math.log1p(-p * v / ((1 + v) * (p + epsilon)))
    : Math.log((p + epsilon) / (p / (1 + v) + epsilon));
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
    change(residuals, row, target, epsilon, d) {
      let v = 0; // the target's own term is expm1(0) = 0
      for (let k = 0; k < d.length; k++) v += residuals[row + k] * expm1(d[k] - d[target]);
      return crossEntropyChange(v, residuals[row + target], epsilon);
    },
    changeOfOne(residuals, row, target, epsilon, classes, k, d) {
      const v = k === target ? residuals[row + classes] * expm1(-d) : residuals[row + k] * expm1(d);
      return crossEntropyChange(v, residuals[row + target], epsilon);
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
    change(residuals, row, _target, _epsilon, d) {
      let sum = 0;
      for (let k = 0; k < d.length; k++) sum += d[k] * (2 * residuals[row + k] + d[k]);
      return sum / 2;
    },
    changeOfOne: (residuals, row, _target, _epsilon, _classes, k, d) =>
      d * (2 * residuals[row + k] + d) / 2,
    derivative: (residuals, row, _target, _epsilon, k) => residuals[row + k],
  },
};
