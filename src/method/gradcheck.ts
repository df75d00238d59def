/** Compares gradients tensor by tensor: how far apart, and where the most. */

import { indexIn } from "../core/finite.ts";
import { type Network, parameterTensors } from "../core/network.ts";
import type { Reference, Verdict } from "./verdict.ts";

/** One tensor of a gradient against a reference. */
export interface Comparison {
  readonly name: string;
  readonly shape: readonly number[];
  /** ||actual - reference|| / ||reference||, in the Euclidean norm. */
  readonly relativeError: number;
  readonly maxAbsDifference: number;
  /** Index of the largest difference in the tensor. */
  readonly at: readonly number[];
}

/** Compares two tensors of one shape, given flat in row-major order. */
export function compare(
  name: string,
  shape: readonly number[],
  actual: Float64Array,
  reference: Float64Array,
): Comparison {
  let difference = 0, norm = 0, maxAbsDifference = 0, worst = 0;
  for (let i = 0; i < reference.length; i++) {
    const distance = Math.abs(actual[i] - reference[i]);
    difference += distance ** 2;
    norm += reference[i] ** 2;
    if (!(distance <= maxAbsDifference)) { // NaN is the worst of all
      maxAbsDifference = distance;
      worst = i;
    }
  }
  const relativeError = difference === 0 ? 0 : Math.sqrt(difference / norm);
  return { name, shape, relativeError, maxAbsDifference, at: indexIn(shape, worst) };
}

/** A tensor of an engine's gradient against float64, and whether it is as it should be. */
export interface Judged extends Comparison {
  /** Elements that are compared: all of them. */
  readonly checked: number;
  /** Of these, with a kink between -h and +h. */
  readonly kinks: number;
  /** What of its norm it may be off by. */
  readonly tolerance: number;
  readonly verdict: Verdict;
}

/**
 * Whether tensors of an engine's gradient are within a tolerance of their references' norms: all of
 * them, or at least but for what kinks leave open.
 * @param tolerances of each tensor.
 */
export function judge(
  network: Network,
  actual: Float64Array, // [parameters]
  { ours, below, above, crossed }: Reference, // [parameters]
  tolerances: readonly number[],
): Judged[] {
  const beyond = ours.map((value, i) =>
    Math.min(Math.max(actual[i] - value, below[i]), above[i]) + value
  ); // the nearest that is right
  return compareGradients(network, actual, ours).map((comparison, t): Judged => {
    const { offset, size } = parameterTensors(network)[t];
    const part = (all: Float64Array) => all.subarray(offset, offset + size);
    const norm = Math.sqrt(part(ours).reduce((sum, value) => sum + value ** 2, 0));
    const rest = Math.sqrt(
      part(actual).reduce((sum, value, i) => sum + (value - beyond[offset + i]) ** 2, 0),
    );
    const { relativeError } = comparison, tolerance = tolerances[t];
    return {
      ...comparison,
      checked: size,
      kinks: crossed.subarray(offset, offset + size).filter((count) => count > 0).length,
      tolerance,
      verdict: relativeError <= tolerance ? "right" : rest <= tolerance * norm ? "kinks" : "off",
    };
  });
}

/** Compares two gradients of a network, W1, b1, W2, ... */
export function compareGradients(
  network: Network,
  actual: Float64Array, // [parameters]
  reference: Float64Array, // [parameters]
): Comparison[] {
  return parameterTensors(network).map(({ name, shape, offset, size }) =>
    compare(
      name,
      shape,
      actual.subarray(offset, offset + size),
      reference.subarray(offset, offset + size),
    )
  );
}
