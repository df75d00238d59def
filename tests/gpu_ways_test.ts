/** The ways of an exact gradient on the device: against float64, with nothing shared, in parts. */

import assert from "node:assert/strict";
import {
  type Activation,
  ACTIVATIONS,
  connect,
  createNetwork,
  DATA,
  type Network,
} from "../src/core/network.ts";
import type { Way } from "../src/core/plan.ts";
import { planFor } from "../src/cpu/work.ts";
import type { EngineOptions } from "../src/engine.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import { copiesErrorBound } from "../src/method/bounds.ts";
import { compareGradients } from "../src/method/gradcheck.ts";
import { onDevice } from "../src/method/parity.ts";
import { activationOf } from "../src/operations/registry.ts";
import {
  all,
  assertClose,
  assertGradient,
  engineOptions,
  FLOOR,
  freshParameters,
  gpuTest,
  gradientOn,
  gradientOnCpu,
  quarters,
  quarterSamples,
  randomNetwork,
  randomSamples,
  RELATIVE,
} from "./support.ts";

const waysOf = (options: EngineOptions): Way[] => planFor(options).gradient.map(({ way }) => way);

const SMOOTH = ACTIVATIONS.filter((name) => {
  const { pieces, states } = activationOf(name) as { pieces?: unknown; states?: unknown };
  return !pieces && !states;
});
/** Piecewise units and units of few values that keep quarters quarters. */
const EXACT: readonly Activation[] = ["relu", "clip", "step", "sign"];

/** Random networks with sums, one for each of the ways. */
function joinedNetworks(ways: readonly Way[], activations: readonly Activation[]): Network[] {
  const found: Network[] = [], missing = new Set(ways);
  for (let seed = 1; missing.size > 0; seed++) {
    const loss = seed % 2 ? "cross-entropy" as const : "squared-error" as const;
    const network = randomNetwork(seed, { size: 7, activations, loss });
    if (!network.layers.some(({ kind }) => kind === "sum")) continue;
    const its = waysOf(engineOptions(network, randomSamples(1, network), 1));
    if (its.filter((way) => missing.delete(way)).length > 0) found.push(network);
  }
  return found;
}

for (
  const [name, activations, h, ways] of [
    ["smooth", SMOOTH, 1e-2, ["direct", "rows"]],
    ["exact", EXACT, 0.5, ["rows", "states", "straight"]],
  ] as const
) {
  gpuTest(`random networks with joins, every method, ${name} units`, async (open) => {
    using gpu = await open();
    for (const network of joinedNetworks(ways, activations)) {
      const isExact = activations === EXACT, batch = 5;
      const fresh = freshParameters(network);
      const parameters = isExact ? quarters(fresh) : fresh;
      const samples = isExact ? quarterSamples(batch, network) : randomSamples(batch, network);
      for (
        const settings of [
          {},
          { sharing: false },
          { estimator: "spsa" },
          { method: "backprop" },
          { method: "copies", h: 0.5 },
        ] as const
      ) {
        const options = engineOptions(network, samples, batch, { h, ...settings });
        const actual = await gradientOn(gpu, options, parameters);
        const expected = await gradientOnCpu(options, parameters);
        if (options.method === "copies") {
          assertClose(actual, expected, 1e-5, copiesErrorBound(options, parameters));
        } else assertGradient(network, actual, expected, RELATIVE, FLOOR);
      }
    }
  });
}

gpuTest("more hidden layers than six, joined and not", async (open) => {
  using gpu = await open();
  for (const activation of ["tanh", "relu"] as const) {
    const hidden = [5, 4, 6, 3, 5, 4, 3, 5];
    const chain = createNetwork({ inputs: 9, hidden, classes: 3, activation });
    const samples = randomSamples(4, chain, true);
    for (const sharing of [true, false]) {
      const options = engineOptions(chain, samples, 4, { h: 1e-4, sharing });
      const parameters = freshParameters(chain);
      assertGradient(
        chain,
        await gradientOn(gpu, options, parameters),
        await gradientOnCpu(options, parameters),
        RELATIVE,
        FLOOR,
      );
    }
  }
});

