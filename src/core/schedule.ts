/** How the learning rate goes over a run. */

/** Schedules by name; `--schedule` spells them so. */
export const SCHEDULES = ["constant", "cosine", "step"] as const;
export type ScheduleName = (typeof SCHEDULES)[number];

/** Steps of the step schedule: the rate falls to a tenth after each of these shares of the run. */
const DROPS = [1 / 2, 3 / 4];

/**
 * The learning rate of a step.
 * @param rate the rate at the start.
 * @param step from 0.
 * @param steps of the whole run.
 * @returns for `cosine`, half a cosine from `rate` towards 0 (Loshchilov and Hutter, "SGDR", 2017).
 */
export function scheduledRate(
  name: ScheduleName,
  rate: number,
  step: number,
  steps: number,
): number {
  if (name === "cosine") return rate * (1 + Math.cos(Math.PI * step / steps)) / 2;
  if (name === "step") return rate * 0.1 ** DROPS.filter((share) => step >= share * steps).length;
  return rate;
}
