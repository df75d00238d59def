/** Numbers that are none: NaN and infinity, found where they appear, and named. */

import { type Network, parameterTensors } from "./network.ts";

/** What does not round to infinity: the most that each precision holds. */
export const LARGEST = {
  float32: 2 ** 128 - 2 ** 103 - 2 ** 75, // half a unit above float32's largest rounds up
  float64: Number.MAX_VALUE,
} as const;
export type Precision = keyof typeof LARGEST;

/**
 * The least magnitude but 0 that each precision computes with. Graphics hardware may take float32's
 * subnormal numbers, below this, for 0: what it makes of them would be wrong by any factor.
 */
const SMALLEST = { float32: 2 ** -126, float64: 0 } as const;

/** Where an element of a flat row-major tensor is. */
export function indexIn(shape: readonly number[], flat: number): number[] {
  const at: number[] = [];
  for (let rest = flat, d = shape.length - 1; d >= 0; rest = Math.floor(rest / shape[d]), d--) {
    at.unshift(rest % shape[d]);
  }
  return at;
}

/** A parameter's name: W1[3,4]. */
export function parameterName(network: Network, index: number): string {
  const { name, shape, offset } = parameterTensors(network)
    .findLast((tensor) => tensor.offset <= index)!;
  return `${name}[${indexIn(shape, index - offset)}]`;
}

/** Index of the first number that is not finite in that precision, or subnormal; -1 where none is. */
export function firstBad(numbers: ArrayLike<number>, precision: Precision): number {
  const largest = LARGEST[precision], smallest = SMALLEST[precision];
  for (let i = 0; i < numbers.length; i++) {
    const size = Math.abs(numbers[i]);
    if (!(size <= largest) || (size < smallest && size !== 0)) return i;
  }
  return -1;
}

/** What is wrong with a bad number, for people. */
export function complaint(value: number, precision: Precision): string {
  return Math.abs(value) < SMALLEST[precision]
    ? `a GPU may take numbers below 1.2e-38 for 0 (make it 0, or use --backend cpu)`
    : `it is no finite ${precision}`;
}

/** The same numbers, those that a GPU may take for 0 being 0. */
export function withoutSubnormals(numbers: Float64Array): Float64Array {
  return numbers.map((value) => Math.abs(value) < SMALLEST.float32 ? 0 : value);
}

/**
 * Refuses weights that are no numbers.
 * @throws {RangeError} naming the first.
 */
export function checkParameters(
  network: Network,
  parameters: Float64Array, // [parameters]
  precision: Precision,
): void {
  const bad = firstBad(parameters, precision);
  if (bad < 0) return;
  throw new RangeError(
    `Cannot compute with ${parameterName(network, bad)} = ${parameters[bad]}: ` +
      `${complaint(parameters[bad], precision)}; use other weights`,
  );
}

/**
 * What of a loss and its gradient is no finite number: "W1[3,4] is NaN".
 * @returns the first, or undefined where all are finite.
 */
export function notFinite(
  network: Network,
  { loss, gradient }: { loss: number; gradient: Float64Array }, // [parameters]
): string | undefined {
  if (!Number.isFinite(loss)) return `the loss is ${loss}`;
  const bad = firstBad(gradient, "float64");
  return bad < 0 ? undefined : `${parameterName(network, bad)} is ${gradient[bad]}`;
}

/**
 * Refuses steps in which something was no finite number any more. A step's loss comes before its
 * update.
 * @param done steps taken before these.
 * @param update the first step, of these from 0, whose update made a weight no finite number, and
 *   the first such weight.
 * @throws {RangeError} naming the step, and the loss or the weight, whichever was first.
 */
export function checkSteps(
  network: Network,
  done: number,
  losses: Float64Array, // [steps]
  update?: { step: number; index: number },
): void {
  const bad = firstBad(losses, "float64");
  const first = Math.min(bad < 0 ? Infinity : bad, update?.step ?? Infinity);
  if (first === Infinity) return;
  throw new RangeError(
    `Cannot go on at step ${done + first + 1}: ` +
      (bad === first
        ? `the loss is ${losses[bad]}`
        : `its update makes ${parameterName(network, update!.index)} no finite number`) +
      `; use a smaller learning rate or h`,
  );
}
