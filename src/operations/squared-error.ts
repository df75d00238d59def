/** Half the squared distance of the logits from the one-hot target, or any other. Residuals: y - t. */

import wgsl from "../../shaders/operations/squared-error.wgsl" with { type: "text" };
import type { Loss } from "./loss.ts";

/** Adds ((r + slope d)^2 - r^2) / 2 to each sum. */
function addHalfSquares(r: number, slope: number, d: Float64Array, sums: Float64Array): void {
  for (let i = 0; i < d.length; i++) sums[i] += slope * d[i] * (r + slope * d[i] / 2);
}

export const squaredError: Loss = {
  name: "squared-error",
  wgsl,
  isSmooth: true,
  work: 3,
  residuals: (classes) => classes,
  value(logits, target, _epsilon, residuals, row, goal) {
    let sum = 0;
    for (let k = 0; k < logits.length; k++) {
      const residual = residuals[row + k] = logits[k] -
        (goal ? goal[k] : k === target ? 1 : 0);
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
};
