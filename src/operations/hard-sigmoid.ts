/** Hard sigmoid, as PyTorch has it: z / 6 + 1/2, from 0 to 1. */

import wgsl from "../../shaders/operations/hard-sigmoid.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { rampBounds, rampChange } from "./ramp.ts";

const HIGH = 3, WIDTH = 2 * HIGH;

export const hardSigmoid: Activation = {
  name: "hard-sigmoid",
  onnx: "HardSigmoid",
  onnxNumbers: { alpha: { here: 1 / WIDTH, unsaid: 0.2 }, beta: { here: 0.5, unsaid: 0.5 } },
  wgsl,
  // Taken from the lower kink: z / 6 + 1/2 would lose the digits of what is left beside it.
  activate: (z) => Math.min(Math.max(z + HIGH, 0), WIDTH) / WIDTH,
  // A sixth of the change of z clipped to -3..3.
  change: (_a, _c, z, dz) => rampChange(-HIGH, HIGH, z, dz) / WIDTH,
  derivative: (z) => (Math.abs(z) < HIGH ? 1 / WIDTH : 0),
  range: [0, 1],
  steepest: 1 / WIDTH,
  work: 11,
  pieces: {
    slope: (z) => (Math.abs(z) < HIGH ? 1 / WIDTH : 0),
    bounds: (z) => rampBounds(-HIGH, HIGH, z),
  },
};
