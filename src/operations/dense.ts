/** A dense layer: z = a W + b. */

import type { Structure } from "./structure.ts";

export const dense: Structure = {
  name: "dense",
  onnx: "Gemm",
  takes: [1, 1],
  outputs(_, width) {
    if (!(Number.isInteger(width) && width! >= 1)) {
      throw new RangeError(`it is ${width} wide, and a width is a whole number from 1`);
    }
    return width!;
  },
  weights: (inputs, outputs) => ({ W: [inputs, outputs], b: [outputs] }),
};
