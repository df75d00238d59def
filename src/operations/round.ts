/**
 * Quantised to a few levels: values between 0 and 1, evenly spaced, of which z gets the nearest (Zhou
 * et al., "DoReFa-Net", 2016); half way between two it gets the lower. On a device float32 says what
 * is half way.
 */

import wgsl from "../../shaders/operations/round.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { constants } from "./family.ts";
import { stepped } from "./states.ts";

/** The fewest and the most levels. */
const FEWEST = 2, MOST = 256;

/**
 * The activation of so many levels.
 * @throws {SyntaxError} when they are no whole number from 2 to 256.
 */
export function round(levels: number): Activation {
  if (!(Number.isInteger(levels) && levels >= FEWEST && levels <= MOST)) {
    throw new SyntaxError(
      `round takes a number of levels from ${FEWEST} to ${MOST}, as in round 4`,
    );
  }
  const perUnit = levels - 1;
  return stepped({
    name: `round ${levels}`,
    wgsl: `const LEVELS = ${levels}u;\n${constants({ GAP: 1 / perUnit })}${wgsl}`,
    low: 0,
    perUnit,
    thresholds: Array.from({ length: perUnit }, (_, i) => (i + 0.5) / perUnit),
    of: (z) => (z > 0 ? Math.max(0, Math.ceil(Math.min(z, 1) * perUnit - 0.5)) : 0),
    work: 5,
  });
}
