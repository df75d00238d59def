/** The generators of random numbers, by name. */

import { RRandom } from "./r_random.ts";
import { type Random, Xoshiro } from "./random.ts";

/** Generators by name; `--rng` spells them so. */
export const GENERATORS = ["xoshiro", "r"] as const;
export type GeneratorName = (typeof GENERATORS)[number];

/** @throws {RangeError} when the seed is no 32-bit unsigned integer. */
export function createRandom(name: GeneratorName, seed: number): Random {
  return name === "r" ? new RRandom(seed) : new Xoshiro(seed);
}
