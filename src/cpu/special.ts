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
