/** Sigmoid-weighted linear unit (swish): z sigmoid(z). */

import wgsl from "../../shaders/operations/silu.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { gateChange } from "./gate.ts";
import { sigmoid } from "./special.ts";

export const silu: Activation = {
  name: "silu",
  wgsl,
  activate: (z) => z * sigmoid(z),
  change: (_a, _c, z, dz) => gateChange(z, dz, z, z + dz, dz),
  derivative: (z) => sigmoid(z) * (1 + z * sigmoid(-z)),
  range: [-0.2785, Infinity], // the minimum is at -1.2785
  steepest: 1.0999, // at 2.3994
  work: 60,
};
