/**
 * Scale and shift of each channel, as a batch norm is at inference: a convolution of one cell whose
 * every channel is its own group.
 */

import { noWords, type Structure } from "./structure.ts";
import { mapsOf, windowOf } from "./window.ts";

export const scale: Structure<object> = {
  name: "scale",
  onnx: ["BatchNormalization"],
  takes: [1, 1],
  ofMaps: true,
  parse(words) {
    noWords(words);
    return {};
  },
  words: () => [],
  build([shape]) {
    const input = mapsOf(shape), [channels] = input;
    const window = windowOf(input, channels, channels, { kernel: [1, 1] });
    const tensors = ["W", "b"].map((letter) => ({ letter, shape: [channels] }));
    return { kind: "conv", shape: input, window, tensors };
  },
};
