/** How far float32 may be from exact arithmetic, at most: derived, not fitted. */

import { stencilOf } from "../core/estimator.ts";
import { DATA } from "../core/network.ts";
import type { EngineOptions } from "../engine.ts";
import { activationOf } from "../operations/registry.ts";
import { cellsOf, countsOf, weightsOf } from "./windows.ts";

/**
 * How far the copies method in float32 may be from the exact finite difference, at most. With unit
 * roundoff u, a dot product of K terms by fused multiply-adds errs by (K + 1) u times the sum of
 * the magnitudes (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1; one
 * more for the rounding of w + h itself), and a sum of K values by K u times theirs; activations pass errors on no larger and add 8 u of their
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
    // Bounds of the magnitudes of what each layer gives, and of their errors.
    const data = Array.from(x, (value) => Math.abs(value) / scale);
    const given: { a: number[]; error: number[] }[] = [];
    const of = (l: number) => l === DATA ? { a: data, error: data.map(() => 0) } : given[l];
    for (const layer of network.layers) {
      const { kind, from, inputs, outputs, offset, activation, window } = layer;
      const z = new Array(outputs).fill(0), dz = new Array(outputs).fill(0);
      const taken = from.map(of);
      /** A term of output j: value i, or the constant 1, times a parameter, or else a factor. */
      const add = (j: number, i: number | undefined, index: number | undefined, factor = 1) => {
        const weight = index === undefined ? factor : Math.abs(w[index]) + reach;
        for (const { a, error } of taken) {
          z[j] += (i === undefined ? 1 : a[i]) * weight;
          dz[j] += (i === undefined ? 0 : error[i]) * weight;
        }
      };
      let terms = from.length;
      if (kind === "dense") {
        terms = inputs + 2;
        for (let j = 0; j < outputs; j++) {
          for (let i = 0; i < inputs; i++) add(j, i, offset + i * outputs + j);
          add(j, undefined, offset + inputs * outputs + j);
        }
      } else if (!window) {
        for (let j = 0; j < outputs; j++) add(j, j, undefined);
      } else if (kind === "maxpool") { // the largest of errors and values
        const [{ a, error }] = taken;
        for (const { output, input } of cellsOf(window)) {
          z[output] = Math.max(z[output], a[input]);
          dz[output] = Math.max(dz[output], error[input]);
        }
      } else {
        const weights = weightsOf(window), places = window.output[1] * window.output[2];
        const counts = countsOf(window);
        terms = weights + 4;
        for (const { output, filter, input, weight } of cellsOf(window)) {
          const index = kind === "conv" ? offset + filter * weights + weight : undefined;
          add(output, input, index, 1 / counts[output]);
        }
        for (let j = 0; kind === "conv" && j < outputs; j++) {
          add(j, undefined, offset + window.output[0] * weights + Math.floor(j / places));
        }
      }
      const { states, steepest, range: [low], activate } = activationOf(activation);
      // What rises from end to end is largest there; what falls first is nowhere below its range.
      const least = Number.isFinite(low) ? Math.abs(low) : 0;
      given.push({
        error: z.map((value, j) => states ? 0 : steepest * (dz[j] + (terms + 8) * u * value)),
        a: z.map((value) => Math.max(least, Math.abs(activate(value)), Math.abs(activate(-value)))),
      });
    }
    const { a, error } = given.at(-1)!;
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
