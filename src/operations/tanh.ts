/** Hyperbolic tangent. */

import wgsl from "../../shaders/operations/tanh.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { logisticChange, sigmoid, tanh as tanhOf } from "./special.ts";

export const tanh: Activation = {
  name: "tanh",
  onnx: "Tanh",
  wgsl,
  activate: Math.tanh,
  // The addition theorem: tanh(z+dz) = (t + u) / (1 + t u), u = tanh(dz). Beyond, tanh(z) is
  // 2 sigmoid(2z) - 1.
  change(t, c, z, dz) {
    if (!(Math.abs(dz) <= 0.5)) return 2 * logisticChange(2 * z, 2 * (z + dz), 2 * dz);
    const u = tanhOf(dz);
    return c * u / (1 + t * u);
  },
  derivative: (z) => 4 * sigmoid(2 * z) * sigmoid(-2 * z),
  range: [-1, 1],
  series: true,
  steepest: 1,
  work: 25,
};
