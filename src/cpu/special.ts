/** Functions that keep small arguments exact. Twin of shaders/shared/special.wgsl. */

/**
 * exp(x) - 1. The series is the same function to the last bit but one where |x| is small, and
 * several times faster than the library's, which most of a training step is spent in.
 */
export function expm1(x: number): number {
  return Math.abs(x) < 1e-3
    ? x * (1 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120)))))
    : Math.expm1(x);
}

/** Logistic function, without overflow for either sign. */
export function sigmoid(z: number): number {
  if (z >= 0) return 1 / (1 + Math.exp(-z));
  const e = Math.exp(z);
  return e / (1 + e);
}
