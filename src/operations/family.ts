/**
 * A family of activations: of one form, told apart by the numbers behind the name, as `round 4` and
 * `clip 0 1` are. One without numbers is the usual one.
 */

import type { Activation } from "./activation.ts";

/** What makes the activations of a family. */
export interface Family {
  /** How many numbers it takes. */
  readonly takes: number;
  /** What they are in an ONNX file that does not say, where ONNX has the family. */
  readonly unsaid?: readonly number[];
  /**
   * The one with those numbers.
   * @throws {SyntaxError} when they are not such as it takes: what it takes.
   */
  of(...numbers: number[]): Activation;
}

/** Stands for infinity where float32 has to hold it, in kernels, too. */
const UNBOUNDED = 3e38;

/** A number as kernels have it, which both engines then compute with. */
export const inFloat32 = (x: number): number =>
  Math.fround(Math.min(Math.max(x, -UNBOUNDED), UNBOUNDED));

/** Constants of WGSL, of those values in float32. */
export const constants = (values: Readonly<Record<string, number>>): string =>
  Object.entries(values).map(([name, value]) => `const ${name} = ${inFloat32(value)}f;\n`).join("");

/** A family's name with its numbers; the usual ones, and what float32 holds them as, go without. */
export const named = (
  family: string,
  numbers: readonly number[],
  usual: readonly number[],
): string =>
  numbers.every((number, i) => Math.fround(number) === Math.fround(usual[i]))
    ? family
    : [family, ...numbers.map(textOf)].join(" ");

/** A number in the fewest digits that are the same in float32. */
function textOf(x: number): string {
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(x.toPrecision(digits));
    if (Math.fround(short) === Math.fround(x)) return `${short}`;
  }
  return `${x}`;
}

/** Numbers as `textOf` writes them; NaN where it is none. */
export const numberOf = (word: string): number =>
  /^[-+]?inf$/.test(word)
    ? (word.startsWith("-") ? -Infinity : Infinity)
    : /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(word)
    ? Number(word)
    : NaN;
