/** Who contests: methods that train units with steps, each with as many settings to choose from. */

import {
  type Activation,
  createEstimator,
  type EngineOptions,
  type SurrogateName,
} from "../mod.ts";

/** What a contestant may choose. */
export interface Setting {
  readonly lr: number;
  /** Of a numerical method; the scale of its kernel where it is smoothed. */
  readonly h?: number;
  /** Of a surrogate. */
  readonly width?: number;
}

/** A method, and what it may choose from. */
export interface Contestant {
  readonly name: string;
  /** Of all hidden units. */
  readonly activation: Activation;
  /** Whether it is a numerical one, a surrogate, or what a network without steps reaches. */
  readonly kind: "numerical" | "surrogate" | "ceiling";
  readonly settings: readonly Setting[];
  engine(setting: Setting): Pick<EngineOptions, "method" | "estimator" | "surrogate">;
}

/** Learning rates where there is nothing else to choose, and where there is: six settings each. */
const SIX = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1], TWO = [3e-3, 1e-2], REACHES = [0.5, 1, 2];

/** Backpropagation takes no differences, and asks for none. */
const NONE = createEstimator("central", 1);

const surrogate = (name: SurrogateName): Contestant => ({
  name: `straight-through, ${name}`,
  activation: "step",
  kind: "surrogate",
  settings: name === "identity"
    ? SIX.map((lr) => ({ lr }))
    : TWO.flatMap((lr) => REACHES.map((width) => ({ lr, width }))),
  engine: ({ width = 1 }) => ({
    method: "backprop",
    estimator: NONE,
    surrogate: { name, width },
  }),
});

const numerical = (name: "central" | "smoothed"): Contestant => ({
  name: `numerical, ${name}`,
  activation: "step",
  kind: "numerical",
  settings: TWO.flatMap((lr) => REACHES.map((h) => ({ lr, h }))),
  engine: ({ h = 1 }) => ({ method: "differences", estimator: createEstimator(name, h) }),
});

/** In the order in which they are listed. */
export const CONTESTANTS: readonly Contestant[] = [
  numerical("central"),
  numerical("smoothed"),
  surrogate("identity"),
  surrogate("clipped"),
  surrogate("sigmoid"),
  {
    name: "relu, backprop",
    activation: "relu",
    kind: "ceiling",
    settings: SIX.map((lr) => ({ lr })),
    engine: () => ({ method: "backprop", estimator: NONE }),
  },
];
