/** The sum of two values or more, as where a residual branch joins the others. */

import { noWords, type Structure, textOfShape } from "./structure.ts";

export const add: Structure<object> = {
  name: "add",
  onnx: ["Add", "Sum"],
  takes: [2, Infinity],
  parse(words) {
    noWords(words);
    return {};
  },
  words: () => [],
  build(shapes) {
    const [first] = shapes, texts = shapes.map(textOfShape);
    if (texts.some((text) => text !== texts[0])) {
      throw new RangeError(`it adds what is ${texts.join(" and ")} wide; give them one width`);
    }
    return { kind: "sum", shape: first };
  },
};
