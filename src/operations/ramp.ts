/** The ramp min(max(z, low), high), of which bounded piecewise activations are made. */

/**
 * How far a point that is moved by dz stands above a kink: z + dz - kink, so that nothing is
 * rounded before near-equals are subtracted. Of two numbers within twice of each other the difference
 * is exact (Sterbenz, "Floating-point computation", 1974): where z or dz is so near to the kink, that
 * comes first. Where neither is, z + dz can only come to the kink from far away, and is exact.
 */
function above(kink: number, z: number, dz: number): number {
  const isNear = (x: number) => Math.abs(x - kink) <= Math.min(Math.abs(x), Math.abs(kink));
  if (isNear(z)) return (z - kink) + dz;
  if (isNear(dz)) return (dz - kink) + z;
  return (z + dz) - kink;
}

/** The exact change of min(max(z, low), high), by the pieces that hold z and z + dz. */
export function rampChange(low: number, high: number, z: number, dz: number): number {
  const overLow = above(low, z, dz), overHigh = above(high, z, dz);
  if (z <= low) return overLow <= 0 ? 0 : overHigh >= 0 ? high - low : overLow;
  if (z >= high) return overHigh >= 0 ? 0 : overLow <= 0 ? low - high : overHigh;
  return overLow <= 0 ? low - z : overHigh >= 0 ? high - z : dz;
}

/** The bounds of the piece that holds z. */
export function rampBounds(low: number, high: number, z: number): readonly [number, number] {
  return z <= low ? [-Infinity, low] : z >= high ? [high, Infinity] : [low, high];
}