/** Sizes that fill no vector, workgroup or tile, with a sum around the second layer. */
function residual(front: Activation, back: Activation): Network {
  return connect({
    inputs: 35,
    classes: 3,
    nodes: [
      { operation: "dense", width: 13 },
      { operation: front },
      { operation: "dense", width: 13 },
      { operation: back },
      { operation: "add", from: [1, 3] },
      { operation: "dense", width: 9 },
      { operation: back },
    ],
  });
}

// Where kinks lie within the reach of nudges, gradients by finite differences are not derivatives.
gpuTest("kinks and ties within the reach of nudges, planted", async (open) => {
  using gpu = await open();
  for (
    const network of [
      residual("relu", "clip"),
      createNetwork({ inputs: 7, hidden: [6, 11, 5], classes: 3, activation: "relu" }),
    ]
  ) {
    const samples = quarterSamples(5, network), parameters = quarters(freshParameters(network));
    const derivative = await gradientOnCpu(
      engineOptions(network, samples, 5, { method: "backprop" }),
      parameters,
    );
    for (const h of [0.25, 1]) {
      const options = engineOptions(network, samples, 5, { h });
      assert.ok(waysOf(options).includes("straight"));
      const expected = await gradientOnCpu(options, parameters);
      const [first] = compareGradients(network, expected, derivative);
      assert.ok(first.relativeError > 1e-2, `no kink decides: ${first.relativeError}`);
      for (const sharing of [true, false]) {
        const actual = await gradientOn(gpu, { ...options, sharing }, parameters);
        assertGradient(network, actual, expected, RELATIVE, FLOOR);
      }
    }
  }
});

gpuTest("units of few values, at several h", async (open) => {
  using gpu = await open();
  for (const activation of ["step", "sign"] as const) {
    const network = createNetwork({ inputs: 33, hidden: [9, 13, 6], classes: 3, activation });
    const samples = quarterSamples(6, network), parameters = quarters(freshParameters(network));
    for (const h of [0.25, 1, 4]) {
      const options = engineOptions(network, samples, 6, { h, estimator: "five-point" });
      const expected = await gradientOnCpu(options, parameters);
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      assert.ok(largest > 1e-3, `nothing flips at h = ${h}`);
      assertGradient(
        network,
        await gradientOn(gpu, options, parameters),
        expected,
        RELATIVE,
        FLOOR,
      );
    }
  }
});

// Rows are the same rows, whatever shares them.
gpuTest("equal inputs shared, or every copy by itself: the same bits", async (open) => {
  using gpu = await open();
  const network = residual("gelu", "tanh");
  const options = engineOptions(network, randomSamples(7, network, true), 7);
  assert.deepEqual(waysOf(options), ["rows", "rows", "direct", "logit"]);
  const parameters = freshParameters(network);
  const [shared, alone] = [
    await gradientOn(gpu, options, parameters),
    await gradientOn(gpu, { ...options, sharing: false }, parameters),
  ];
  const [first] = network.layers, size = (first.inputs + 1) * first.outputs;
  assert.deepEqual(shared.subarray(0, size), alone.subarray(0, size));
});

/** Networks of every way that takes rows. */
const OF_WAYS: readonly (readonly [Activation, Activation, number])[] = [
  ["relu", "hard-sigmoid", 1e-2],
  ["relu", "relu", 1],
  ["gelu", "tanh", 1e-2],
  ["sign", "tanh", 1],
];

