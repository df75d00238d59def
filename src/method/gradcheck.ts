/** Compares gradients tensor by tensor: how far apart, and where the most. */

import { indexIn } from "../core/finite.ts";
import { type Network, parameterTensors } from "../core/network.ts";

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
