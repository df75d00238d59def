/** Values clipped to 0..6 (ReLU6): min(max(z, 0), 6). */

import wgsl from "../../shaders/operations/clip.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { rampBounds, rampChange } from "./ramp.ts";

const LOW = 0, HIGH = 6;

export const clip: Activation = {
  name: "clip",
  onnx: "Clip",
  onnxNumbers: { min: { here: LOW, unsaid: -Infinity }, max: { here: HIGH, unsaid: Infinity } },
  wgsl,
  activate: (z) => Math.min(Math.max(z, LOW), HIGH),
  change: (_a, _c, z, dz) => rampChange(LOW, HIGH, z, dz),
  derivative: (z) => (z > LOW && z < HIGH ? 1 : 0),
  range: [LOW, HIGH],
  steepest: 1,
  work: 10,
  pieces: {
    slope: (z) => (z > LOW && z < HIGH ? 1 : 0),
    bounds: (z) => rampBounds(LOW, HIGH, z),
  },
};
