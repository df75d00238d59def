/**
 * What twins of kernels of rows have in common: which rows of changes there are, what a layer does to
 * them, how far they hold, and the lists that they are taken from.
 */

import { activationOf } from "../operations/registry.ts";
import {
  ACTIVATION_UNITS,
  changed,
  type Expected,
  type Memory,
  type Numbers,
  type Output,
  range,
  type Twin,
  UNIT,
} from "./twin.ts";

/** Stands for infinity in shaders/effects/straight.wgsl. */
export const FAR = Math.fround(3e38);

/** The farthest that a kernel of rows says that a row holds: one over LEAST there. */
const FARTHEST = 1e37;

/** What is evaluated at a time: shaders/shared/part.wgsl. */
export function partOf(memory: Memory) {
  const [firstUnit, units, firstItem, items, outputs, perSample] = memory.words("part");
  const width = 4 * Math.ceil(units / 4);
  /** Of those, the units that there are. */
  const own = Math.min(units, outputs - firstUnit);
  return { firstUnit, units, firstItem, items, outputs, perSample, width, own };
}

/** A unit as the forward pass left it: value, derivative, input. */
export const unitAt = (memory: Memory, width: number) => {
  const values = memory.floats("values"), companions = memory.floats("companions");
  return (n: number, k: number) =>
    [
      values[n * (width + 1) + k],
      companions[2 * (n * width + k)],
      companions[2 * (n * width + k) + 1],
    ] as const;
};

/** One row of changes. */
export interface Row {
  readonly row: number;
  readonly response: number;
  readonly n: number;
  /** The unit that is nudged. */
  readonly unit: number;
  /** Of a convolution: the channel that is nudged; else 0. */
  readonly channel: number;
  /** Which of its weights: see shaders/shared/maps.wgsl. */
  readonly tap: number;
}

/** The nudges of filters' weights that are evaluated at a time: shaders/shared/maps.wgsl. */
export function mapsOf(memory: Memory, BATCH: number) {
  const [channels, taps, rows, firstItem, items] = memory.words("maps");
  const table = memory.words("taps");
  return {
    channels,
    taps,
    rows,
    firstItem,
    items,
    /** Responses of a channel. */
    responses: BATCH * taps,
    /** How many taps a channel has, without those that fill them up. */
    countOf: (local: number) => table[2 * local + 1],
    /** Which weight a response is of, and where its gradient goes. */
    tapOf: (local: number, tap: number): [tap: number, target: number] => {
      const at = 2 * (channels + local * taps + tap);
      return [table[at], table[at + 1]];
    },
    channelOf: (local: number) => table[2 * local],
  };
}

/** The rows of maps that there are. */
function* rowsOfMaps(
  memory: Memory,
  isListed: boolean,
  { BATCH, POINTS }: Numbers,
): Generator<Row> {
  const maps = mapsOf(memory, BATCH), { channels, taps, responses, firstItem, rows } = maps;
  const items = isListed ? memory.words("items") : undefined;
  for (let local = 0; local < channels; local++) {
    const count = items ? countOf(items[local], firstItem, maps.items) : responses;
    for (let r = 0; r < count * POINTS; r++) {
      const item = Math.floor(r / POINTS);
      const response = items
        ? items[channels + local * responses + firstItem + item]
        : local * responses + item;
      yield {
        row: local * rows + r,
        response,
        n: Math.floor(response / taps) % BATCH,
        unit: 0,
        channel: maps.channelOf(local),
        tap: maps.tapOf(local, response % taps)[0],
      };
    }
  }
}

/** Items of a list from the first on, of which there are so many, in a room. */
const countOf = (all: number, first: number, room: number) =>
  Math.min(Math.max(all - first, 0), room);

/** The rows that there are, as shaders/rows has them. */
export function* rowsOf(memory: Memory, rows: string, constants: Numbers): Generator<Row> {
  if (rows === "taps" || rows === "listed_taps") {
    yield* rowsOfMaps(memory, rows === "listed_taps", constants);
    return;
  }
  const { BATCH, POINTS } = constants;
  const { firstUnit, firstItem, items: room, outputs, perSample, width } = partOf(memory);
  const row = (row: number, response: number, perSample: number): Row => ({
    row,
    response,
    n: Math.floor(response / width / perSample),
    unit: Math.min(firstUnit + response % width, outputs - 1),
    channel: 0,
    tap: 0,
  });
  if (rows === "all") {
    for (let r = 0; r < BATCH * width; r++) yield row(r, r, 1);
    return;
  }
  const items = memory.words("items");
  if (rows === "elements") { // weights, each a unit and an input
    for (let r = 0; r < room * POINTS; r++) {
      const response = firstItem + Math.floor(r / POINTS);
      const unit = items[2 * Math.floor(response / BATCH)];
      yield { row: r, response, n: response % BATCH, unit, channel: 0, tap: 0 };
    }
    return;
  }
  const count = countOf(items[0], firstItem, room);
  for (let r = 0; r < count * POINTS; r++) {
    yield row(r, items[1 + firstItem + Math.floor(r / POINTS)], perSample);
  }
}

/**
 * Whether a list has all items that it must, none twice, and none that it may not have.
 * @param unsure items that rounding alone decides.
 * @param list which of several side by side, whose items begin at `first`.
 */
