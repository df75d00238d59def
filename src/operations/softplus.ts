/** Softplus: log(1 + e^z). */

import wgsl from "../../shaders/operations/softplus.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { sigmoid, softplusChange, softplusRest } from "./special.ts";

export const softplus: Activation = {
  name: "softplus",
  onnx: "Softplus",
  wgsl,
  activate: (z) => Math.max(z, 0) + softplusRest(z),
  derivative: sigmoid,
  // (1 + e^(z+dz)) / (1 + e^z) = 1 + s (e^dz - 1) with s = sigmoid(z), the derivative, so the change
  // is log1p(s expm1(dz)). That is for nudges up to 1, where the argument stays above -0.64. A larger
  // one is relu's change with that of what is above relu, log1p(e^-|z|): never more than half of
  // relu's change where z stays above 0, and log 2 across 0; below 0 relu gives nothing, and what is
  // above it differs by a factor of e or more.
  change: (_a, c, z, dz) => softplusChange(z, c, dz),
  range: [0, Infinity],
  series: true,
  steepest: 1,
  work: 60,
};
