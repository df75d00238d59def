/** The sum of two values or more, as where a residual branch joins the others. */

import type { Structure } from "./structure.ts";

export const add: Structure = {
  name: "add",
  onnx: "Sum",
  takes: [2, Infinity],
  outputs(inputs) {
    if (inputs.some((width) => width !== inputs[0])) {
      throw new RangeError(`it adds what is ${inputs.join(" and ")} wide; give them one width`);
    }
    return inputs[0];
  },
  weights: () => ({}),
};
