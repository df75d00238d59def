/**
 * How one tensor of a gradient may be a right one, rearranged or scaled: what people get wrong once
 * the numbers are there.
 */

import { sizeOfShape } from "../core/network.ts";

/** What has been done to a right tensor. */
export type Rearrangement =
  | { readonly kind: "factor"; readonly factor: number }
  | { readonly kind: "zero" }
  | { readonly kind: "transposed" }
  | { readonly kind: "axes swapped"; readonly axes: readonly number[] }
  | { readonly kind: "turned"; readonly axes: readonly number[] }
  | { readonly kind: "shifted"; readonly axis: number; readonly by: number }
  | { readonly kind: "shuffled"; readonly axis: number }
  | { readonly kind: "signs lost" }
  | { readonly kind: "clipped"; readonly limit: number }
  | { readonly kind: "decay"; readonly factor: number };

/** How far apart two are, relative to the second, in the Euclidean norm. */
export function distance(a: Float64Array, b: Float64Array): number {
  let difference = 0, norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, each, i) => sum + each * b[i], 0);

/** The factor by which one is nearest to another. */
export const factorOf = (theirs: Float64Array, right: Float64Array): number =>
  dot(theirs, right) / dot(right, right);

/**
 * The elements in another order: along axis d of what comes out, what lay along axes[d], and there
 * from index `from(d, i)` in place of i; 0 where that is undefined.
 */
function rearranged(
  data: Float64Array,
  shape: readonly number[],
  axes: readonly number[],
  from: (axis: number, i: number) => number | undefined = (_, i) => i,
): Float64Array {
  const strides = shape.map((_, d) => sizeOfShape(shape.slice(d + 1)));
  const lengths = axes.map((axis) => shape[axis]), at = lengths.map(() => 0);
  return data.map(() => {
    let place = 0, isInside = true;
    for (let d = 0; d < at.length; d++) {
      const i = from(d, at[d]);
      if (i === undefined) isInside = false;
      else place += i * strides[axes[d]];
    }
    for (let d = at.length - 1; d >= 0 && ++at[d] === lengths[d]; d--) at[d] = 0;
    return isInside ? data[place] : 0;
  });
}

/** All orders of so many axes, but the one that they have. */
function* orders(count: number): Generator<number[]> {
  function* extend(order: number[]): Generator<number[]> {
    if (order.length === count) yield order;
    for (let axis = 0; axis < count; axis++) {
      if (!order.includes(axis)) yield* extend([...order, axis]);
    }
  }
  for (const order of extend([])) if (order.some((axis, d) => axis !== d)) yield order;
}

/** Slices along an axis that are compared with each other to find an order, at most. */
const MOST_SLICES = 1000;

/** Whether slices along an axis are a right tensor's in another order. */
function isShuffled(
  theirs: Float64Array,
  right: Float64Array,
  shape: readonly number[],
  axis: number,
  fit: number,
): boolean {
  if (shape[axis] < 3 || shape[axis] > MOST_SLICES) return false;
  const order = shape.map((_, d) => d).filter((d) => d !== axis), size = right.length / shape[axis];
  if (size < 2) return false; // any numbers in another order are that
  const slices = (data: Float64Array) => {
    const rows = rearranged(data, shape, [axis, ...order]);
    return Array.from({ length: shape[axis] }, (_, i) => rows.subarray(i * size, (i + 1) * size));
  };
  const free = new Set(slices(right)), scale = Math.sqrt(dot(right, right) / shape[axis]);
  for (const slice of slices(theirs)) {
    let nearest: Float64Array | undefined, least = Infinity;
    for (const other of free) {
      let difference = 0;
      for (let i = 0; i < size && difference < least; i++) difference += (slice[i] - other[i]) ** 2;
      if (difference < least) [nearest, least] = [other, difference];
    }
    if (!nearest || Math.sqrt(least) > fit * scale) return false;
    free.delete(nearest);
  }
  return true;
}

/**
 * What has been done to a right tensor to make it what it is.
 * @param weights the tensor whose gradient it is.
 * @param fit how near it has to come, relative to the right one's norm.
 * @returns the first that fits; undefined where none does.
 */
export function rearrangementOf(
  theirs: Float64Array,
  right: Float64Array,
  shape: readonly number[],
  weights: Float64Array,
  fit: number,
): Rearrangement | undefined {
  const isNear = (candidate: Float64Array) => distance(theirs, candidate) <= fit;
  if (theirs.every((value) => value === 0)) return { kind: "zero" };
  const factor = factorOf(theirs, right);
  if (isNear(right.map((value) => factor * value))) return { kind: "factor", factor };
  const own = shape.map((_, d) => d);
  for (const axes of orders(shape.length)) {
    if (!isNear(rearranged(right, shape, axes))) continue;
    return shape.length === 2 ? { kind: "transposed" } : { kind: "axes swapped", axes };
  }
  const sets = shape.length > 2 ? [[2, 3], [2], [3], [0], [1]] : own.map((axis) => [axis]);
  for (const axes of sets) {
    if (axes.some((axis) => axis >= shape.length)) continue;
    const turned = rearranged(
      right,
      shape,
      own,
      (d, i) => axes.includes(d) ? shape[d] - 1 - i : i,
    );
    if (isNear(turned)) return { kind: "turned", axes };
  }
  for (const axis of own) {
    for (const by of [1, -1]) {
      const length = shape[axis];
      for (const isRound of [true, false]) {
        const from = (d: number, i: number) => {
          if (d !== axis) return i;
          const source = i - by;
          if (isRound) return (source + length) % length;
          return source >= 0 && source < length ? source : undefined;
        };
        if (isNear(rearranged(right, shape, own, from))) return { kind: "shifted", axis, by };
      }
    }
  }
  for (const by of [1, -1]) { // along all of it, as a flat array
    const rolled = right.map((_, i) => right[(i - by + right.length) % right.length]);
    if (isNear(rolled)) return { kind: "shifted", axis: -1, by };
  }
  for (const axis of own) {
    if (isShuffled(theirs, right, shape, axis, fit)) return { kind: "shuffled", axis };
  }
  if (isNear(right.map(Math.abs))) return { kind: "signs lost" };
  const limit = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (isNear(right.map((value) => Math.max(-limit, Math.min(value, limit))))) {
    return { kind: "clipped", limit };
  }
  const rest = theirs.map((value, i) => value - right[i]), size = dot(weights, weights);
  if (size > 0) {
    const decay = dot(rest, weights) / size;
    if (distance(rest, weights.map((weight) => decay * weight)) <= 10 * fit) {
      return { kind: "decay", factor: decay };
    }
  }
  return undefined;
}
