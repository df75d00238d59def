/** Hard sigmoid: slope z + offset, from 0 to 1; usually, as PyTorch has it, z / 6 + 1/2. */

import wgsl from "../../shaders/operations/hard-sigmoid.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { constants, inFloat32, named } from "./family.ts";
import { rampBounds, rampChange } from "./ramp.ts";

const USUAL = [1 / 6, 0.5], MOST = 1e3;

/**
 * The one of that slope and that offset.
 * @throws {SyntaxError} when the slope is no number from 0.001 to 1,000, or the offset none up to
 *   1,000 on either side.
 */
export function hardSigmoid(slope: number = USUAL[0], offset: number = USUAL[1]): Activation {
  if (!(slope >= 1 / MOST && slope <= MOST && Math.abs(offset) <= MOST)) {
    throw new SyntaxError(
      "hard-sigmoid takes its slope, above 0, and its value at 0, as in hard-sigmoid 0.2 0.5",
    );
  }
  const low = inFloat32(-offset / slope), high = inFloat32((1 - offset) / slope), run = 1 / slope;
  return {
    name: named("hard-sigmoid", [slope, offset], USUAL),
    onnx: "HardSigmoid",
    onnxNumbers: { alpha: slope, beta: offset },
    wgsl: constants({ LOW: low, HIGH: high, SLOPE: slope }) + wgsl,
    // Taken from the lower kink: slope z + offset would lose the digits of what is left beside it.
    activate: (z) => (Math.min(Math.max(z, low), high) - low) / run,
    // The slope times the change of z clipped to its kinks.
    change: (_a, _c, z, dz) => rampChange(low, high, z, dz) / run,
    derivative: (z) => (z > low && z < high ? slope : 0),
    range: [0, 1],
    steepest: slope,
    work: 11,
    pieces: {
      slope: (z) => (z > low && z < high ? slope : 0),
      bounds: (z) => rampBounds(low, high, z),
    },
  };
}
