/** Operations that leave every value as it is. */

import { noWords, sizeOfShape, type Structure } from "./structure.ts";

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
