/** Every operation. One more is a pair of files, TypeScript and WGSL, and its line here. */

import type { Activation } from "./activation.ts";
import { add } from "./add.ts";
import { clip } from "./clip.ts";
import { conv } from "./conv.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { dense } from "./dense.ts";
import { elu } from "./elu.ts";
import { gelu } from "./gelu.ts";
import { hardSigmoid } from "./hard-sigmoid.ts";
import { identity } from "./identity.ts";
import { leakyRelu } from "./leaky-relu.ts";
import type { Loss } from "./loss.ts";
import { avgpool, globalavgpool, maxpool } from "./pool.ts";
import { relu } from "./relu.ts";
import { dropout, flatten, reshape } from "./rename.ts";
import { round } from "./round.ts";
import { scale } from "./scale.ts";
import { sigmoid } from "./sigmoid.ts";
import { sign } from "./sign.ts";
import { silu } from "./silu.ts";
import { softplus } from "./softplus.ts";
import { squaredError } from "./squared-error.ts";
import { step } from "./step.ts";
import { tanh } from "./tanh.ts";
import { zeroOne } from "./zero-one.ts";

/** Operations on whole layers. */
export const structures = {
  dense,
  conv,
  maxpool,
  avgpool,
  globalavgpool,
  scale,
  flatten,
  reshape,
  dropout,
  add,
};
export type StructureName = keyof typeof structures;

/**
 * Activations by name, in the order in which they are offered; identity is what none is. Of those
 * that take a number there is one: `activationOf` knows them all.
 */
export const activations = {
  identity,
  sigmoid,
  relu,
  tanh,
  step,
  "leaky-relu": leakyRelu,
  elu,
  softplus,
  silu,
  gelu,
  "hard-sigmoid": hardSigmoid,
  clip,
  sign,
  "round 4": round(4) as Activation,
} satisfies Record<string, Activation>;
export type ActivationName = keyof typeof activations | `round ${number}`;

const known = new Map<string, Activation>(Object.entries(activations));

/**
 * The activation of that name.
 * @throws {SyntaxError} when it is none: what it should be.
 */
export function activationOf(name: string): Activation {
  const one = known.get(name);
  if (one) return one;
  const [family, ...words] = name.split(" ");
  if (family === "round") {
    const levels = words.length === 1 && /^\d+$/.test(words[0]) ? Number(words[0]) : NaN;
    const made = round(levels);
    known.set(made.name, made);
    return made;
  }
  if (words.length > 0 && known.has(family)) {
    throw new SyntaxError(`${family} takes no ${words[0]}`);
  }
  throw new SyntaxError(`there is no ${name}`);
}

/** Losses of the output layer by name. */
export const losses = {
  "cross-entropy": crossEntropy,
  "squared-error": squaredError,
  "zero-one": zeroOne,
} satisfies Record<string, Loss>;
export type LossName = keyof typeof losses;
