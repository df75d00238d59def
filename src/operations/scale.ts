/**
 * Scale and shift of each channel, as a batch norm is at inference: a convolution of one cell whose
 * every channel is its own group. Of a row, each value is a channel.
 */

import { type Maps, noWords, type Structure } from "./structure.ts";
import { windowOf } from "./window.ts";

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
    const input: Maps = shape.length === 3 ? shape : [shape[0], 1, 1], [channels] = input;
    const window = windowOf(input, channels, channels, { kernel: [1, 1] });
    const tensors = ["W", "b"].map((letter) => ({ letter, shape: [channels] }));
    return { kind: "conv", shape, window, tensors };
  },
};
