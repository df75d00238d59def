/** Buffers that layers take in turns. */

import type { Layer } from "../core/network.ts";

/**
 * Which of as few buffers as may be holds each layer's values: from where they are computed to the
 * last layer that takes them, which has a buffer of its own.
 * @param isHeld whether a layer has values to be held at all.
 * @returns the buffers' numbers, from 0, by layer.
 */
export function turnsOf(
  layers: readonly Layer[],
  isHeld: (l: number) => boolean = () => true,
): Map<number, number> {
  const turns = new Map<number, number>(), free: number[] = [];
  const last = layers.map((_, l) => layers.findLastIndex(({ from }) => from.includes(l)));
  let buffers = 0;
  layers.forEach((_, m) => {
    if (!isHeld(m)) return;
    turns.set(m, free.pop() ?? buffers++);
    for (const [l, buffer] of turns) if (last[l] === m) free.push(buffer);
  });
  return turns;
}
