/** Pools: the largest value of each window, or the mean of those that are not padding. */

import { type Maps, noWords, type Structure } from "./structure.ts";
import {
  mapsOf,
  pairOf,
  type Placement,
  placementOf,
  textOfPair,
  windowOf,
  wordsOfPlacement,
} from "./window.ts";

/** A pool whose windows lie side by side unless a stride is said. */
function pool(kind: "maxpool" | "avgpool", onnx: string): Structure<Placement> {
  return {
    name: kind,
    onnx: [onnx],
    takes: [1, 1],
    ofMaps: true,
    parse([size, ...words]) {
      if (size === undefined) throw new SyntaxError(`${kind} takes a size, as in ${kind} 2`);
      const { kernel, stride, pad } = placementOf(words, pairOf(size, "a size"), ["stride", "pad"]);
      return { kernel, ...(stride && { stride }), ...(pad && { pad }) };
    },
    words: ({ kernel, stride, pad, dilation }) => [
      textOfPair(kernel),
      ...wordsOfPlacement({
        stride: stride && textOfPair(stride) !== textOfPair(kernel) ? stride : undefined,
        pad,
        dilation,
      }),
    ],
    build([shape], placement) {
      const input = mapsOf(shape), [channels] = input;
      const window = windowOf(input, channels, channels, {
        ...placement,
        stride: placement.stride ?? placement.kernel,
      });
      return { kind, shape: window.output, window };
    },
  };
}

/** Its exact change is in src/cpu/windows.ts and shaders/rows_maxpool.wgsl. */
export const maxpool: Structure<Placement> = pool("maxpool", "MaxPool");
export const avgpool: Structure<Placement> = pool("avgpool", "AveragePool");

/** The mean of each map. */
export const globalavgpool: Structure<object> = {
  name: "globalavgpool",
  onnx: ["GlobalAveragePool"],
  takes: [1, 1],
  ofMaps: true,
  parse(words) {
    noWords(words);
    return {};
  },
  words: () => [],
  build([shape]) {
    const input: Maps = mapsOf(shape), [channels, height, width] = input;
    const window = windowOf(input, channels, channels, { kernel: [height, width] });
    return { kind: "avgpool", shape: window.output, window };
  },
};
