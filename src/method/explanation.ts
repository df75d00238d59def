/** What is wrong with a gradient, in words. */

import { layerName, type Network } from "../core/network.ts";
import type { Mistake } from "./mistakes.ts";
import type { Rearrangement } from "./rearrangements.ts";

/** Numbers that factors stem from. */
export interface Context {
  readonly batch: number;
  readonly classes: number;
  /** Where a filter looks, of each map. */
  readonly places: number;
}

/** A sentence for a mistake of the backward pass. */
export function explainMistake({ kind, layer, which }: Mistake, network: Network): string {
  const name = layerName(network, layer), { activation } = network.layers[layer];
  switch (kind) {
    case "targets missing":
      return "The loss: the error of the logits is not less the targets.";
    case "softmax missing":
      return "The loss: it is differentiated by the probabilities; the softmax is not.";
    case "softmax twice":
      return "The loss: the softmax is differentiated twice; p - t is by the logits already.";
    case "labels shifted":
      return "The loss: the targets are one class off.";
    case "one sample":
      return `Only sample ${which} counts, and not the whole batch.`;
    case "mask missing":
      return `${name}: the error is not multiplied by the slope of ${activation}` +
        `${activation === "relu" ? " (its mask is missing)" : ""}.`;
    case "mask inverted":
      return `${name}: the error is multiplied by 1 less the slope of ${activation}` +
        `${activation === "relu" ? " (its mask is inverted)" : ""}.`;
    case "slope at value":
      return `${name}: the slope of ${activation} is taken at its value, not at its input.`;
    case "slope of input":
      return `${name}: the slope of ${activation} is made of its input as if it were its value.`;
    case "slope of relu":
      return `${name}: the slope of ${activation} is that of relu.`;
    case "pool to all":
      return `${name}: the error goes to every cell of a window, and not to the largest alone.`;
    case "pool to first":
      return `${name}: the error goes to the first cell of a window, and not to the largest.`;
    case "pool shared":
      return `${name}: the error is shared among a window's cells, as a mean's is.`;
    case "mean undivided":
      return `${name}: the error is not divided by the cells of a window.`;
    case "branch missing":
      return `${name}: no error goes back into ${layerName(network, which!)}.`;
    case "input before activation":
      return `${name}: its weights' gradient is made with what it takes from before the activation.`;
    case "filters unturned":
      return `${name}: the error goes back through filters that are not turned around.`;
    case "filters swapped":
      return `${name}: the error goes back through filters with input and output channels swapped.`;
    case "matrix untransposed":
      return `${name}: the error goes back through the matrix, and not through its transpose.`;
    case "nothing passed":
      return `${name}: no error goes back through it.`;
    case "slope missing in weights":
      return `${name}: its weights' gradient is not multiplied by the slope of ${activation}.`;
  }
}

/** A factor, and what it may stem from. */
function textOfFactor(factor: number, { batch, classes, places }: Context): string {
  const known: [number, string][] = [
    [-1, "-1 times what it should be: the sign is lost"],
    [2, "2 times what it should be: a square's 2, or something added twice"],
    [0.5, "half of what it should be"],
    [batch, `${batch} times what it should be: the sum over the batch, not the mean`],
    [1 / batch, `1/${batch} of what it should be: divided by the batch twice`],
    [places, `${places} times what it should be: as many as a filter has places`],
    [1 / places, `1/${places} of what it should be: the mean over a filter's places, not the sum`],
    [classes, `${classes} times what it should be: as many as there are classes`],
    [1 / classes, `1/${classes} of what it should be: divided by the classes`],
    [batch * classes, `${batch * classes} times what it should be: batch times classes`],
    [-batch, `-${batch} times what it should be: the sum over the batch, and the sign is lost`],
    [-2, "-2 times what it should be"],
  ];
  const found = known.find(([value]) => Math.abs(factor / value - 1) < 5e-3 && value !== 1);
  return found?.[1] ?? `${Number(factor.toPrecision(4))} times what it should be`;
}

const textOfAxes = (axes: readonly number[]) =>
  `${axes.length > 1 ? "axes" : "axis"} ${axes.join(" and ")}`;

/** A sentence for what has been done to a tensor. */
export function explainRearrangement(found: Rearrangement, context: Context): string {
  switch (found.kind) {
    case "factor":
      return `It is ${textOfFactor(found.factor, context)}.`;
    case "zero":
      return "It is 0: nothing arrives there, or it was never written.";
    case "transposed":
      return "It is transposed.";
    case "axes swapped":
      return `Its axes are in the order ${found.axes.join(", ")}.`;
    case "turned":
      return `It runs backwards along ${textOfAxes(found.axes)}.`;
    case "shifted":
      return `It is shifted by ${found.by}${found.axis < 0 ? "" : ` along axis ${found.axis}`}.`;
    case "shuffled":
      return `It is in another order along axis ${found.axis}.`;
    case "signs lost":
      return "Its signs are lost: all of it is positive.";
    case "clipped":
      return `It is clipped to ${Number(found.limit.toPrecision(4))}.`;
    case "decay":
      return `It has ${Number(found.factor.toPrecision(3))} times the weights added: weight decay.`;
  }
}

/** A sentence for a sum over the batch that is none. */
export const explainSample = (n: number, batch: number): string =>
  `It is that of sample ${n} alone, and not the sum over all ${batch}.`;
