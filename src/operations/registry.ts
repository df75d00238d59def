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
import { scale } from "./scale.ts";
import { sigmoid } from "./sigmoid.ts";
import { sign } from "./sign.ts";
import { silu } from "./silu.ts";
import { softplus } from "./softplus.ts";
import { squaredError } from "./squared-error.ts";
import { step } from "./step.ts";
import { tanh } from "./tanh.ts";

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

/** Activations by name, in the order in which they are offered; identity is what none is. */
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
} satisfies Record<string, Activation>;
export type ActivationName = keyof typeof activations;

/** Losses of the output layer by name. */
export const losses = {
  "cross-entropy": crossEntropy,
  "squared-error": squaredError,
} satisfies Record<string, Loss>;
export type LossName = keyof typeof losses;
