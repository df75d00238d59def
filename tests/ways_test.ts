/** The ways of an exact gradient, in float64: each against whole copies, and against the others. */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Activation,
  ACTIVATIONS,
  connect,
  createNetwork,
  DATA,
  LOSSES,
  type Network,
} from "../src/core/network.ts";
import type { Way } from "../src/core/plan.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { planFor } from "../src/cpu/work.ts";
import type { EngineOptions } from "../src/engine.ts";
import { activationOf } from "../src/operations/registry.ts";
import {
  assertClose,
  assertGradient,
  assertOtherWays,
  engineOptions,
  freshParameters,
  gradientOnCpu,
  randomNetwork,
  randomSamples,
  TWICE_SMOOTH,
} from "./support.ts";

/** The ways that a network's layers go. */
function waysOf(network: Network): Way[] {
  const options = engineOptions(network, randomSamples(1, network), 1);
  return planFor(options).gradient.map(({ way }) => way);
}

const PIECES = ACTIVATIONS.filter((name) => activationOf(name).pieces);
const STATES = ACTIVATIONS.filter((name) => activationOf(name).states);
const STENCILS = ["forward", "central", "five-point"] as const;

/** Random networks with joins; nudges from far below a kink's distance to far above it. */
const cases = fc.record({
  seed: fc.integer({ min: 0, max: 100_000 }),
  batch: fc.integer({ min: 1, max: 4 }),
  loss: fc.constantFrom(...LOSSES),
  epsilon: fc.constantFrom(0, 1e-7),
  estimator: fc.constantFrom(...STENCILS),
  h: fc.constantFrom(1e-2, 0.3, 1),
  bytes: fc.boolean(),
  activations: fc.constantFrom<readonly Activation[]>(ACTIVATIONS, PIECES, STATES),
});

type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

/** Everything that a case is made of. */
function problemOf({ seed, batch, loss, epsilon, estimator, h, bytes, activations }: Case) {
  const network = randomNetwork(seed, { loss, epsilon, activations });
  const samples = randomSamples(batch, network, bytes, seed);
  const parameters = freshParameters(network, 1, seed);
  const options = engineOptions(network, samples, batch, { estimator, h });
  return { network, parameters, options };
}

// The literal form's own rounding is about 1e-16 L / h, 1e-13 and less of a loss of 10 at these h;
// losses of up to 1e4, where squared errors of wide sums are, still leave 1e-10.
Deno.test("exact changes are those of whole copies, on random networks with joins", async () => {
  const seen = new Set<Way>();
  await fc.assert(
    fc.asyncProperty(cases, async (chosen) => {
      const { network, parameters, options } = problemOf(chosen);
      waysOf(network).forEach((way) => seen.add(way));
      const literal = await gradientOnCpu({ ...options, method: "copies" }, parameters);
      for (const sharing of [true, false]) {
        const gradient = await gradientOnCpu({ ...options, sharing }, parameters);
        assertGradient(network, gradient, literal, 1e-9, 1e-9);
      }
    }),
    { numRuns: 500, seed: 1 },
  );
  assert.deepEqual([...seen].sort(), ["direct", "logit", "rows", "states", "straight"]);
});

Deno.test("random directions and backpropagation go over joins, too", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (chosen) => {
      const { parameters, options } = problemOf({ ...chosen, activations: TWICE_SMOOTH });
      await assertOtherWays(options, parameters);
    }),
    { numRuns: 200, seed: 1 },
  );
});

// Where a copy goes by itself either way, and equal inputs alone are shared, it is the same
// arithmetic. Along a direction the products are made in another order: of some 30 operations on a
// way through 6 layers of up to 5 units, each may round differently, by 1.1e-16 of terms that may be
// 100 times as large as what is left of their sum.
Deno.test("copies that share are those that do not", async () => {
  let same = 0, near = 0;
  await fc.assert(
    fc.asyncProperty(cases, async (chosen) => {
      const { network, parameters, options } = problemOf(chosen);
      const shared = await gradientOnCpu(options, parameters);
      const alone = await gradientOnCpu({ ...options, sharing: false }, parameters);
      for (const { layer, way } of planFor(options).gradient) {
        const { inputs, outputs, offset } = network.layers[layer];
        const [ours, theirs] = [shared, alone].map((gradient) =>
          gradient.subarray(offset, offset + (inputs + 1) * outputs)
        );
        if (way === "direct" || way === "straight") {
          const size = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          assertClose(ours, theirs, 0, 30 * 100 * 1.1e-16 * size + 1e-300);
          near++;
        } else {
          assert.deepEqual(ours, theirs, `${way}, layer ${layer}`);
          same++;
        }
      }
    }),
    { numRuns: 500, seed: 2 },
  );
  assert.ok(same > 500 && near > 200, `${same} and ${near} layers`);
});

// One unit, 1 behind it, then a relu that is at -1/2 and goes through its kink at a change of 1/2.
Deno.test("a straight way ends at a kink, exactly", async () => {
  const network = createNetwork({
    inputs: 1,
    hidden: [1, 1],
    classes: 1,
    activation: "relu",
    loss: "squared-error",
  });
  const samples = { count: 1, inputs: 1, x: Float64Array.of(1), labels: Uint8Array.of(0) };
  // Unit 1 is 1; unit 2 is relu(1 - 3/2 + nudge); the loss is (unit 2 - 1)^2 / 2.
  const parameters = Float64Array.of(1, 0, 1, -1.5, 1, 0);
  const loss = (nudge: number) => (Math.max(0, nudge - 0.5) - 1) ** 2 / 2;
  assert.deepEqual(waysOf(network), ["straight", "direct", "logit"]);
  for (const h of [0.25, 0.5, 0.75]) {
    const options = engineOptions(network, samples, 1, { h });
    const [w] = await gradientOnCpu(options, parameters);
    assertClose([w], [(loss(h) - loss(-h)) / (2 * h)], 1e-15);
  }
  // At the kink itself: to one side there is nothing, to the other everything.
  const at = Float64Array.of(1, 0, 1, -1, 1, 0);
  const [w] = await gradientOnCpu(engineOptions(network, samples, 1, { h: 0.25 }), at);
  assert.equal(w, ((0.25 - 1) ** 2 - 1) / 2 / 0.5);
});

