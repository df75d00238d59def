/**
 * Whether the answer is wrong: 1 where another class than the target has the largest logit, else 0; of
 * equals the first counts, as in evaluation. Its mean is the share of wrong answers, which no
 * derivative sees. Residuals: how far each logit is above the target's, how many beat it, the largest
 * of them before and behind it, and the target.
 */

import wgsl from "../../shaders/operations/zero-one.wgsl" with { type: "text" };
import type { Loss } from "./loss.ts";

/** Whether a class that is so far above the target has the better of it. */
const beats = (margin: number, k: number, target: number) =>
  margin > 0 || (margin === 0 && k < target);

export const zeroOne: Loss = {
  name: "zero-one",
  wgsl,
  work: 3,
  isSmooth: false,
  residuals: (classes) => classes + 4,
  value(logits, target, _epsilon, residuals, row) {
    const classes = logits.length;
    let count = 0, before = -Infinity, behind = -Infinity;
    for (let k = 0; k < classes; k++) {
      const margin = residuals[row + k] = logits[k] - logits[target];
      if (beats(margin, k, target)) count++;
      if (k < target) before = Math.max(before, margin);
      if (k > target) behind = Math.max(behind, margin);
    }
    residuals.set([count, before, behind, target], row + classes);
    return count > 0 ? 1 : 0;
  },
  changes(residuals, row, target, direction, lengths, changes) {
    const classes = direction.length, isWrong = residuals[row + classes] > 0 ? 1 : 0;
    for (let i = 0; i < lengths.length; i++) {
      let wrong = 0;
      for (let k = 0; k < classes; k++) {
        const margin = residuals[row + k] + lengths[i] * (direction[k] - direction[target]);
        if (k !== target && beats(margin, k, target)) wrong = 1;
      }
      changes[i] = wrong - isWrong;
    }
  },
  changesOfOne(residuals, row, target, classes, k, lengths, changes) {
    const [count, before, behind] = residuals.subarray(row + classes, row + classes + 3);
    const margin = residuals[row + k], isWrong = count > 0 ? 1 : 0;
    const others = count - (beats(margin, k, target) ? 1 : 0);
    for (let i = 0; i < lengths.length; i++) {
      const wrong = k === target
        ? before - lengths[i] >= 0 || behind - lengths[i] > 0
        : others > 0 || beats(margin + lengths[i], k, target);
      changes[i] = (wrong ? 1 : 0) - isWrong;
    }
  },
  derivative: () => 0,
};
