/** What a run costs, for people. */

import type { Cost } from "../run/protocol.ts";
import { t } from "../texts/texts.ts";

/** A time in two digits, in the unit that it is read in. */
export function time(milliseconds: number): string {
  const { cost } = t;
  const two = (value: number) => `${Number(value.toPrecision(2))}`;
  if (milliseconds < 1000) return cost.milliseconds(two(milliseconds));
  if (milliseconds < 60e3) return cost.seconds(two(milliseconds / 1e3));
  if (milliseconds < 3600e3) return cost.minutes(two(milliseconds / 60e3));
  return cost.hours(two(milliseconds / 3600e3));
}

/** A line with what a step and the whole run take. */
export const costLine = ({ step }: Cost, steps: number): string =>
  step === undefined ? t.cost.unmeasured : t.cost.line(time(step), time(step * steps));
