/**
 * What backpropagation may take for the derivative of units with steps, which is 0 wherever there is
 * one. The forward pass stays as it is.
 */

import type { States } from "../operations/states.ts";
import { sigmoid } from "../operations/special.ts";
import { activationOf } from "../operations/registry.ts";
import type { Network } from "./network.ts";

/** Surrogates by name; `--surrogate` spells them so. */
export const SURROGATES = ["identity", "clipped", "sigmoid"] as const;
export type SurrogateName = (typeof SURROGATES)[number];

/** A choice of surrogate. */
export interface Surrogate {
  readonly name: SurrogateName;
  /** How far it reaches, as an input of a unit. */
  readonly width: number;
}

/**
 * The surrogate's derivative of a unit with the thresholds t[i], and steps of the height g there:
 * - `identity`: 1, the mean slope of step, sign and round, everywhere (the straight-through estimator:
 *   Bengio, Léonard and Courville, "Estimating or propagating gradients through stochastic neurons
 *   for conditional computation", 2013).
 * - `clipped`: 1 from the first threshold less the width up to the last one and the width, else 0
 *   (Courbariaux et al., "Binarized neural networks", 2016; for a sign of the width 1 it is theirs).
 * - `sigmoid`: the sum over i of g s(x) (1 - s(x)) / width, x = (z - t[i]) / width: the derivative of
 *   a sum of sigmoids of the steps' heights, so that it integrates to what the steps add up to (the
 *   shape is that of Zenke and Ganguli, "SuperSpike", 2018, and of Neftci, Mostafa and Zenke,
 *   "Surrogate gradient learning in spiking neural networks", 2019, who scale it otherwise).
 */
export function surrogateSlope(
  { values, thresholds }: States,
  { name, width }: Surrogate,
): (z: number) => number {
  if (name === "identity") return () => 1;
  if (name === "clipped") {
    const low = thresholds[0] - width, high = thresholds.at(-1)! + width;
    return (z) => (z >= low && z <= high ? 1 : 0);
  }
  const gap = values[1] - values[0];
  return (z) => {
    let sum = 0;
    for (const threshold of thresholds) {
      const x = (z - threshold) / width;
      sum += sigmoid(x) * sigmoid(-x);
    }
    return gap * sum / width;
  };
}

/**
 * Checks a choice of surrogate.
 * @throws {RangeError} when it is of no use for that network and method, or its width is no positive
 *   number.
 */
export function checkSurrogate(
  { layers }: Pick<Network, "layers">,
  method: string,
  surrogate?: Surrogate,
): void {
  if (!surrogate) return;
  const { name, width } = surrogate;
  if (method !== "backprop") {
    throw new RangeError(
      `Cannot use the surrogate ${name} with the engine ${method}: only backprop differentiates; ` +
        `give --engine backprop, or no surrogate`,
    );
  }
  if (!layers.some(({ activation }) => activationOf(activation).states)) {
    throw new RangeError(
      `Cannot use the surrogate ${name}: no unit of the network has steps; leave it out`,
    );
  }
  // Where 1 / width is no number of float32 any more, there is no such derivative.
  if (!(width >= 2 ** -100 && width <= 2 ** 100)) {
    throw new RangeError(
      `Cannot use a surrogate of width ${width}: give a positive number from 8e-31 to 1.2e30`,
    );
  }
}
