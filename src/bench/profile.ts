/** What a step's time goes to: the GPU's own clock, dispatch by dispatch. */

import type { Gpu, Timing } from "../gpu/device.ts";
import { median } from "./measurement.ts";

/** All dispatches of a step that say the same of themselves. */
export interface Share {
  /** The kernel and what it computes: `hop, dense 2: 100 to 50, tanh`. */
  readonly label: string;
  /** Dispatches a step. */
  readonly dispatches: number;
  /** Milliseconds a step, all of them together: the median of the steps. */
  readonly milliseconds: number;
}

/**
 * Sums up the timings of some steps by their labels.
 * @param steps timings of one step each.
 * @returns a label at a time, what takes longest first.
 */
export function sharesOf(steps: readonly (readonly Timing[])[]): Share[] {
  const labels = new Set(steps.flat().map(({ label }) => label));
  return [...labels].map((label): Share => {
    const own = steps.map((timings) => timings.filter((timing) => timing.label === label));
    const sums = own.map((timings) =>
      timings.reduce((sum, { nanoseconds }) => sum + nanoseconds / 1e6, 0)
    );
    const dispatches = Math.max(...own.map(({ length }) => length));
    return { label, dispatches, milliseconds: median(sums) };
  }).sort((a, b) => b.milliseconds - a.milliseconds);
}

/**
 * Times steps on the GPU's clock, behind one that is not counted.
 * @param step takes the next one.
 * @returns the timings of each; `undefined` where the adapter has no timestamps.
 */
export async function timedSteps(
  gpu: Gpu,
  step: () => Promise<unknown>,
  count: number,
): Promise<Timing[][] | undefined> {
  await step();
  const steps: Timing[][] = [];
  for (let i = 0; i < count; i++) {
    const timings = await gpu.timed(step);
    if (!timings) return undefined;
    steps.push(timings);
  }
  return steps;
}
