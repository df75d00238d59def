/** Sign: -1, 0 or 1. */

import wgsl from "../../shaders/operations/sign.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { stepped } from "./states.ts";

export const sign: Activation = stepped({
  name: "sign",
  onnx: "Sign",
  wgsl,
  low: -1,
  perUnit: 1,
  thresholds: [0, 0],
  of: (z) => (z > 0 ? 2 : z < 0 ? 0 : 1),
  work: 4,
});
