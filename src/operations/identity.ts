/** No activation: the values go on as they are. */

import wgsl from "../../shaders/operations/identity.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";

export const identity: Activation = {
  name: "identity",
  onnx: "Identity",
  wgsl,
  activate: (z) => z,
  change: (_a, _c, _z, dz) => dz,
  derivative: () => 1,
  range: [-Infinity, Infinity],
  steepest: 1,
  work: 0,
  pieces: { slope: () => 1, bounds: () => [-Infinity, Infinity] },
};
