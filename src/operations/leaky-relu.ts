/** Leaky rectified linear unit: z above 0, else 0.01 z. */

import wgsl from "../../shaders/operations/leaky-relu.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";

const SLOPE = 0.01;

export const leakyRelu: Activation = {
  name: "leaky-relu",
  onnx: "LeakyRelu",
  onnxNumbers: { alpha: { here: SLOPE, unsaid: 0.01 } },
  wgsl,
  activate: (z) => (z > 0 ? z : SLOPE * z),
  // By the signs before and after. Across the kink it is the way to it, z, and the way behind it,
  // z + dz, each times its slope: both of one sign.
  change(a, _c, z, dz) {
    const after = z + dz;
    if (z > 0) return after > 0 ? dz : SLOPE * after - z;
    return after > 0 ? after - a : SLOPE * dz;
  },
  derivative: (z) => (z > 0 ? 1 : SLOPE),
  range: [-Infinity, Infinity],
  steepest: 1,
  work: 5,
  pieces: {
    slope: (z) => (z > 0 ? 1 : SLOPE),
    bounds: (z) => (z > 0 ? [0, Infinity] : [-Infinity, 0]),
  },
};
