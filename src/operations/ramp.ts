/** The ramp min(max(z, low), high), of which bounded piecewise activations are made. */

/**
 * How far a point that is moved by dz stands above a kink: z + dz - kink, so that nothing is
 * rounded before near-equals are subtracted. Where |dz| <= |kink|, the point can only come near the
 * kink from within twice of it, and z - kink is exact; from farther away it is z + dz that is
 * (Sterbenz, "Floating-point computation", 1974).
 */
function above(kink: number, z: number, dz: number): number {
  return Math.abs(dz) <= Math.abs(kink) ? (z - kink) + dz : (z + dz) - kink;
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
