/** Which units of the layers behind may change when some of one layer's do. */

import type { Window } from "../operations/structure.ts";
import { type Layer, layersBehind } from "./network.ts";

/** Units that lie behind one another, of a layer or of what it takes: from the first up to the end. */
export type Range = readonly [first: number, end: number];

/** The least range that holds them all. */
const hull = (ranges: readonly Range[]): Range => [
  Math.min(...ranges.map(([first]) => first)),
  Math.max(...ranges.map(([, end]) => end)),
];

/** The input channels of a window that hold any of these values. */
export function channelsIn({ input: [, height, width] }: Window, [first, end]: Range): Range {
  const area = height * width;
  return [Math.floor(first / area), Math.ceil(end / area)];
}

/** The output channels that take any of these input channels: those of their groups. */
export function channelsFrom({ input, output, groups }: Window, [first, end]: Range): Range {
  const [taken, given] = [input[0] / groups, output[0] / groups];
  return [Math.floor(first / taken) * given, Math.ceil(end / taken) * given];
}

/** The units of a layer that take any of these values. */
function unitsFrom({ kind, outputs, window }: Layer, values: Range): Range {
  if (!window) return kind === "dense" ? [0, outputs] : values;
  const [first, end] = channelsFrom(window, channelsIn(window, values));
  const area = window.output[1] * window.output[2];
  return [first * area, end * area];
}

/** What moves of a layer and of what it takes. */
export interface Moved {
  /** Of the values that it takes; of a sum, in any of them. */
  readonly taken: Range;
  readonly units: Range;
}

/**
 * What of each layer behind layer l, in topological order, may change when these units of l do: a
 * channel of a convolution moves but the channels of its group, a channel of a pool itself alone, and
 * a dense layer moves whole.
 */
export function movedBehind(
  layers: readonly Layer[],
  l: number,
  units: Range,
): ReadonlyMap<number, Moved> {
  const moved = new Map<number, Moved>();
  for (const m of layersBehind(layers, l)) {
    const taken = hull(layers[m].from.flatMap((source) => {
      const before = source === l ? units : moved.get(source)?.units;
      return before ? [before] : [];
    }));
    moved.set(m, { taken, units: unitsFrom(layers[m], taken) });
  }
  return moved;
}
