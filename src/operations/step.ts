/** Step unit: 1 where z > 0, else 0. No derivative trains it; its exact finite change does. */

import wgsl from "../../shaders/operations/step.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";

export const step: Activation = {
  name: "step",
  wgsl,
  activate: (z) => (z > 0 ? 1 : 0),
  change: (a, _c, z, dz) => (z + dz > 0 ? 1 : 0) - a,
  derivative: () => 0,
  range: [0, 1],
  steepest: Infinity,
  work: 3,
  states: [0, 1],
};
