/** Functions that keep small arguments exact. Twin of shaders/shared/special.wgsl. */

/**
 * exp(x) - 1. The series is the same function to the last bit but one where |x| is small, and
 * several times faster than the library's.
 */
export function expm1(x: number): number {
  return Math.abs(x) < 1e-3
    ? x * (1 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120)))))
    : Math.expm1(x);
}

/** log(1 + x), likewise: what is left out of the series is below x^6 / 7, 2e-19, of it. */
export function log1p(x: number): number {
  return Math.abs(x) < 1e-3
    ? x * (1 - x * (1 / 2 - x * (1 / 3 - x * (1 / 4 - x * (1 / 5 - x * (1 / 6))))))
    : Math.log1p(x);
}

/** tanh(x), likewise: the rest is below x^6 / 18. */
export function tanh(x: number): number {
  const x2 = x * x;
  return Math.abs(x) < 1e-3 ? x * (1 - x2 * (1 / 3 - x2 * (2 / 15))) : Math.tanh(x);
}

/** Up to here `addExpm1` takes its series, whose rest is below x^4 / 120, 2^-54, of the value. */
const TINY = 2 ** -12;

/**
 * Adds scale x (exp(slope d) - 1) to each sum, one for each d: most of a training step is spent
 * here. The series is not chosen anew for each d, but for all of them by their largest.
 */
export function addExpm1(
  scale: number,
  slope: number,
  d: Float64Array, // [copies]
  reach: number, // the largest |d|
  sums: Float64Array, // [copies]
): void {
  if (slope === 0) return;
  if (Math.abs(slope) * reach <= TINY) {
    const first = scale * slope;
    for (let i = 0; i < d.length; i++) {
      const x = slope * d[i];
      sums[i] += first * d[i] * (1 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24))));
    }
  } else {
    for (let i = 0; i < d.length; i++) sums[i] += scale * expm1(slope * d[i]);
  }
}

/** Logistic function, without overflow for either sign. */
export function sigmoid(z: number): number {
  if (z >= 0) return 1 / (1 + Math.exp(-z));
  const e = Math.exp(z);
  return e / (1 + e);
}

/**
 * sigmoid(after) - sigmoid(z) for any after = z + dz, as a product of factors of one sign:
 * f(z + dz) - f(z) = f(z + dz) f(-z) (1 - exp(-dz)), f = sigmoid, since f(-z) / f(z) = exp(-z).
 * For dz < 0, where exp(-dz) may overflow, the same of the mirrored unit, -z and -dz, its sign
 * turned.
 */
export function logisticChange(z: number, after: number, dz: number): number {
  return dz >= 0
    ? -expm1(-dz) * sigmoid(after) * sigmoid(-z)
    : expm1(dz) * sigmoid(-after) * sigmoid(z);
}

/**
 * max(z + dz, 0) - max(z, 0), by the signs before and after: the difference of the two would
 * subtract near-equals.
 */
export function rectifiedChange(z: number, dz: number): number {
  const after = z + dz;
  if (Number.isNaN(after)) return after;
  return z > 0 ? (after > 0 ? dz : -z) : (after > 0 ? after : 0);
}

/** log(1 + exp(y)) - max(y, 0) */
export function softplusRest(y: number): number {
  return log1p(Math.exp(-Math.abs(y)));
}

/**
 * log(1 + exp(y + dy)) - log(1 + exp(y)) for any dy, `s` being sigmoid(y). Up to |dy| = 1 it is
 * log1p(s expm1(dy)); beyond, the change of max(y, 0) and that of the rest, neither of which is then
 * the difference of near-equals.
 */
export function softplusChange(y: number, s: number, dy: number): number {
  if (Math.abs(dy) <= 1) return log1p(s * expm1(dy));
  return rectifiedChange(y, dy) + (softplusRest(y + dy) - softplusRest(y));
}
