/** Activations whose values are a few, evenly spaced: steps, of which each lies behind a threshold. */

import type { Activation } from "./activation.ts";

/** The values of such an activation, ascending, and which of them each z has. */
export interface States {
  readonly values: readonly number[]; // [states]
  /** Where each value but the first begins, ascending. */
  readonly thresholds: readonly number[]; // [states - 1]
  /** Which value z has, counted from 0. */
  of(z: number): number;
}

/** What such an activation is told. */
interface Stepped extends Pick<Activation, "name" | "onnx" | "wgsl" | "work"> {
  /** The first value; there are `perUnit` of them from one whole number to the next. */
  readonly low: number;
  readonly perUnit: number;
  readonly thresholds: readonly number[];
  /** Which value z has, counted from 0. */
  of(z: number): number;
}

/** An activation by its thresholds. Its twin is shaders/shared/states.wgsl. */
export function stepped({ low, perUnit, thresholds, of, ...activation }: Stepped): Activation {
  const value = (state: number) => low + state / perUnit, last = thresholds.length;
  const values = Array.from({ length: last + 1 }, (_, state) => value(state));
  return {
    ...activation,
    activate: (z) => values[of(z)],
    change: (_a, _c, z, dz) => (of(z + dz) - of(z)) / perUnit,
    derivative: () => 0,
    range: [low, value(last)],
    steepest: Infinity,
    states: { values, thresholds, of },
  };
}

/**
 * How many of the values a unit can be moved to, at most, by what moves its input by up to `reach`:
 * as many as thresholds lie within 2 `reach`.
 */
export function statesWithin({ thresholds }: States, reach: number): number {
  // Room for sums that are rounded across a threshold, on a device in float32.
  const width = 2 * reach * (1 + 2 ** -16) + 2 ** -16;
  let most = 0;
  for (let first = 0, end = 0; first < thresholds.length; first++) {
    while (end < thresholds.length && thresholds[end] - thresholds[first] <= width) end++;
    most = Math.max(most, end - first);
  }
  return most;
}
