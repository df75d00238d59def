/**
 * Losses of one sample: value, exact finite change, gradient. Twin of shaders/losses/, which hold the
 * derivations.
 *
 * The forward pass leaves one row of residuals a sample, as long as core/network.ts says: what the
 * change needs of the unperturbed pass.
 */

import type { Loss } from "../core/network.ts";
import { addExpm1, expm1, log1p, sigmoid, softplusChange, softplusRest } from "./special.ts";

/** One loss. `target` is the class, `row` where the sample's residuals start. */
export interface LossFunction {
  /** The loss; writes the sample's residuals. */
  value(
    logits: Float64Array, // [classes]
    target: number,
    epsilon: number,
    residuals: Float64Array, // [batch, residualsOf(network)]
    row: number,
  ): number;
  /**
   * L(logits + d direction) - L(logits) for every length d, exact for any d: one copy of the network
   * each.
   */
  changes(
    residuals: Float64Array, // [batch, residualsOf(network)]
    row: number,
    target: number,
    direction: Float64Array, // [classes]
    lengths: Float64Array, // [copies]
    changes: Float64Array, // [copies], written
  ): void;
  /** The same where only logit k changes. */
  changesOfOne(
    residuals: Float64Array, // [batch, residualsOf(network)]
    row: number,
    target: number,
    classes: number,
    k: number,
    lengths: Float64Array, // [copies]
    changes: Float64Array, // [copies], written
  ): void;
  /** dL/d logit k. Only the backprop engine, which exists for comparison, asks for it. */
  derivative(
    residuals: Float64Array, // [batch, residualsOf(network)]
    row: number,
    target: number,
    classes: number,
    k: number,
  ): number;
}

/** The largest |x|; NaN where one is. */
function largest(values: Float64Array): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
}

/** Adds ((r + slope d)^2 - r^2) / 2 to each sum. */
function addHalfSquares(r: number, slope: number, d: Float64Array, sums: Float64Array): void {
  for (let i = 0; i < d.length; i++) sums[i] += slope * d[i] * (r + slope * d[i] / 2);
}

/** Where the numbers of a cross-entropy's row are, behind the probabilities. */
function placesIn(row: number, classes: number) {
  const logs = row + classes + 3;
  return {
    others: row + classes, // the sum of all probabilities but the target's
    share: row + classes + 1, // p / (p + epsilon) of the target
    rest: row + classes + 2, // epsilon / (p + epsilon)
    logs, // logarithms of the probabilities
    logOthers: logs + classes,
    odds: logs + classes + 1, // log p - log epsilon
    logRunners: logs + classes + 2, // of the sum of all probabilities but the largest
  };
}

/** Changes of -log(p + epsilon) when 1/p grows by the factors 1 + v, v > -1; in place of the v. */
function nearChanges(v: Float64Array, share: number, rest: number): void {
  for (let i = 0; i < v.length; i++) v[i] = log1p(share * v[i] / (1 + rest * v[i]));
}

