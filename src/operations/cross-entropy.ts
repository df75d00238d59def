/**
 * Softmax and cross-entropy, -log(p + epsilon) of the target's probability p. Its residuals are the
 * probabilities, and what `placesIn` says; shaders/operations/cross-entropy.wgsl has the derivations.
 */

import wgsl from "../../shaders/operations/cross-entropy.wgsl" with { type: "text" };
import type { Loss } from "./loss.ts";
import { addExpm1, expm1, log1p, sigmoid, softplusChange, softplusRest } from "./special.ts";

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

export const crossEntropy: Loss = {
  name: "cross-entropy",
  wgsl,
  isSmooth: true,
  work: 12,
  residuals: (classes) => 2 * classes + 7,
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
    let most = 0;
    for (let k = 0; k < classes; k++) {
      most = Math.max(most, Math.abs(direction[k] - direction[target]));
    }
    changes.fill(0); // the target's own term is expm1(0) = 0
    for (let k = 0; k < classes; k++) {
      addExpm1(residuals[row + k], direction[k] - direction[target], lengths, changes);
    }
    nearChanges(changes, share, rest);
    for (let i = 0; i < lengths.length; i++) {
      if (most * Math.abs(lengths[i]) <= 1) continue; // v is -0.63 or more
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
    const share = residuals[at.share];
    const [one, slope] = k === target ? [classes, -1] : [k, 1];
    const p = residuals[row + one];
    changes.fill(0);
    addExpm1(p, slope, lengths, changes);
    nearChanges(changes, share, residuals[at.rest]);
    const others = k === target // the logarithm of 1 - p
      ? residuals[at.logs + target]
      : p > 0.5
      ? residuals[at.logRunners]
      : log1p(-p);
    const odds = residuals[at.logs + one] - others;
    for (let i = 0; i < lengths.length; i++) {
      if (Math.abs(lengths[i]) <= 1) continue;
      const l = softplusChange(odds, p, slope * lengths[i]);
      changes[i] = -softplusChange(residuals[at.odds], share, -l);
    }
  },
  derivative(residuals, row, target, classes, k) {
    const at = placesIn(row, classes);
    return residuals[at.share] * (k === target ? -residuals[at.others] : residuals[row + k]);
  },
};
