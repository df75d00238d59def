/** Leaky rectified linear unit: z above 0, else a small slope times z, usually 0.01. */

import wgsl from "../../shaders/operations/leaky-relu.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { constants, named } from "./family.ts";

const USUAL = 0.01, MOST = 100;

/**
 * The one of that slope below 0.
 * @throws {SyntaxError} when it is no number from 0 to 100.
 */
export function leakyRelu(slope: number = USUAL): Activation {
  if (!(slope >= 0 && slope <= MOST)) {
    throw new SyntaxError(
      `leaky-relu takes its slope below 0, a number from 0 to ${MOST}, as in leaky-relu 0.2`,
    );
  }
  return {
    name: named("leaky-relu", [slope], [USUAL]),
    onnx: "LeakyRelu",
    onnxNumbers: { alpha: slope },
    wgsl: constants({ SLOPE: slope, STEEPEST: Math.max(1, slope) }) + wgsl,
    activate: (z) => (z > 0 ? z : slope * z),
    // By the signs before and after. Across the kink it is the way to it, z, and the way behind it,
    // z + dz, each times its slope: both of one sign.
    change(a, _c, z, dz) {
      const after = z + dz;
      if (z > 0) return after > 0 ? dz : slope * after - z;
      return after > 0 ? after - a : slope * dz;
    },
    derivative: (z) => (z > 0 ? 1 : slope),
    range: [slope > 0 ? -Infinity : 0, Infinity],
    steepest: Math.max(1, slope),
    work: 5,
    pieces: {
      slope: (z) => (z > 0 ? 1 : slope),
      bounds: (z) => (z > 0 ? [0, Infinity] : [-Infinity, 0]),
    },
  };
}
