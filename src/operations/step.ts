/** Step unit: 1 where z > 0, else 0. No derivative trains it; its exact finite change does. */

import wgsl from "../../shaders/operations/step.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { stepped } from "./states.ts";

export const step: Activation = stepped({
  name: "step",
  wgsl,
  low: 0,
  perUnit: 1,
  thresholds: [0],
  of: (z) => (z > 0 ? 1 : 0),
  work: 3,
});
