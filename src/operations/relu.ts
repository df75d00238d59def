/** Rectified linear unit: z above 0, else 0. */

import wgsl from "../../shaders/operations/relu.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { rectifiedChange } from "./special.ts";

export const relu: Activation = {
  name: "relu",
  onnx: "Relu",
  wgsl,
  activate: (z) => (z > 0 ? z : 0),
  change: (_a, _c, z, dz) => rectifiedChange(z, dz),
  derivative: (z) => (z > 0 ? 1 : 0),
  range: [0, Infinity],
  steepest: 1,
  work: 4,
  pieces: {
    slope: (z) => (z > 0 ? 1 : 0),
    bounds: (z) => (z > 0 ? [0, Infinity] : [-Infinity, 0]),
  },
};
