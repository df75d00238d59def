/** Plans: which way each layer's copies go, and what it costs; no device is asked. */

import assert from "node:assert/strict";
import { createEstimator, stencilsOf } from "../src/core/estimator.ts";
import {
  type Activation,
  connect,
  createNetwork,
  DATA,
  type Network,
  type Node,
  parseNodes,
} from "../src/core/network.ts";
import { movedBehind } from "../src/core/moved.ts";
import {
  type Fused,
  type LayerPlan,
  mapsGoStraight,
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

const maps = (typed: string, inputShape: [number, number, number] = [2, 6, 5]) =>
  connect({
    inputs: inputShape.reduce((size, length) => size * length, 1),
    inputShape,
    classes: 2,
    nodes: parseNodes(typed),
  });

Deno.test("the ways of networks of maps", () => {
  assert.deepEqual(ways(maps("conv 3x2, sigmoid, maxpool 2, dense 4, sigmoid")), [
    "maps",
    "direct",
    "logit",
  ]);
  assert.deepEqual(ways(maps("conv 3x2, step, scale")), ["maps", "maps", "logit"]);
  assert.deepEqual(ways(maps("conv 3x2, flatten, dense 3, relu, dense 3, relu, dense 3, tanh")), [
    "maps",
    "rows",
    "rows",
    "direct",
    "logit",
  ]);
  const isStraight = (typed: string, sharing = true) =>
    mapsGoStraight(maps(typed).layers, 0, { sharing });
  assert.ok(isStraight("conv 3x2, relu, maxpool 2, conv 2x1, avgpool 2x1, dense 3, clip"));
  assert.ok(!isStraight("conv 3x2, relu, maxpool 2, conv 2x1, avgpool 2x1, dense 3, clip", false));
  // A map does not go along a line through its own activation where that is curved.
  assert.ok(!isStraight("conv 3x2, tanh, maxpool 2"));
  assert.ok(!isStraight("conv 3x2, relu, dense 3, tanh"));
});

Deno.test("what moves behind a channel is what takes it", () => {
  // 6 channels of 4x4; in 3 groups of 2 to 3; pooled; all in all of 2; a row.
  const { layers } = maps("conv 6x1, conv 9x1 groups 3, maxpool 2, conv 2x1, dense 5", [1, 4, 4]);
  const moved = (channel: number) =>
    [...movedBehind(layers, 0, [16 * channel, 16 * (channel + 1)])].map(([m, { taken, units }]) => [
      m,
      taken,
      units,
    ]);
  assert.deepEqual(moved(3), [
    [1, [48, 64], [48, 96]],
    [2, [48, 96], [12, 24]],
    [3, [12, 24], [0, 8]],
    [4, [0, 8], [0, 5]],
    [5, [0, 5], [0, 2]],
  ]);
  assert.deepEqual(moved(0)[0], [1, [0, 16], [0, 48]]);
  // Where branches join, all between what moves in either.
  const joined = connect({
    inputs: 4,
    inputShape: [1, 2, 2],
    classes: 2,
    nodes: [
      ...parseNodes("conv 4x1, conv 4x1 groups 2"),
      { operation: "add", from: [0, 1] },
      { operation: "scale" },
    ],
  });
  assert.deepEqual([...movedBehind(joined.layers, 0, [4, 8])].map(([, { units }]) => units), [
    [0, 8],
    [0, 8],
    [0, 8],
    [0, 2],
  ]);
});

Deno.test("the maps of a simple convolutional network, by hand", () => {
  const network = maps("conv 30x5, relu, maxpool 2, dense 100, relu", [1, 28, 28]);
  const { forward, gradient: [first], whole } = planOf(network, {
    ...OPTIONS,
    batch: 100,
    nonzeros: 1 + 784 / 4,
    distinct: 60,
  });
  const { work } = activations.relu, loss = losses["cross-entropy"].work * 2;
  const rows = 100 * 30 * 26;
  assert.deepEqual(whole, []);
  assert.deepEqual(first.stages, [
    { label: "directions, relu", rows, multiplyAdds: rows * work * (25 * 576 / 4 + 576) / 26 },
    {
      label: "directions, maxpool 1: 30x24x24 to 30x12x12",
      rows,
      multiplyAdds: rows * 576,
    },
    {
      label: "directions, dense 1: 4320 to 100, relu",
      rows,
      multiplyAdds: rows * (144 * 100 + 100 * work),
    },
    { label: "directions, dense 2: 100 to 2", rows, multiplyAdds: rows * 200 },
    { label: "cross-entropy", rows: 2 * rows, multiplyAdds: 2 * rows * loss },
    { label: "collect", rows: 2 * rows, multiplyAdds: 2 * rows },
  ]);
  // On a device what the units of the maps do is added up.
  const { gradient: [added] } = planOf(network, {
    ...OPTIONS,
    batch: 100,
    nonzeros: 1 + 784 / 4,
    distinct: 60,
    superposed: true,
  });
  assert.deepEqual(added.stages.slice(0, 2), [
    {
      label: "directions of units, dense 1: 4320 to 100, relu",
      rows: 100 * 4320,
      multiplyAdds: 100 * 4320 * 200,
    },
    { label: "directions, added up", rows, multiplyAdds: rows * 144 * 3 },
  ]);
  assert.deepEqual(added.stages.slice(2), first.stages.slice(4));
  assert.deepEqual(forward.slice(0, 2).map(({ multiplyAdds }) => multiplyAdds), [
    100 * (30 * 25 * 576 / 4 + 30 * 576 * work),
    100 * 30 * 576,
  ]);
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
    differences(
      { network, parameters: reads, trace },
      stencilsOf(options.estimator, network),
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
    maps("conv 3x2, leaky-relu, conv 2x3, leaky-relu, dense 3, leaky-relu"),
    maps("conv 4x3x2, sigmoid, conv 2x2 groups 2 stride 2, tanh, scale, gelu"),
    maps("scale, conv 4x2 groups 2 dilation 2, silu, dense 3, tanh"),
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
  // Where a weight's cell looks at padding nothing moves, and nothing behind it is counted.
  const padded = maps("conv 3x2 pad 1, sigmoid, conv 2x3, tanh");
  const options = { ...OPTIONS, batch: 3, nonzeros: 61, distinct: 61, sharing: false };
  const planned = costOf(planOf(padded, options).gradient), count = counted(padded, options);
  assert.ok(count <= planned && count > 0.8 * planned, `${count} of ${planned}`);
  // Units of a few values: the weights into them are counted alone, for those behind take zeros.
  // Nudges as far as these flip every step unit, but leave out the values in between.
  for (const [activation, share] of [["step", 1], ["sign", 1 / 2]] as const) {
    const network = chain(activation, "sigmoid", "tanh");
    const estimator = createEstimator("central", 1e6);
    const options = { ...OPTIONS, batch: 3, nonzeros: 5, distinct: 5, estimator };
    const { gradient: [first] } = planOf(network, options);
    const elements = Uint32Array.from({ length: 5 * 3 }, (_, i) => i);
    assert.equal(counted(network, options, elements), share * costOf([first]));
  }
  // States that no nudge reaches cost nothing: a third of a level's gap is from one threshold at most.
  const near = { ...OPTIONS, estimator: createEstimator("central", 1 / 9) };
  const { gradient: [few] } = planOf(chain("round 4", "sigmoid"), near);
  assert.equal(few.stages[0].rows, near.batch * 3);
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
  // Values go through the nudges, and changes through the nudged weights.
  assert.deepEqual(whole("differences", createEstimator("spsa", 1e-2, 7)), [
    { label: "random directions", rows: 10 * 7 * 2, multiplyAdds: 10 * 7 * 2 * 2 * pass },
  ]);
  const conv = maps("conv 3x2 pad 1, avgpool 2 stride 1");
  const [{ multiplyAdds }] = planOf(conv, { ...OPTIONS, method: "backprop" }).whole;
  // 7 places down, of which the first and the last see one row; 6 across.
  const { outputs } = conv.layers[1];
  assert.equal(multiplyAdds, 2 * (6 * 12 * 10 + outputs + 2 * (outputs + 1)));
});
