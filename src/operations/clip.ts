/** Values clipped to two bounds, usually 0 and 6 (ReLU6): min(max(z, low), high). */

import wgsl from "../../shaders/operations/clip.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { constants, inFloat32, named } from "./family.ts";
import { rampBounds, rampChange } from "./ramp.ts";

const USUAL = [0, 6], MOST = 1e37;

/**
 * The one of those bounds, of which one may be infinite.
 * @throws {SyntaxError} when they are no two numbers, the lower first.
 */
export function clip(from: number = USUAL[0], to: number = USUAL[1]): Activation {
  const low = inFloat32(from), high = inFloat32(to);
  const isOne = (bound: number) => Math.abs(bound) <= MOST || Math.abs(bound) === Infinity;
  const isBounded = from !== -Infinity || to !== Infinity;
  if (!(low < high && isOne(from) && isOne(to) && isBounded)) {
    throw new SyntaxError(
      "clip takes its two bounds, the lower first, as in clip 0 1 or clip -1 inf",
    );
  }
  return {
    name: named("clip", [from, to], USUAL),
    onnx: "Clip",
    onnxNumbers: { min: from, max: to },
    wgsl: constants({ LOW: low, HIGH: high }) + wgsl,
    activate: (z) => Math.min(Math.max(z, low), high),
    change: (_a, _c, z, dz) => rampChange(low, high, z, dz),
    derivative: (z) => (z > low && z < high ? 1 : 0),
    range: [from, to],
    steepest: 1,
    work: 10,
    pieces: {
      slope: (z) => (z > low && z < high ? 1 : 0),
      bounds: (z) => rampBounds(low, high, z),
    },
  };
}
