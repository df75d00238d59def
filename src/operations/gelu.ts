/**
 * Gaussian error linear unit in its tanh form (Hendrycks and Gimpel, "Gaussian Error Linear Units",
 * 2016): z/2 (1 + tanh u), which is z sigmoid(2u), with 2u = 2 sqrt(2/pi) (z + 0.044715 z^3).
 */

import wgsl from "../../shaders/operations/gelu.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";
import { gateChange } from "./gate.ts";
import { sigmoid } from "./special.ts";

const SCALE = 2 * Math.sqrt(2 / Math.PI), CUBE = 0.044715;
/** Beyond this the sigmoid is 0 or 1 to more digits than there are, and a cube might overflow. */
const FAR = 30;

const near = (z: number) => Math.max(-FAR, Math.min(z, FAR));

/** The sigmoid's argument, for z that is near. */
const argument = (z: number) => SCALE * z * (1 + CUBE * z * z);

export const gelu: Activation = {
  name: "gelu",
  onnx: "Gelu",
  wgsl,
  activate: (z) => z * sigmoid(argument(near(z))),
  // The argument moves by SCALE dz (1 + CUBE (z^2 + z z' + z'^2)), z' = z + dz, and the last bracket
  // is 1 + CUBE (z^2 + z'^2 + (z + z')^2) / 2: a sum of squares, in which nothing cancels.
  change(_a, _c, z, dz) {
    const before = near(z), after = near(z + dz), both = before + after;
    const squares = before * before + after * after + both * both;
    const move = after === z + dz && before === z ? dz : after - before;
    const dv = SCALE * move * (1 + CUBE / 2 * squares);
    return gateChange(z, dz, argument(before), argument(after), dv);
  },
  derivative(z) {
    const close = near(z), v = argument(close);
    return sigmoid(v) * (1 + close * sigmoid(-v) * SCALE * (1 + 3 * CUBE * close * close));
  },
  range: [-0.1701, Infinity], // the minimum is at -0.7525
  steepest: 1.129, // at 1.4
  work: 70,
};
