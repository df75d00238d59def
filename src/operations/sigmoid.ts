/** Logistic sigmoid. */

import wgsl from "../../shaders/operations/sigmoid.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { expm1, logisticChange, sigmoid as logistic } from "./special.ts";

export const sigmoid: Activation = {
  name: "sigmoid",
  onnx: "Sigmoid",
  wgsl,
  activate: logistic,
  // s(z+dz) = s e^dz / (1 + s (e^dz - 1)), so the change is s (1-s) e / (1 + s e), e = expm1(dz).
  // Up to |dz| = 1 its denominator is 1/3 or more, and nothing cancels.
  change(s, c, z, dz) {
    if (!(Math.abs(dz) <= 1)) return logisticChange(z, z + dz, dz);
    const e = expm1(dz);
    return c * e / (1 + s * e);
  },
  derivative: (z) => logistic(z) * logistic(-z),
  range: [0, 1],
  series: true,
  steepest: 0.25,
  work: 20,
};
