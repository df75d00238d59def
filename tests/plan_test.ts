/** Plans: which way each layer's copies go, and what it costs; no device is asked. */

import assert from "node:assert/strict";
import { createEstimator, stencilOf } from "../src/core/estimator.ts";
import {
  type Activation,
  connect,
  createNetwork,
  DATA,
  type Network,
  type Node,
} from "../src/core/network.ts";
import {
  type Fused,
  type LayerPlan,
  planOf,
  type PlanOptions,
  type Way,
} from "../src/core/plan.ts";
import { differences } from "../src/cpu/differences.ts";
import { densityOf } from "../src/data/samples.ts";
import { forward, gather } from "../src/cpu/forward.ts";
import { activations, losses } from "../src/operations/registry.ts";
import { freshParameters, randomNetwork, randomSamples } from "./support.ts";

const CENTRAL = createEstimator("central", 1e-4);
const OPTIONS: PlanOptions = {
  estimator: CENTRAL,
  batch: 1,
  nonzeros: 1,
  distinct: 1,
  sharing: true,
};

const chain = (...activation: Activation[]) =>
  createNetwork({ inputs: 4, hidden: activation.map(() => 3), classes: 2, activation });
const ways = (network: Network, options: Partial<PlanOptions> = {}) =>
  planOf(network, { ...OPTIONS, ...options }).gradient.map(({ way }) => way);

Deno.test("the ways of chains", () => {
  const expect = (activation: Activation[], expected: Way[], options: Partial<PlanOptions> = {}) =>
    assert.deepEqual(ways(chain(...activation), options), expected, activation.join());
  expect([], ["logit"]);
  expect(["sigmoid"], ["direct", "logit"]);
  expect(["sigmoid", "tanh"], ["rows", "direct", "logit"]);
  expect(["relu", "relu", "clip"], ["straight", "straight", "direct", "logit"]);
  // What stands in front does not matter, nor does the layer's own activation.
  expect(["gelu", "relu"], ["straight", "direct", "logit"]);
  expect(["sigmoid", "gelu", "relu"], ["rows", "straight", "direct", "logit"]);
  expect(["step", "sign"], ["states", "states", "logit"]);
  expect(["step", "sigmoid", "relu"], ["states", "straight", "direct", "logit"]);
  expect(["relu", "step"], ["rows", "states", "logit"]); // a step is not continuous
  expect(["step", "relu", "elu"], ["rows", "rows", "rows", "logit"], { sharing: false });
});

Deno.test("the fused way is taken where all that is behind is narrow and no deeper", () => {
  const network = createNetwork({ inputs: 4, hidden: [9, 5, 7], classes: 2, activation: "tanh" });
  const fused = (width: number, layers: number, classes = 2) =>
    ways(network, { fused: { width, layers, classes } });
  assert.deepEqual(fused(7, 3), ["fused", "fused", "direct", "logit"]);
  assert.deepEqual(fused(6, 3), ["rows", "rows", "direct", "logit"]);
  assert.deepEqual(fused(7, 2), ["rows", "fused", "direct", "logit"]);
  assert.deepEqual(fused(7, 1), ["rows", "rows", "direct", "logit"]);
  assert.deepEqual(fused(7, 3, 1), ["rows", "rows", "direct", "logit"]);
});

Deno.test("the ways of networks that join", () => {
  const residual = (activation: Activation, fused?: Fused) =>
    ways(
      connect({
        inputs: 4,
        classes: 2,
        nodes: [
          { operation: "dense", width: 3 },
          { operation: activation },
          { operation: "dense", width: 3 },
          { operation: activation },
          { operation: "add", from: [1, 3] },
        ],
      }),
      { fused },
    );
  assert.deepEqual(residual("relu"), ["straight", "straight", "logit"]);
  // Behind the second layer a sum without an activation stands, which is linear, too.
  assert.deepEqual(residual("sigmoid"), ["rows", "straight", "logit"]);
  assert.deepEqual(residual("sigmoid", { width: 9, layers: 9, classes: 9 }), [
    "rows",
    "straight",
    "logit",
  ]);
  assert.deepEqual(residual("step"), ["states", "states", "logit"]);
  // Two branches of the data that do not see one another.
  const branches: Node[] = [
    { operation: "dense", width: 3, from: [DATA] },
    { operation: "tanh" },
    { operation: "dense", width: 3, from: [DATA] },
    { operation: "add", from: [1, 2] },
    { operation: "softplus" },
  ];
  const network = connect({ inputs: 4, classes: 2, nodes: branches });
  assert.deepEqual(ways(network), ["rows", "rows", "logit"]);
});

