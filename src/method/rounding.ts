/** What float32 cannot see: nudges that are rounded away before anything is computed with them. */

import type { Engine, EngineOptions } from "../engine.ts";

/**
 * A line for people where h is too small for whole copies in float32: a weight w with w + h = w has
 * copies that are all the same, and a gradient of 0. Exact changes know nothing of it.
 * @returns it, or undefined where every nudge moves its weight.
 */
export function roundingNotice(
  { method, estimator: { h } }: EngineOptions,
  { backend }: Engine,
  parameters: Float64Array, // [parameters]
): string | undefined {
  if (method !== "copies" || backend !== "webgpu") return undefined;
  const nudge = Math.fround(h);
  const stays = (weight: number) =>
    Math.fround(Math.fround(weight) + nudge) === Math.fround(weight);
  const still = parameters.reduce((count, weight) => count + (stays(weight) ? 1 : 0), 0);
  if (still === 0) return undefined;
  const largest = parameters.reduce((max, weight) => Math.max(max, Math.abs(weight)), 0);
  return `h = ${h} is rounded away: w + h is w in float32 for ${still} of ${parameters.length} ` +
    `weights, whose copies change nothing; give --h ${(largest * 2 ** -23).toPrecision(1)} or ` +
    `more, or --engine differences`;
}
