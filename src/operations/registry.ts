/** Every operation. One more is a pair of files, TypeScript and WGSL, and its line here. */

import type { Activation } from "./activation.ts";
import { add } from "./add.ts";
import { clip } from "./clip.ts";
import { conv } from "./conv.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { dense } from "./dense.ts";
import { elu } from "./elu.ts";
import { type Family, numberOf } from "./family.ts";
import { gelu } from "./gelu.ts";
import { geluExact } from "./gelu-exact.ts";
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
 * that take numbers there is the usual one: `activationOf` knows them all.
 */
export const activations = {
  identity,
  sigmoid,
  relu,
  tanh,
  step,
  "leaky-relu": leakyRelu() as Activation,
  elu: elu() as Activation,
  softplus,
  silu,
  gelu,
  "gelu exact": geluExact,
  "hard-sigmoid": hardSigmoid() as Activation,
  clip: clip() as Activation,
  sign,
  "round 4": round(4) as Activation,
} satisfies Record<string, Activation>;

/** Families of activations, by the first word of their names. */
export const families = {
  "leaky-relu": { of: leakyRelu, takes: 1, unsaid: [0.01] },
  elu: { of: elu, takes: 1, unsaid: [1] },
  "hard-sigmoid": { of: hardSigmoid, takes: 2, unsaid: [0.2, 0.5] },
  clip: { of: clip, takes: 2, unsaid: [-Infinity, Infinity] },
  round: { of: round, takes: 1 },
} satisfies Record<string, Family>;
export type FamilyName = keyof typeof families;

export type ActivationName = keyof typeof activations | `${FamilyName} ${string}`;

const known = new Map<string, Activation>(Object.entries(activations));

/**
 * The activation of that name.
 * @throws {SyntaxError} when it is none: what it should be.
 */
export function activationOf(name: string): Activation {
  const one = known.get(name);
  if (one) return one;
  const [first, ...words] = name.split(" ");
  if (Object.hasOwn(families, first)) {
    const { of, takes }: Family = families[first as FamilyName];
    const numbers = words.map(numberOf);
    const made = of(...words.length === takes ? numbers : Array(takes).fill(NaN));
    known.set(made.name, made);
    known.set(name, made);
    return made;
  }
  if (words.length > 0 && known.has(first)) {
    throw new SyntaxError(`${first} takes no ${words[0]}`);
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
