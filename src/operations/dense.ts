/** A dense layer: z = a W + b, of a row or of maps row by row. */

import { sizeOfShape, type Structure } from "./structure.ts";

export const dense: Structure<{ readonly width: number }> = {
  name: "dense",
  onnx: ["Gemm", "MatMul"],
  takes: [1, 1],
  parse(words) {
    const width = Number(words[0]);
    if (words.length !== 1 || !Number.isInteger(width) || width < 1) {
      throw new SyntaxError("dense takes a width, a whole number from 1, as in dense 100");
    }
    return { width };
  },
  words: ({ width }) => [`${width}`],
  build([shape], { width }) {
    if (!(Number.isInteger(width) && width >= 1)) {
      throw new RangeError(`it is ${width} wide, and a width is a whole number from 1`);
    }
    const inputs = sizeOfShape(shape);
    return {
      kind: "dense",
      shape: [width],
      tensors: [{ letter: "W", shape: [inputs, width] }, { letter: "b", shape: [width] }],
      fan: [inputs, width],
    };
  },
};