/** Counts what the CPU's differences do: weights multiplied, activations and losses evaluated. */
function counted(network: Network, options: PlanOptions, elements?: Uint32Array): number {
  const samples = randomSamples(options.batch, network);
  samples.x.forEach((_, i) => samples.x[i] = 0.1 + 0.8 * ((i * 0.618034) % 1)); // none 0, none equal
  const parameters = freshParameters(network);
  const trace = forward(
    network,
    parameters,
    gather(samples, Uint32Array.from(samples.labels.keys())),
  );
  const plan = planOf(network, options);
  const chosen = Object.fromEntries(plan.gradient.map(({ layer, way }) => [layer, way]));
  let count = 0;
  const reads = new Proxy(parameters, {
    get(target, name) {
      if (typeof name === "string" && /^\d+$/.test(name)) count++;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const undo: (() => void)[] = [];
  const replace = <T extends object, K extends keyof T>(owner: T, key: K, by: T[K]) => {
    const before = owner[key];
    owner[key] = by;
    undo.push(() => owner[key] = before);
  };
  for (const f of Object.values(activations)) {
    const { change, pieces } = f;
    replace(f, "change", (...args) => {
      count += f.work;
      return change(...args);
    });
    if (pieces) {
      replace(f, "pieces", {
        ...pieces,
        slope: (z: number) => {
          count += f.work;
          return pieces.slope(z);
        },
      });
    }
  }
  for (const loss of Object.values(losses)) {
    const { changes, changesOfOne } = loss;
    replace(loss, "changes", (...args) => {
      count += loss.work * args[3].length * args[4].length;
      changes(...args);
    });
    replace(loss, "changesOfOne", (...args) => {
      count += loss.work * args[5].length;
      changesOfOne(...args);
    });
  }
  try {
    const stencil = stencilOf(options.estimator), { h } = options.estimator;
    differences(
      { network, parameters: reads, trace },
      stencil,
      h,
      chosen,
      options.sharing,
      { index: 0, of: 1 },
      elements,
    );
  } finally {
    undo.forEach((put) => put());
  }
  return count;
}

/** The multiply-adds of layers, without those that collect what comes of them. */
const costOf = (gradient: readonly LayerPlan[]) =>
  gradient.flatMap(({ stages }) => stages).filter(({ label }) => label !== "collect")
    .reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);

Deno.test("costs are what the float64 engine counts", () => {
  // None of these makes a value that is 0, behind which nothing would have to be done.
  const smooth: Activation[] = ["sigmoid", "tanh", "gelu"];
  const networks: Network[] = [
    chain(),
    chain("sigmoid"),
    chain("sigmoid", "silu", "tanh"),
    chain("elu", "leaky-relu", "leaky-relu"),
    createNetwork({ inputs: 5, hidden: [2, 7, 4], classes: 3, loss: "squared-error" }),
    ...Array.from(
      { length: 30 },
      (_, seed) => randomNetwork(seed, { activations: seed % 2 ? smooth : ["leaky-relu"] }),
    ),
  ];
  for (const network of networks) {
    for (const sharing of [true, false]) {
      for (const name of ["forward", "five-point"] as const) {
        const options = {
          ...OPTIONS,
          batch: 3,
          nonzeros: network.inputs + 1,
          distinct: network.inputs + 1,
          estimator: createEstimator(name, 1e-9),
          sharing,
        };
        const { gradient } = planOf(network, options);
        const planned = costOf(gradient);
        assert.equal(counted(network, options), planned, JSON.stringify(network.nodes));
      }
    }
  }
  // Units of a few values: the weights into them are counted alone, for those behind take zeros.
  for (const activation of ["step", "sign"] as const) {
    const network = chain(activation, "sigmoid", "tanh");
    const options = { ...OPTIONS, batch: 3, nonzeros: 5, distinct: 5 };
    const { gradient: [first] } = planOf(network, options);
    const elements = Uint32Array.from({ length: 5 * 3 }, (_, i) => i);
    assert.equal(counted(network, options, elements), costOf([first]));
  }
});

Deno.test("rows of 784-50-50-10, by hand", () => {
  const network = (activation: Activation) =>
    createNetwork({ inputs: 784, hidden: [50, 50], classes: 10, activation });
  const of = (activation: Activation) =>
    planOf(network(activation), {
      ...OPTIONS,
      batch: 100,
      nonzeros: 150.2,
      distinct: 66.7,
    });
  const [first] = of("sigmoid").gradient;
  assert.deepEqual(first.stages.map(({ label, rows }) => [label, rows]), [
    ["nudges, sigmoid", 100 * 66.7 * 50 * 2],
    ["dense 2: 50 to 50, sigmoid", 100 * 66.7 * 50 * 2],
    ["dense 3: 50 to 10", 100 * 66.7 * 50 * 2],
    ["cross-entropy", 100 * 66.7 * 50 * 2],
    ["collect", 100 * 150.2 * 50],
  ]);
  assert.equal(of("step").gradient[0].stages[0].rows, 100 * 50);
  assert.equal(of("relu").gradient[0].stages[0].rows, 100 * 50);
  const plan = of("sigmoid");
  const stages = [...plan.forward, ...plan.gradient.flatMap(({ stages }) => stages)];
  assert.equal(plan.multiplyAdds, stages.reduce((sum, stage) => sum + stage.multiplyAdds, 0));
  const { work } = activations.sigmoid;
  assert.equal(plan.forward[0].multiplyAdds, 100 * (150.2 * 50 + 50 * work));
});

Deno.test("a data set's density counts each sample's values, and the constant behind them", () => {
  const labels = Uint8Array.of(0, 0);
  const bytes = { count: 2, inputs: 4, x: Uint8Array.of(0, 7, 7, 255, 0, 0, 0, 9), labels };
  assert.deepEqual(densityOf(bytes), { nonzeros: (4 + 2) / 2, distinct: (2 + 2) / 2 });
  const floats = { ...bytes, x: Float32Array.of(1, 0.5, -0.5, 0, 0.25, 0.25, 255, -0) };
  assert.deepEqual(densityOf(floats), { nonzeros: (4 + 4) / 2, distinct: (3 + 3) / 2 });
});

Deno.test("methods that take all weights at once have one stage", () => {
  const network = chain("sigmoid");
  const whole = (method: "copies" | "backprop" | "differences", estimator = CENTRAL) =>
    planOf(network, { ...OPTIONS, nonzeros: 5, batch: 10, method, estimator }).whole;
  const { work } = activations.sigmoid, lossWork = losses["cross-entropy"].work;
  const pass = 5 * 3 + 3 * work + 4 * 2 + 2 * lossWork;
  assert.deepEqual(whole("differences"), []);
  assert.deepEqual(whole("copies"), [
    { label: "whole copies", rows: 10 * 23 * 2, multiplyAdds: 10 * 23 * 2 * pass },
  ]);
  assert.deepEqual(whole("backprop"), [
    { label: "backpropagation", rows: 10, multiplyAdds: 10 * 2 * 23 },
  ]);
  const [{ rows }] = whole("differences", createEstimator("spsa", 1e-2, 7));
  assert.equal(rows, 10 * 7 * 2);
});
