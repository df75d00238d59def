/**
 * The optimisers: how a gradient becomes a step. Each is a pure update of one parameter from its
 * gradient and at most two numbers of state, so that the CPU loop below and the kernel of the same
 * name in shaders/optimizers/ are one formula each.
 */

/** Optimisers by name; `--optimizer` spells them so. */
export const OPTIMIZERS = ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"] as const;
export type OptimizerName = (typeof OPTIMIZERS)[number];

/** An optimiser with its settings. */
export interface Optimizer {
  readonly name: OptimizerName;
  /** Decoupled weight decay: each step takes rate x decay x w from w (AdamW; L2 for plain sgd). */
  readonly weightDecay: number;
}

/** The state: two vectors of the parameters' length, zero at the start, and the steps taken. */
export interface OptimizerState {
  readonly first: Float64Array; // [parameters]
  readonly second: Float64Array; // [parameters]
  steps: number;
}

export const MOMENTUM = 0.9;
export const DECAY = 0.99; // of rmsprop's mean square
export const BETA1 = 0.9;
export const BETA2 = 0.999;
export const TINY = 1e-7; // keeps divisions by a root finite, as the tutorial's successors do

/** State for `parameters` parameters, before the first step. */
export function initOptimizer(parameters: number): OptimizerState {
  return {
    first: new Float64Array(parameters),
    second: new Float64Array(parameters),
    steps: 0,
  };
}

/** The same state, owned by another. */
export function copyState({ first, second, steps }: OptimizerState): OptimizerState {
  return { first: first.slice(), second: second.slice(), steps };
}

/** One parameter's change from its gradient g; m and v are its state. Returns [change, m, v]. */
type Rule = (g: number, m: number, v: number, rate: number, step: number) => number[];

const RULES: Record<OptimizerName, Rule> = {
  /** Robbins and Monro 1951. */
  sgd: (g, m, v, rate) => [-rate * g, m, v],
  /** Polyak 1964. */
  momentum: (g, m, v, rate) => {
    const velocity = MOMENTUM * m - rate * g;
    return [velocity, velocity, v];
  },
  /** Nesterov 1983, in the form of Bengio et al. 2013 that needs the gradient at w alone. */
  nesterov: (g, m, v, rate) => {
    const velocity = MOMENTUM * m - rate * g;
    return [MOMENTUM * velocity - rate * g, velocity, v];
  },
  /** Duchi, Hazan and Singer 2011. */
  adagrad: (g, m, v, rate) => {
    const sum = v + g * g;
    return [-rate * g / (Math.sqrt(sum) + TINY), m, sum];
  },
  /** Tieleman and Hinton 2012. */
  rmsprop: (g, m, v, rate) => {
    const mean = DECAY * v + (1 - DECAY) * g * g;
    return [-rate * g / (Math.sqrt(mean) + TINY), m, mean];
  },
  /** Kingma and Ba 2015; `step` counts from 1. */
  adam: (g, m, v, rate, step) => {
    const first = BETA1 * m + (1 - BETA1) * g;
    const second = BETA2 * v + (1 - BETA2) * g * g;
    const root = Math.sqrt(second / (1 - BETA2 ** step));
    return [-rate * first / (1 - BETA1 ** step) / (root + TINY), first, second];
  },
};

/**
 * Takes one step in place: `parameters` and `state` change.
 * @param rate learning rate of this step.
 */
export function updateParameters(
  { name, weightDecay }: Optimizer,
  parameters: Float64Array, // [parameters]
  gradient: Float64Array, // [parameters]
  state: OptimizerState,
  rate: number,
): void {
  const rule = RULES[name];
  state.steps++;
  for (let i = 0; i < parameters.length; i++) {
    const [change, m, v] = rule(gradient[i], state.first[i], state.second[i], rate, state.steps);
    parameters[i] += change - rate * weightDecay * parameters[i];
    state.first[i] = m;
    state.second[i] = v;
  }
}
