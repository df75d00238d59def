/** A loss curve in text, for the end of a run on a terminal. */

import { plot } from "asciichart";

const COLUMNS = 60;
const ROWS = 10;

/**
 * Draws losses as a text curve; each column is the mean of the steps that fall into it.
 * @returns lines without colour, the last one naming the first and the last step.
 */
export function textCurve(losses: Float64Array): string { // losses: [steps]
  const columns = Math.min(COLUMNS, losses.length);
  const means = Array.from({ length: columns }, (_, column) => {
    const first = Math.floor(column * losses.length / columns);
    const last = Math.floor((column + 1) * losses.length / columns);
    return losses.subarray(first, last).reduce((sum, loss) => sum + loss, 0) / (last - first);
  });
  const curve = plot(means, {
    height: ROWS,
    format: (value: number) => value.toFixed(3).padStart(8),
  });
  const axis = "step 1".padEnd(columns - `${losses.length}`.length) + losses.length;
  return `    loss\n${curve}\n${" ".repeat(10)}${axis}`;
}
