/** Exponential linear unit: z above 0, else e^z - 1. */

import wgsl from "../../shaders/operations/elu.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { expm1 } from "./special.ts";

export const elu: Activation = {
  name: "elu",
  onnx: "Elu",
  onnxNumbers: { alpha: { here: 1, unsaid: 1 } },
  wgsl,
  activate: (z) => (z > 0 ? z : expm1(z)),
  // By the signs before and after. Below 0, e^(z+dz) - e^z = e^z (e^dz - 1), or, where e^dz might
  // overflow, e^(z+dz) (1 - e^-dz). Across 0 it is what either side is away from 0, both of one sign.
  change(a, c, z, dz) {
    const after = z + dz;
    if (z > 0) return after > 0 ? dz : expm1(after) - z;
    if (after > 0) return after - a;
    return dz > 1 ? -Math.exp(after) * expm1(-dz) : c * expm1(dz);
  },
  derivative: (z) => (z > 0 ? 1 : Math.exp(z)),
  range: [-1, Infinity],
  steepest: 1,
  work: 40,
};
