/**
 * Random directions of plus and minus one, for the SPSA estimator (Spall, "Multivariate stochastic
 * approximation using a simultaneous perturbation gradient approximation", IEEE TAC 1992).
 *
 * A sign is a hash of where it is used, not a draw from a stream: a device can make its own, and
 * every backend has the same. Twin of shaders/shared/directions.wgsl.
 */

/** One round of a 32-bit mixing function (the finaliser of splitmix32). */
function mix(bits: number): number {
  let t = bits ^ (bits >>> 16);
  t = Math.imul(t, 0x21f0aaad);
  t ^= t >>> 15;
  t = Math.imul(t, 0x735a2d97);
  return (t ^ (t >>> 15)) >>> 0;
}

/** The stream of signs of one query in one step. */
export function directionKey(seed: number, step: number, query: number): number {
  return mix((mix((mix((seed + 0x9e3779b9) | 0) + step) | 0) + query) | 0);
}

/** Plus or minus one, for the parameter at `index`. */
export function directionSign(key: number, index: number): number {
  return mix((key + Math.imul(index, 0x9e3779b9)) | 0) >>> 31 ? 1 : -1;
}