export function itemsOf(
  after: Memory,
  must: Set<number>,
  unsure = new Set<number>(),
  list = 0,
  first = 1,
): Output {
  const items = after.words("items"), missing = new Set(must), open = new Set(unsure);
  const elements = range(Math.min(items[list], items.length - first)).map((i): Expected => {
    const item = items[first + i], isRight = missing.delete(item) || open.delete(item);
    return { index: first + i, value: isRight ? item : -1 };
  });
  const all = must.size + unsure.size - open.size;
  return {
    buffer: "items",
    kind: "words",
    elements: [{ index: list, value: missing.size > 0 ? all : items[list] }, ...elements],
    bound: 0,
  };
}

/** The layer that changes: shaders/shared/row_quads.wgsl. */
export function changedLayer(memory: Memory) {
  const words = memory.words("changed"), [width, offset, inputs, first, behind, units] = words;
  const [reached, step, reachedBefore, stepBefore] = words.subarray(6);
  return {
    width,
    offset,
    inputs,
    first,
    behind,
    units,
    /** The first unit that changes. */
    startOf: ({ channel }: Row) => Math.floor(channel / reached) * step,
    /** The same of the layer before. */
    startBefore: ({ channel }: Row) => Math.floor(channel / reachedBefore) * stepBefore,
  };
}

/** A change of a unit's input, and what its error is relative to. */
export interface Moved {
  readonly dz: number;
  readonly magnitude: number;
  /** What else may be met on the way: how far it lies off, and how fast it comes nearer. */
  readonly meets?: readonly { gap: number; rate: number; magnitude: number }[];
}

/**
 * Rows of changes that a kernel leaves for one layer: the sums that `moved` gives and, where they
 * are complete, what they do to the units; with the reach, where that is straight.
 * @param terms in a sum.
 * @param moved by row, and place among the units that change.
 */
export function rowsThrough(
  before: Memory,
  constants: Numbers,
  { activation, rows, effect }: Parameters<Twin>[2],
  isComplete: boolean,
  terms: number,
  moved: (row: Row, k: number) => Moved,
): Output[] {
  const ROWS = 4 * constants.ROW_QUADS, { width, units, startOf } = changedLayer(before);
  const unit = unitAt(before, units), { pieces } = activationOf(activation!);
  const isStraight = effect === "straight";
  const known = isStraight ? before.floats("reaches") : new Float32Array();
  const bound = (terms + ACTIVATION_UNITS) * UNIT;
  const changes: Expected[] = [], reaches: Expected[] = [];
  for (const row of rowsOf(before, rows!, constants)) {
    const start = startOf(row), ahead = new Reach(known[row.row], bound);
    const behind = new Reach(known[ROWS + row.row], bound);
    for (let k = 0; k < width; k++) {
      const { dz, magnitude, meets = [] } = moved(row, k), index = k * ROWS + row.row;
      if (!isComplete) {
        changes.push({ index, value: dz, scale: magnitude });
      } else if (!isStraight) {
        changes.push({ index, ...changed(activation!, unit(row.n, start + k), dz, magnitude) });
      } else {
        const [, , z] = unit(row.n, start + k), slope = pieces!.slope(z);
        const [low, high] = pieces!.bounds(z);
        changes.push({ index, value: slope * dz, scale: Math.abs(slope) * magnitude });
        const up = Math.max(high - z, 0), down = Math.max(z - low, 0);
        ahead.meet(dz > 0 ? up : down, dz > 0 ? down : up, Math.abs(dz), magnitude);
        behind.meet(dz > 0 ? down : up, dz > 0 ? up : down, Math.abs(dz), magnitude);
        for (const { gap, rate, magnitude } of meets) {
          ahead.meet(rate > 0 ? gap : FAR, rate > 0 ? FAR : gap, Math.abs(rate), magnitude);
          behind.meet(rate > 0 ? FAR : gap, rate > 0 ? gap : FAR, Math.abs(rate), magnitude);
        }
      }
    }
    if (isStraight && isComplete) {
      reaches.push(ahead.at(row.row), behind.at(ROWS + row.row));
    }
  }
  return [
    { buffer: "changes", kind: "floats", elements: changes, bound },
    ...isStraight ? [{ buffer: "reaches", kind: "floats" as const, elements: reaches, bound }] : [],
  ];
}

/** How far a row's direction holds to one side: as far as the first kink that any unit meets. */
class Reach {
  #least: number; // and between what it may be, rounded
  #low: number;
  #high: number;
  readonly #bound: number;

  constructor(known: number, bound: number) {
    this.#least = this.#low = this.#high = Math.min(known, FARTHEST);
    this.#bound = bound;
  }

  /**
   * @param distance from a unit's input to its kink, `other` to the one on the other side.
   * @param speed how fast it goes there, which may be off by the bound times `magnitude`.
   */
  meet(distance: number, other: number, speed: number, magnitude: number): void {
    if (magnitude === 0) return; // it does not move
    // Kernels take no kink for nearer, and none for farther off; how far hardly counts there, as what
    // is below float32's normal numbers may be 0.
    const isMet = distance < FAR;
    distance = Math.min(Math.max(distance, 1e-30), FAR);
    const error = this.#bound * magnitude, near = Math.min(distance / (speed + error), FAR);
    const isSure = speed > error && isMet;
    this.#least = Math.min(this.#least, speed > 0 ? distance / speed : FAR);
    this.#low = Math.min(
      this.#low,
      speed > error ? near : Math.min(near, other / (speed + error)),
    );
    this.#high = Math.min(this.#high, isSure ? distance / (speed - error) : FAR);
  }

  at(index: number): Expected {
    const most = Math.max(this.#least - this.#low, this.#high - this.#least);
    return { index, value: this.#least, scale: this.#least + (most || 0) / this.#bound };
  }
}