/** Weights whose units behind the first layer lie at, just before and just behind their kinks. */
function atKinks(network: Network, parameters: Float64Array, samples: EngineOptions["samples"]) {
  const planted = parameters.slice();
  const { layers } = network;
  // Units of the second layer, on the first sample, by their bias.
  const [first, second] = layers;
  for (let k = 0; k < second.outputs; k++) {
    let z = 0;
    for (let j = 0; j < first.outputs; j++) {
      let sum = parameters[first.offset + first.inputs * first.outputs + j];
      for (let i = 0; i < first.inputs; i++) {
        sum += samples.x[i] * parameters[first.offset + i * first.outputs + j];
      }
      z += activationOf(first.activation).activate(sum) *
        parameters[second.offset + j * second.outputs + k];
    }
    const kink = second.activation === "hard-sigmoid"
      ? [-3, 3][k % 2]
      : second.activation === "clip"
      ? [0, 6][k % 2]
      : 0;
    planted[second.offset + second.inputs * second.outputs + k] = kink - z +
      [0, 1e-3, -1e-3, 1e-6, -1e-6][k % 5];
  }
  return planted;
}

for (const activation of PIECES) {
  Deno.test(`kinks within and beyond the reach of nudges, ${activation}`, async () => {
    for (const front of ["sigmoid", activation] as const) {
      const network = createNetwork({
        inputs: 6,
        hidden: [4, 7, 5],
        classes: 3,
        activation: [front, activation, activation],
      });
      assert.deepEqual(waysOf(network), ["straight", "straight", "direct", "logit"]);
      const samples = randomSamples(3, network);
      const parameters = atKinks(network, freshParameters(network), samples);
      for (const h of [1e-4, 1e-2, 1]) {
        const options = engineOptions(network, samples, 3, { h, estimator: "five-point" });
        const shared = await gradientOnCpu(options, parameters);
        const alone = await gradientOnCpu({ ...options, sharing: false }, parameters);
        const literal = await gradientOnCpu({ ...options, method: "copies" }, parameters);
        assertGradient(network, shared, alone, 1e-12);
        assertGradient(network, shared, literal, 1e-9 / h * 1e-3, 1e-11 / h);
      }
    }
  });
}

Deno.test("an element's bits do not depend on which others are asked for", async () => {
  await fc.assert(
    fc.asyncProperty(
      cases,
      fc.constantFrom("differences" as const, "copies" as const, "backprop" as const),
      fc.boolean(),
      async (chosen, method, random) => {
        const { network, parameters, options } = problemOf(chosen);
        const settings = {
          ...options,
          method,
          estimator: random ? { name: "spsa" as const, h: 1e-2, queries: 2 } : options.estimator,
        };
        const whole = await gradientOnCpu(settings, parameters);
        const elements = Uint32Array.from(
          { length: 7 },
          (_, i) => (chosen.seed * (i + 1) * 7919) % network.parameters,
        );
        const some = await gradientOnCpu(settings, parameters, elements);
        assert.deepEqual(some, Float64Array.from(elements, (element) => whole[element]));
        const none = await gradientOnCpu(settings, parameters, new Uint32Array(0));
        assert.equal(none.length, 0);
      },
    ),
    { numRuns: 300, seed: 3 },
  );
});

Deno.test("an element that there is none of is refused", async () => {
  const network = createNetwork({ inputs: 2, hidden: [], classes: 2 });
  await assert.rejects(
    gradientOnCpu(
      engineOptions(network, randomSamples(1, network), 1),
      freshParameters(network),
      Uint32Array.of(5, 6),
    ),
    /^RangeError: Cannot take element 6 of a gradient: it has 6, counted from 0$/,
  );
});

Deno.test("a residual network trains, by every numerical method", async () => {
  const network = connect({
    inputs: 6,
    classes: 3,
    nodes: [
      { operation: "dense", width: 8 },
      { operation: "tanh" },
      { operation: "dense", width: 8 },
      { operation: "relu" },
      { operation: "dense", width: 8 },
      { operation: "add", from: [1, 4] },
      { operation: "sigmoid" },
      { operation: "dense", width: 6, from: [6] },
      { operation: "add", from: [DATA, 7] },
    ],
  });
  const samples = randomSamples(12, network);
  for (const [method, estimator] of [["differences", "central"], ["copies", "central"]] as const) {
    using engine = new CpuEngine(
      engineOptions(network, samples, 12, { method, estimator, h: 1e-4, optimizer: "adam" }),
    );
    engine.setParameters(freshParameters(network));
    const rows = Uint32Array.from({ length: 12 * 60 }, (_, i) => i % 12);
    const losses = await engine.train(rows, new Float64Array(60).fill(0.05));
    assert.ok(losses.at(-1)! < 0.1 * losses[0], `${method}: ${losses[0]} to ${losses.at(-1)}`);
  }
});