/** The losses by name. */
export const lossFunctions: Record<Loss, LossFunction> = {
  /** Softmax and cross-entropy. */
  "cross-entropy": {
    value(logits, target, epsilon, residuals, row) {
      const classes = logits.length, at = placesIn(row, classes);
      let top = 0;
      for (let k = 1; k < classes; k++) if (logits[k] > logits[top]) top = k;
      /** Of all classes but one: the largest logit, and the sum of exponentials over its own. */
      const without = (one: number) => {
        let most = -Infinity, sum = 0;
        for (let k = 0; k < classes; k++) if (k !== one) most = Math.max(most, logits[k]);
        for (let k = 0; k < classes; k++) if (k !== one) sum += Math.exp(logits[k] - most);
        const below = most - logits[top];
        return { sum: sum * Math.exp(below), log: below + Math.log(sum) };
      };
      const runners = without(top), others = without(target);
      const sum = 1 + runners.sum, logSum = log1p(runners.sum);
      for (let k = 0; k < classes; k++) {
        residuals[row + k] = Math.exp(logits[k] - logits[top]) / sum;
        residuals[at.logs + k] = logits[k] - logits[top] - logSum;
      }
      const p = residuals[row + target], log = residuals[at.logs + target];
      const odds = log - Math.log(epsilon);
      residuals[at.others] = others.sum / sum;
      residuals[at.share] = sigmoid(odds);
      residuals[at.rest] = p > 0 ? epsilon / (p + epsilon) : sigmoid(-odds);
      residuals[at.logOthers] = others.log - logSum;
      residuals[at.odds] = odds;
      residuals[at.logRunners] = runners.log - logSum;
      return -Math.max(log, Math.log(epsilon)) - softplusRest(odds);
    },
    changes(residuals, row, target, direction, lengths, changes) {
      const classes = direction.length, at = placesIn(row, classes);
      const share = residuals[at.share], rest = residuals[at.rest];
      const reach = largest(lengths);
      let most = 0;
      for (let k = 0; k < classes; k++) {
        most = Math.max(most, Math.abs(direction[k] - direction[target]));
      }
      changes.fill(0); // the target's own term is expm1(0) = 0
      if (most * reach <= 1) { // v is -0.63 or more
        for (let k = 0; k < classes; k++) {
          const slope = direction[k] - direction[target];
          addExpm1(residuals[row + k], slope, lengths, reach, changes);
        }
        return nearChanges(changes, share, rest);
      }
      for (let i = 0; i < lengths.length; i++) {
        if (lengths[i] === 0) continue;
        const d = (k: number) => lengths[i] * (direction[k] - direction[target]);
        let v = 0, sum = 0, top = -Infinity;
        for (let k = 0; k < classes; k++) top = Math.max(top, residuals[at.logs + k] + d(k));
        for (let k = 0; k < classes; k++) {
          const x = residuals[at.logs + k] + d(k);
          const p = residuals[row + k];
          // Where exp(d) overflows, or p is too small for float64, p expm1(d) need be neither.
          v += d(k) > (p < 1e-300 ? 1 : 700) ? Math.exp(x) - p : p * expm1(d(k));
          sum += Math.exp(x - top);
        }
        changes[i] = Math.abs(v) <= 0.5
          ? log1p(share * v / (1 + rest * v))
          : -softplusChange(residuals[at.odds], share, -(top + Math.log(sum)));
      }
    },
    // The target's logit moves, or all others the other way: the same for their differences.
    changesOfOne(residuals, row, target, classes, k, lengths, changes) {
      const at = placesIn(row, classes);
      const share = residuals[at.share], reach = largest(lengths);
      const [one, slope] = k === target ? [classes, -1] : [k, 1];
      const p = residuals[row + one];
      if (reach <= 1) {
        changes.fill(0);
        addExpm1(p, slope, lengths, reach, changes);
        return nearChanges(changes, share, residuals[at.rest]);
      }
      const others = k === target // the logarithm of 1 - p
        ? residuals[at.logs + target]
        : p > 0.5
        ? residuals[at.logRunners]
        : log1p(-p);
      const odds = residuals[at.logs + one] - others;
      for (let i = 0; i < lengths.length; i++) {
        const l = softplusChange(odds, p, slope * lengths[i]);
        changes[i] = -softplusChange(residuals[at.odds], share, -l);
      }
    },
    derivative(residuals, row, target, classes, k) {
      const at = placesIn(row, classes);
      return residuals[at.share] * (k === target ? -residuals[at.others] : residuals[row + k]);
    },
  },
  /** Half the squared distance of the logits from the one-hot target. Residuals: y - t. */
  "squared-error": {
    value(logits, target, _epsilon, residuals, row) {
      let sum = 0;
      for (let k = 0; k < logits.length; k++) {
        const residual = residuals[row + k] = logits[k] - (k === target ? 1 : 0);
        sum += residual * residual;
      }
      return sum / 2;
    },
    changes(residuals, row, _target, direction, lengths, changes) {
      changes.fill(0);
      for (let k = 0; k < direction.length; k++) {
        addHalfSquares(residuals[row + k], direction[k], lengths, changes);
      }
    },
    changesOfOne(residuals, row, _target, _classes, k, lengths, changes) {
      changes.fill(0);
      addHalfSquares(residuals[row + k], 1, lengths, changes);
    },
    derivative: (residuals, row, _target, _classes, k) => residuals[row + k],
  },
};
