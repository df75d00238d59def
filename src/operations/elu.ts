/** Exponential linear unit: z above 0, else e^z - 1 times a scale, usually 1. */

import wgsl from "../../shaders/operations/elu.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { constants, named } from "./family.ts";
import { expm1 } from "./special.ts";

const USUAL = 1, LEAST = 1e-3, MOST = 100;

/**
 * The one of that scale below 0.
 * @throws {SyntaxError} when it is no number from 0.001 to 100.
 */
export function elu(scale: number = USUAL): Activation {
  if (!(scale >= LEAST && scale <= MOST)) {
    throw new SyntaxError(
      `elu takes its scale below 0, a number from ${LEAST} to ${MOST}, as in elu 0.5`,
    );
  }
  const steepest = Math.max(1, scale);
  return {
    name: named("elu", [scale], [USUAL]),
    onnx: "Elu",
    onnxNumbers: { alpha: scale },
    wgsl: constants({ SCALE: scale, STEEPEST: steepest }) + wgsl,
    activate: (z) => (z > 0 ? z : scale * expm1(z)),
    // By the signs before and after. Below 0, e^(z+dz) - e^z = e^z (e^dz - 1), or, where e^dz might
    // overflow, e^(z+dz) (1 - e^-dz), each times the scale. Across 0 it is what either side is away
    // from 0, both of one sign.
    change(a, c, z, dz) {
      const after = z + dz;
      if (z > 0) return after > 0 ? dz : scale * expm1(after) - z;
      if (after > 0) return after - a;
      return dz > 1 ? -scale * Math.exp(after) * expm1(-dz) : c * expm1(dz);
    },
    derivative: (z) => (z > 0 ? 1 : scale * Math.exp(z)),
    range: [-scale, Infinity],
    steepest,
    work: 40,
  };
}