gpuTest("parts and passes in little memory: the same bits", async (open) => {
  for (const [front, back, h] of OF_WAYS) {
    const network = residual(front, back), batch = 3;
    const options = engineOptions(network, randomSamples(batch, network), batch, { h });
    const parameters = freshParameters(network);
    using roomy = await open();
    const expected = await gradientOn(roomy, options, parameters);
    const least = 16 * 14 * 16; // rows of the widest layer, for a band of a product
    for (const scratch of [least, 3 * least + 16]) {
      using small = await open(scratch);
      const actual = await gradientOn(small, options, parameters);
      assert.deepEqual(actual, expected, `${front}, ${back}, in ${scratch} bytes`);
    }
    using none = await open(16 * 14);
    await assert.rejects(
      gradientOn(none, options, parameters),
      /^RangeError: Cannot evaluate 12 copies of one weight at once: .* hold 0; use a smaller/,
    );
  }
});

// Lists are filled up to pairs, and inputs that are zero in one batch are not in another.
gpuTest("a batch's gradient does not depend on the batch before", async (open) => {
  using gpu = await open();
  for (const [front, back, h] of OF_WAYS) {
    const network = residual(front, back), batch = 3;
    const samples = randomSamples(5 * batch, network);
    const options = engineOptions(network, samples, batch, { h });
    const parameters = freshParameters(network);
    await onDevice(gpu, options, parameters, async (engine) => {
      for (const first of [0, 3, 6, 9, 12]) {
        const rows = all(batch).map((n) => first + n);
        const { gradient } = await engine.gradient(rows);
        const fresh = await gradientOn(gpu, options, parameters, rows);
        assert.deepEqual(gradient, fresh, `${front}, ${back}, from sample ${first}`);
      }
    });
  }
});

gpuTest("data that is taken again behind, and a sum of a value with itself", async (open) => {
  using gpu = await open();
  const network = connect({
    inputs: 6,
    classes: 3,
    nodes: [
      { operation: "dense", width: 6 },
      { operation: "add", from: [DATA, 0, 0] },
      { operation: "silu" },
      { operation: "dense", width: 4 },
      { operation: "softplus" },
      { operation: "dense", width: 6, from: [2] },
      { operation: "add", from: [5, 1] },
      { operation: "dense", width: 4, from: [6] },
      { operation: "add", from: [7, 4] },
    ],
  });
  const parameters = freshParameters(network);
  for (const h of [1e-2, 1e-6]) {
    const options = engineOptions(network, randomSamples(5, network), 5, { h });
    const actual = await gradientOn(gpu, options, parameters);
    assertGradient(
      network,
      actual,
      await gradientOnCpu(options, parameters),
      RELATIVE,
      FLOOR,
    );
  }
});

gpuTest("lists longer than there are passes for: what fell short is made again", async (open) => {
  const network = createNetwork({ inputs: 9, hidden: [8, 12], classes: 4, activation: "relu" });
  const batch = 6, samples = randomSamples(24, network), parameters = freshParameters(network);
  const batches = Uint32Array.from({ length: 4 * batch }, (_, n) => n); // [4 steps, batch]
  const rates = new Float64Array(4).fill(0.5);
  // Some copies go beyond a kink, or most of them.
  for (const h of [0.05, 2]) {
    const options = engineOptions(network, samples, batch, { h });
    const seen: unknown[] = [];
    for (const scratchBytes of [undefined, 16 * 13 * 5 * 3]) { // the least that the batch can do with
      using gpu = await open(scratchBytes);
      using engine = new GpuEngine(gpu, options);
      const buffers = gpu.buffers;
      // None is waited for, and all take effect in turn.
      engine.setParameters(parameters);
      const before = engine.gradient(batches.subarray(0, batch));
      const losses = engine.train(batches, rates);
      const trained = engine.parameters(), steps = engine.optimizerState();
      engine.setParameters(parameters);
      const back = engine.parameters();
      seen.push([
        (await before).gradient,
        await losses,
        await trained,
        (await steps).steps,
        await back,
      ]);
      assert.deepEqual(await back, parameters);
      // Made again with more passes, but once.
      if (h === 0.05 && scratchBytes) assert.ok(gpu.buffers > buffers, "no list fell short");
    }
    assert.deepEqual(seen[1], seen[0], `h = ${h}`);
  }
});
