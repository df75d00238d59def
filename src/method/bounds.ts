/** How far float32 may be from exact arithmetic, at most: derived, not fitted. */

import { stencilOf } from "../core/estimator.ts";
import type { EngineOptions } from "../engine.ts";
import { activations } from "../operations/registry.ts";

/**
 * How far the copies method in float32 may be from the exact finite difference, at most. With unit
 * roundoff u, a dot product of K terms by fused multiply-adds errs by (K + 1) u times the sum of
 * the magnitudes (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1; one
 * more for the rounding of w + h itself); activations pass errors on no larger and add 8 u of their
 * value; the cross-entropy passes on at most twice the largest error of a logit and adds (C + 12) u
 * for its exponentials, sum, quotient and logarithm; the mean over N samples adds (N + 4) u of the
 * loss. All of it is divided by h.
 */
export function copiesErrorBound(
  { network, samples, batch, estimator }: EngineOptions,
  w: Float64Array, // [parameters]
): number {
  const u = 2 ** -24, { h } = estimator;
  const reach = Math.max(...stencilOf(estimator).map(({ offset }) => Math.abs(offset))) * h;
  const coefficients = stencilOf(estimator).reduce((sum, p) => sum + Math.abs(p.coefficient), 0);
  const centre = stencilOf(estimator).reduce((sum, p) => sum + p.coefficient, 0);
  let worst = 0;
  for (let n = 0; n < batch; n++) {
    const scale = samples.x instanceof Uint8Array ? 255 : 1;
    const x = samples.x.subarray(n * network.inputs, (n + 1) * network.inputs);
    let a = Array.from(x, (value) => Math.abs(value) / scale); // bounds of the values' magnitudes
    let error = a.map(() => 0); // and of their errors
    for (const { inputs, outputs, offset, activation } of network.layers) {
      const z = new Array(outputs).fill(0), dz = new Array(outputs).fill(0);
      for (let i = 0; i <= inputs; i++) {
        for (let j = 0; j < outputs; j++) {
          const weight = Math.abs(w[offset + i * outputs + j]) + reach;
          z[j] += (a[i] ?? 1) * weight;
          dz[j] += (error[i] ?? 0) * weight;
        }
      }
      const { states, steepest, range: [low], activate } = activations[activation];
      error = z.map((value, j) => states ? 0 : steepest * (dz[j] + (inputs + 2 + 8) * u * value));
      // What rises from end to end is largest there; what falls first is nowhere below its range.
      const least = Number.isFinite(low) ? Math.abs(low) : 0;
      a = z.map((value) => Math.max(least, Math.abs(activate(value)), Math.abs(activate(-value))));
    }
    const { classes, loss } = network;
    const largest = Math.max(...a);
    worst = Math.max(
      worst,
      loss === "cross-entropy"
        ? 2 * Math.max(...error) + (classes + 12) * u +
          (batch + 8) * u * (Math.log(classes) + 2 * largest)
        : a.reduce((sum, value, k) => sum + (value + 1) * error[k], 0) +
          (batch + classes + 8) * u * a.reduce((sum, value) => sum + (value + 1) ** 2, 0) / 2,
    );
  }
  return worst * (coefficients + Math.abs(centre)) / h;
}
