/**
 * A gradient in pieces that know nothing of one another, so that several machines can share it out.
 *
 * A piece is some inputs or some units of one layer, whichever leaves what its copies have in common
 * in one piece: every weight of it is evaluated by one machine alone, and pieces are put behind one
 * another, never summed. Along random directions a piece is one direction, of which one number comes
 * back. A slice is pieces behind one another. Which pieces there are follows from the network and the
 * estimator, and from no machine, so that two numbers name a slice everywhere.
 */

import { DATA, type Layer, type Network, sizeOfShape } from "./network.ts";
import { type LayerPlan, planOf, type PlanOptions, type Stage } from "./plan.ts";

/** What is evaluated by one machine. */
export interface Piece {
  /** Its index among the network's layers; `DATA` for a random direction. */
  readonly layer: number;
  /** What its layer is cut along: units are a convolution's channels. */
  readonly of: "inputs" | "units" | "queries";
  readonly first: number;
  readonly end: number;
  /** Numbers that it comes to. */
  readonly size: number;
  /** Multiply-adds that it takes, without a forward pass. */
  readonly work: number;
}

/** Inputs of a piece: a block of them, which a kernel's thread takes. */
const INPUTS = 64;
/** Units of a piece of a dense layer: four for each lane of a software adapter. */
export const UNITS = 32;

/** What a slice comes to. */
export interface Slice {
  /** The mean loss over the batch. */
  readonly loss: number;
  /** Piece by piece: elements of the gradient in the parameter vector's order, or slopes along directions. */
  readonly values: Float64Array;
}

/** Weights from the inputs into a unit, the bias among them. */
const weightsInto = ({ kind, inputs, tensors: [{ shape }] }: Layer) =>
  kind === "conv" ? sizeOfShape(shape) / shape[0] + 1 : inputs + 1;

/** What a layer is cut along, and how many of these are one piece. */
function cutOf({ way, layer: l }: LayerPlan, { layers }: Network) {
  const { outputs, window } = layers[l];
  if (way === "maps") return { of: "units", count: window!.output[0], each: 1 } as const;
  // Where nothing but the unit's own change stands before the logits, its inputs share little.
  if (way === "logit" || way === "direct") {
    return { of: "inputs", count: weightsInto(layers[l]), each: INPUTS } as const;
  }
  return { of: "units", count: outputs, each: UNITS } as const;
}

/** All pieces of a gradient by exact changes, in the order of its layers, or of its directions. */
export function piecesOf(
  network: Network,
  options: Omit<PlanOptions, "fused" | "superposed" | "method">,
): Piece[] {
  // No device's own way: the pieces are the same everywhere.
  const plan = planOf(network, { ...options, superposed: true });
  const sum = (stages: readonly Stage[]) =>
    stages.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);
  const { estimator: { name, queries } } = options;
  if (name === "spsa") {
    const work = sum(plan.whole) / queries;
    return Array.from(
      { length: queries },
      (_, first) => ({ layer: DATA, of: "queries", first, end: first + 1, size: 1, work }),
    );
  }
  return plan.gradient.flatMap((layerPlan) => {
    const { layer: l, stages } = layerPlan, { of, count, each } = cutOf(layerPlan, network);
    const layer = network.layers[l], work = sum(stages) / count;
    const size = of === "inputs" ? layer.outputs : weightsInto(layer);
    return Array.from({ length: Math.ceil(count / each) }, (_, i): Piece => {
      const first = i * each, end = Math.min(count, first + each), taken = end - first;
      return { layer: l, of, first, end, size: taken * size, work: taken * work };
    });
  });
}

/** Where the values of a piece lie in the parameter vector, in ascending order. */
function placesIn({ layers }: Network, { layer: l, of, first, end, size }: Piece): Uint32Array {
  const layer = layers[l], { offset, outputs, kind } = layer, places = new Uint32Array(size);
  if (of === "inputs") return places.map((_, i) => offset + first * outputs + i);
  const taken = end - first;
  if (kind === "conv") { // its filters lie behind one another, and the biases behind all of them
    const weights = weightsInto(layer) - 1, [channels] = layer.window!.output;
    const bias = offset + channels * weights + first;
    return places.map((_, i) =>
      i < taken * weights ? offset + first * weights + i : bias + i - taken * weights
    );
  }
  return places.map((_, i) => offset + Math.floor(i / taken) * outputs + first + i % taken);
}

/** Where the values of pieces of weights lie in the parameter vector, piece by piece. */
export function placesOf(network: Network, pieces: readonly Piece[]): Uint32Array {
  const places = new Uint32Array(sizeOf(pieces));
  let at = 0;
  for (const piece of pieces) {
    places.set(placesIn(network, piece), at);
    at += piece.size;
  }
  return places;
}

/** Numbers that pieces come to. */
export const sizeOf = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, { size }) => sum + size, 0);

/**
 * Refuses a range of pieces that is none.
 * @throws {RangeError} with how many there are.
 */
export function checkSlice(pieces: readonly Piece[], first: number, end: number): void {
  const isOne = Number.isInteger(first) && Number.isInteger(end) && first >= 0 && first <= end &&
    end <= pieces.length;
  if (isOne) return;
  throw new RangeError(
    `Cannot evaluate pieces ${first} to ${end}: the gradient has ${pieces.length}; name some of them`,
  );
}
