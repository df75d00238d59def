/** z times a sigmoid of it, which silu and gelu are. */

import { expm1, logisticChange, sigmoid } from "./special.ts";

/**
 * The exact change of z sigmoid(v) when z moves by dz and v, which grows with z, by dv to `after`.
 *
 * With the lower and the higher of the two places,
 *   f(high) - f(low) = (high - low) s(low) + high (s(high) - s(low)).
 * Where z is positive before or after, neither term is negative. Where it is negative both times,
 * they have opposite signs, for the function falls and rises there: the error is then within a few
 * roundings of |dz| s(low) and high (s(high) - s(low)), not of the change, which at the minimum
 * vanishes to first order.
 */
export function gateChange(z: number, dz: number, v: number, after: number, dv: number): number {
  const s = sigmoid(v);
  let ds = logisticChange(v, after, dv);
  if (Math.abs(dv) <= 1) {
    const e = expm1(dv);
    ds = s * sigmoid(-v) * e / (1 + s * e);
  }
  if (dz > 0) return dz * s + (z + dz) * ds;
  return dz * (dv >= -1 ? s + ds : sigmoid(after)) + z * ds;
}
