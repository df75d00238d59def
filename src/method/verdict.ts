/**
 * Whether a gradient of other origin is right: element by element, against central differences and
 * what kinks and float32 leave open around them.
 */

import { indexIn } from "../core/finite.ts";
import type { Around } from "../cpu/freedom.ts";
import type { Comparison } from "./gradcheck.ts";

/** Right; right but for what kinks decide; or off. */
export type Verdict = "right" | "kinks" | "off";

/** What a gradient is held against: some elements, or all. */
export interface Reference extends Around { // [elements]
  /** Central differences. */
  readonly ours: Float64Array; // [elements]
  /** Samples on which a copy of each crosses a kink. */
  readonly crossed: Uint32Array; // [elements]
}

/** A tensor as its file has it. */
export interface Called {
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether it is a matrix [outputs, inputs], where ours is [inputs, outputs]. */
  readonly turned: boolean;
}

/** One element of a gradient. */
export interface Element {
  readonly at: readonly number[];
  readonly theirs: number;
  readonly ours: number;
  /** What a right gradient may be. */
  readonly least: number;
  readonly most: number;
  /** Samples on which a copy of it crosses a kink. */
  readonly kinks: number;
}

/** One tensor of a gradient, and what is to be said of it. */
export interface Checked extends Comparison {
  /** Elements that were compared, of so many. */
  readonly checked: number;
  readonly size: number;
  /** Of those compared, with a kink between -h and +h. */
  readonly kinks: number;
  /** Of those compared, that are off, and that but kinks make right. */
  readonly wrong: number;
  readonly excused: number;
  readonly verdict: Verdict;
  /** The element that is farthest from what it may be; undefined where none is compared. */
  readonly worst?: Element;
}

/**
 * Holds a tensor against its reference. An element may be off by the tolerance times its magnitude,
 * or the tensor's root mean square where that is more: what a sum in float32 loses is lost of its
 * terms, which are as large in small elements as in others.
 * @param theirs those of the tensor's elements that are compared.
 * @param places where they lie in the tensor, in our order; default all of it.
 * @param isBent whether kinks leave anything open where no copy crosses one.
 * @param scale the tensor's root mean square; default that of the least values that are right.
 */
export function verdictOn(
  { name, shape, turned }: Called,
  size: number,
  theirs: Float64Array, // [elements]
  reference: Reference,
  tolerance: number,
  isBent: boolean,
  places?: Uint32Array, // [elements]
  scale = scaleOf(reference),
): Checked {
  const { ours, below, above, crossed } = reference, own = turned ? shape.toReversed() : shape;
  const whereIs = (e: number) => {
    const at = indexIn(own, places?.[e] ?? e);
    return turned ? at.reverse() : at;
  };
  let difference = 0, norm = 0, farthest = -1, largest = 0;
  let worst = -1, excess = -1, kinks = 0, wrong = 0, excused = 0;
  for (let e = 0; e < theirs.length; e++) {
    const distance = Math.abs(theirs[e] - ours[e]);
    difference += distance ** 2;
    norm += ours[e] ** 2;
    if (farthest < 0 || !(distance <= largest)) { // NaN is the worst of all
      largest = distance;
      farthest = e;
    }
    const { nearest, outside } = beside(reference, e, theirs[e]);
    const allowed = tolerance * Math.max(Math.abs(nearest), scale);
    if (crossed[e] > 0) kinks++;
    if (!(outside <= allowed)) wrong++;
    else if (distance > allowed && (isBent || crossed[e] > 0)) excused++;
    const share = outside / allowed;
    if (worst < 0 || !(share <= excess)) {
      excess = share;
      worst = e;
    }
  }
  const verdict = wrong > 0 ? "off" : excused > 0 ? "kinks" : "right";
  return {
    name,
    shape,
    relativeError: difference === 0 ? 0 : Math.sqrt(difference / norm),
    maxAbsDifference: largest,
    at: farthest < 0 ? [] : whereIs(wrong > 0 ? worst : farthest),
    checked: theirs.length,
    size,
    kinks,
    wrong,
    excused,
    verdict,
    worst: worst < 0 ? undefined : {
      at: whereIs(worst),
      theirs: theirs[worst],
      ours: ours[worst],
      least: ours[worst] + below[worst],
      most: ours[worst] + above[worst],
      kinks: crossed[worst],
    },
  };
}

/** What is right and nearest to a value of an element, and how far away it is. */
export function beside({ ours, below, above }: Reference, e: number, value: number) {
  const nearest = Math.min(Math.max(value, ours[e] + below[e]), ours[e] + above[e]);
  return { nearest, outside: Math.abs(value - nearest) };
}

/**
 * The root of the mean square of the least values that are right: a difference across a step is as
 * large as h is small, and says nothing of a tensor's scale.
 */
export function scaleOf(reference: Reference): number {
  const { length } = reference.ours;
  let sum = 0;
  for (let e = 0; e < length; e++) sum += beside(reference, e, 0).nearest ** 2;
  return Math.sqrt(sum / (length || 1));
}

/**
 * Opens a reference further: to the derivative where copies cross a kink, for a chain of kinks has
 * choices that no nudge makes; and by what a backward pass in float32 is free to give.
 * @param at where the elements lie in the others; default all of them.
 */
export function openTo(
  { ours, crossed, below, above }: Reference, // [elements]
  derivative: Float64Array,
  freedom: Around,
  at: (e: number) => number = (e) => e,
): void {
  for (let e = 0; e < ours.length; e++) {
    const i = at(e);
    if (crossed[e] > 0) {
      below[e] = Math.min(below[e], derivative[i] - ours[e]);
      above[e] = Math.max(above[e], derivative[i] - ours[e]);
    }
    below[e] += freedom.below[i];
    above[e] += freedom.above[i];
  }
}
