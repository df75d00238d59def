/**
 * Whether what a worker answered is what it should have: nobody's numbers are taken on their word alone.
 * A newcomer's first slice is evaluated again, and of all others one piece in a hundred.
 */

import type { Slice } from "../core/slices.ts";

/**
 * How far an element may be off, over the largest of its piece: a thousandth. Adapters of one kind agree
 * in every bit, and others to some 1e-6 of it, so that this is passed by what is wrong alone, or by a kink
 * that lies between two roundings.
 */
const TOLERANCE = 1e-3;
/** The share of elements that a kink may have moved so; of few it is none. */
const KINKS = 0.01;
/** The share of pieces that are evaluated again. */
export const CHECKED = 0.01;

/** What is wrong with the values of a piece; undefined where nothing is. */
export function differs(values: Float64Array, reference: Float64Array): string | undefined {
  let largest = 0;
  for (const value of reference) {
    if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  }
  let off = 0, first = -1, isNumber = true;
  for (let i = 0; i < reference.length; i++) {
    const isNear = Math.abs(values[i] - reference[i]) <= TOLERANCE * largest;
    if (isNear || Object.is(values[i], reference[i])) continue;
    off++;
    if (first < 0 || (isNumber && !Number.isFinite(values[i]))) first = i;
    isNumber &&= Number.isFinite(values[i]);
  }
  if (isNumber && off <= KINKS * reference.length) return undefined;
  return `${off} of ${reference.length} numbers are wrong, the first ${values[first]} instead of ` +
    `${reference[first]}`;
}

/** Whether the losses over the batch are the same; they come of one forward pass. */
export const lossDiffers = (loss: number, reference: number): boolean =>
  !Object.is(loss, reference) &&
  !(Math.abs(loss - reference) <= TOLERANCE * Math.max(1e-3, Math.abs(reference)));

/** Whether any number is NaN or infinite: then all of it is evaluated again. */
export const isFinite = ({ loss, values }: Slice): boolean =>
  Number.isFinite(loss) && values.every(Number.isFinite);
