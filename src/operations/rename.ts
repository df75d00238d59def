/** Operations that leave every value as it is. */

import { type Maps, noWords, sizeOfShape, type Structure, textOfShape } from "./structure.ts";

/** Maps as one row; dense layers understand it where it is left out. */
export const flatten: Structure<object> = {
  name: "flatten",
  onnx: ["Flatten"],
  takes: [1, 1],
  parse(words) {
    noWords(words);
    return {};
  },
  words: () => [],
  build: ([shape]) => ({ kind: undefined, shape: [sizeOfShape(shape)] }),
};

/** The same values row by row as maps of another shape. */
export const reshape: Structure<{ readonly maps: Maps }> = {
  name: "reshape",
  onnx: ["Reshape", "Squeeze", "Unsqueeze", "Transpose"],
  takes: [1, 1],
  parse(words) {
    const [channels, height, width] = /^([1-9]\d*)x([1-9]\d*)x([1-9]\d*)$/.exec(words[0] ?? "")
      ?.slice(1).map(Number) ?? [];
    if (words.length !== 1 || channels === undefined) {
      throw new SyntaxError("reshape takes channels, height and width, as in reshape 1x28x28");
    }
    return { maps: [channels, height, width] };
  },
  words: ({ maps }) => [textOfShape(maps)],
  build([shape], { maps }) {
    if (sizeOfShape(maps) !== sizeOfShape(shape)) {
      throw new RangeError(
        `it makes ${textOfShape(maps)} of ${textOfShape(shape)}, which are not as many values`,
      );
    }
    return { kind: undefined, shape: maps };
  },
};

/** Dropout as it is at inference: nothing. Its rate is kept for who reads the network. */
export const dropout: Structure<{ readonly rate: number }> = {
  name: "dropout",
  onnx: ["Dropout"],
  takes: [1, 1],
  parse(words) {
    const rate = Number(words[0]);
    if (words.length !== 1 || !(rate >= 0 && rate < 1)) {
      throw new SyntaxError("dropout takes a rate from 0 to below 1, as in dropout 0.5");
    }
    return { rate };
  },
  words: ({ rate }) => [`${rate}`],
  build: ([shape]) => ({ kind: undefined, shape }),
};
