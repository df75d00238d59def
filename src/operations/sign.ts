/** Sign: -1, 0 or 1. */

import wgsl from "../../shaders/operations/sign.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";

export const sign: Activation = {
  name: "sign",
  onnx: "Sign",
  wgsl,
  activate: (z) => (z > 0 ? 1 : z < 0 ? -1 : 0),
  change: (a, _c, z, dz) => sign.activate(z + dz) - a,
  derivative: () => 0,
  range: [-1, 1],
  steepest: Infinity,
  work: 4,
  states: [-1, 0, 1],
};
