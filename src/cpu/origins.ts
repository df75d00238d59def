/**
 * What the units of a sample have come of. In a max pool ties are common where an image is plain: two
 * of its cells are then equal in all that made them, and which of them is the winner is no matter.
 */

import { tapsOf } from "../operations/window.ts";
import type { Unperturbed } from "./responses.ts";
import { isWindowed } from "./windows.ts";

/** Mixes a number into another's bits. */
function mix(hash: number, bits: number): number {
  let t = Math.imul(hash ^ bits, 0x21f0aaad);
  t = Math.imul(t ^ (t >>> 15), 0x735a2d97);
  return (t ^ (t >>> 15)) >>> 0;
}

/**
 * Of one sample, numbers that are equal where a unit's value and all that made it are: it is then no
 * matter which of two such units of a channel a pool takes, for the gradients are the same. (Where an
 * image is all black around its digit, most windows are of this kind.) Units through which no
 * gradient passes count as equal.
 */
export function originsOf(
  { network: { layers }, trace }: Unperturbed,
  n: number,
  isDead: (l: number, unit: number) => boolean,
): Uint32Array[] { // layers + 1 of [outputs]
  const bits = new Uint32Array(2), value = new Float64Array(bits.buffer);
  const [x] = trace.values, width = x.length / trace.batch.size - 1;
  const data = Uint32Array.from({ length: width }, (_, i) => {
    value[0] = x[n * (width + 1) + i];
    return mix(mix(1, bits[0]), bits[1]);
  });
  const origins = [data];
  for (const [l, layer] of layers.entries()) {
    const { from, outputs } = layer, before = from.map((source) => origins[source + 1]);
    const own = new Uint32Array(outputs);
    if (isWindowed(layer)) {
      const { window, kind } = layer,
        taps = tapsOf(window),
        [channels, height, across] = window.output;
      const places = height * across, cells = taps.length / places;
      const area = window.input[1] * window.input[2];
      const given = channels / window.groups, taken = window.input[0] / window.groups;
      for (let at = 0; at < outputs; at++) {
        const channel = Math.floor(at / places), place = at % places;
        if (kind === "maxpool") {
          own[at] = before[0][trace.winners[l]![n * outputs + at]];
          continue;
        }
        if (channel % given !== 0) { // its group has seen the same
          own[at] = mix(own[at - (channel % given) * places], channel);
          continue;
        }
        let hash = mix(2, Math.floor(channel / given));
        for (let i = 0; i < taken; i++) {
          const map = (Math.floor(channel / given) * taken + i) * area;
          for (let cell = 0; cell < cells; cell++) {
            const tap = taps[place * cells + cell];
            hash = mix(hash, tap < 0 ? 3 : before[0][map + tap]);
          }
        }
        own[at] = hash;
      }
    } else {
      for (let j = 0; j < outputs; j++) {
        own[j] = layer.kind === "sum"
          ? before.reduce((hash, each) => mix(hash, each[j]), 4)
          : mix(mix(5, l), j);
      }
    }
    for (let j = 0; j < outputs; j++) if (isDead(l, j)) own[j] = 0;
    origins.push(own);
  }
  return origins;
}
