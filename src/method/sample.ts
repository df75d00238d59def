/**
 * Checks of a part of a gradient, and what they may miss: elements that are drawn by seed, from every
 * tensor and from large and small ones alike; and random directions over whole tensors, which see
 * errors wherever they are.
 */

import type { ParameterTensor } from "../core/network.ts";
import type { Random } from "../core/random.ts";
import { changesAlong } from "../cpu/directions.ts";
import type { Freedom } from "../cpu/freedom.ts";
import type { Unperturbed } from "../cpu/responses.ts";

/** Of a tensor's elements by magnitude, where groups end: as many are drawn from each. */
const GROUPS = [0.01, 0.1, 0.5, 1];

/** Elements that are drawn from one group, at most. */
const MOST_DRAWN = 50_000;

/** Elements of one tensor in the order in which they are to be checked, group by group. */
export interface Draw {
  readonly groups: readonly { readonly size: number; readonly places: Uint32Array }[];
}

/**
 * Shares a number out among those that take it, to each as much until it has all that it can take.
 * @returns how much each gets: together `total`, or all that they can take.
 */
export function allot(total: number, most: readonly number[]): number[] {
  const given = most.map(() => 0);
  let left = total, open = most.map((_, i) => i).filter((i) => most[i] > 0);
  while (left > 0 && open.length > 0) {
    const share = Math.max(1, Math.floor(left / open.length));
    for (const i of open) {
      const more = Math.min(share, most[i] - given[i], left);
      given[i] += more;
      left -= more;
    }
    open = open.filter((i) => given[i] < most[i]);
  }
  return given;
}

/** Draws a tensor's elements, without replacement, grouped by the magnitude of someone's gradient. */
export function drawFrom(theirs: Float64Array, random: Random): Draw {
  const sizes = theirs.map(Math.abs), sorted = sizes.toSorted().reverse(); // the largest first
  const ends = GROUPS.map((share) => Math.ceil(share * sorted.length));
  // Elements of one magnitude are told apart by where they are.
  const limits = ends.map((end) => sorted[end - 1] ?? 0);
  const groups: number[][] = GROUPS.map(() => []);
  sizes.forEach((size, place) => {
    const group = limits.findIndex((limit) => size >= limit);
    groups[group < 0 ? GROUPS.length - 1 : group].push(place);
  });
  return {
    groups: groups.map((places) => {
      const drawn = random.sample(places.length, Math.min(places.length, MOST_DRAWN));
      return { size: places.length, places: drawn.map((at) => places[at]) };
    }),
  };
}

/** The chance that `checked` elements out of `size` hold none of `wrong` that are anywhere. */
export function chanceMissed(size: number, checked: number, wrong: number): number {
  let chance = 1;
  for (let i = 0; i < Math.min(wrong, size); i++) {
    chance *= Math.max(0, size - checked - i) / (size - i);
  }
  return chance;
}

/** Directions over each tensor, at most. */
export const DIRECTIONS = 4;

/**
 * The chance that so many normal directions all miss an error: along each it is a normal number with
 * the error's norm for its deviation, and seen if it is beyond what is allowed.
 * @param share how many times what is allowed the error's norm is.
 */
export function chanceUnseen(share: number, directions: number): number {
  return (1 - 2 * upperTail(share > 0 ? 1 / share : Infinity)) ** directions;
}

/** P(X > x) of a standard normal X, from its density (Zelen and Severo, 1964, 26.2.17: 7.5e-8). */
function upperTail(x: number): number {
  if (x === Infinity) return 0;
  const t = 1 / (1 + 0.2316419 * x),
    coefficients = [
      1.330274429,
      -1.821255978,
      1.781477937,
      -0.356563782,
      0.319381530,
    ];
  const series = coefficients.reduce((sum, c) => (sum + c) * t, 0);
  return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) * series;
}

/** One direction over a tensor: the slope of the loss along it, and what someone's gradient says. */
export interface Direction {
  /** What a right gradient may say. */
  readonly least: number;
  readonly most: number;
  readonly theirs: number;
  /** By how much more than it may theirs is away. */
  readonly outside: number;
}

/** Of h: exact changes lose nothing in a short nudge, and one of all weights at once crosses less. */
const SHORTER = 2 ** -10;

/**
 * The slope of the loss along a random direction of all of a tensor's elements, by exact changes to
 * either side, and what a gradient says it is.
 * @param layer that the tensor is of.
 */
export function alongTensor(
  at: Unperturbed,
  layer: number,
  { offset, size }: ParameterTensor,
  theirs: Float64Array, // of the tensor
  freedom: Freedom,
  h: number,
  random: Random,
): Direction {
  const { network, parameters, trace } = at, { batch } = trace, { layers } = network;
  const step = h * SHORTER, d = new Float64Array(network.parameters);
  let said = 0;
  for (let i = 0; i < size; i++) {
    const toward = random.normal();
    said += toward * theirs[i];
    d[offset + i] = step * toward;
  }
  const moves = (d: Float64Array) => changesAlong(network, parameters, trace, d, layer);
  const back = moves(d.map((each) => -each));
  let least = 0, most = 0, n = 0;
  for (const { loss, inputs, values } of moves(d)) {
    const slopes = [loss / step, -back.next().value!.loss / step];
    least += Math.min(...slopes) / batch.size;
    most += Math.max(...slopes) / batch.size;
    for (const { layer: l, sample, unit, cells, strength } of freedom.undecided) {
      if (sample !== n) continue;
      const taken = cells && values[layers[l].from[0] + 1];
      const moved = taken
        ? Math.max(...cells.map((cell) => Math.abs(taken[cell] - taken[cells[0]])))
        : Math.abs(inputs[l][unit]);
      least -= strength * moved / step;
      most += strength * moved / step;
    }
    n++;
  }
  const others = freedom.others.map((other) => {
    let sum = 0;
    for (let i = offset; i < offset + size; i++) {
      sum += d[i] / step * (other[i] - freedom.derivatives.gradient[i]);
    }
    return sum;
  });
  least += Math.min(0, ...others);
  most += Math.max(0, ...others);
  return { least, most, theirs: said, outside: Math.max(0, least - said, said - most) };
}
