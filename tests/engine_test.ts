import assert from "node:assert/strict";
import fc from "fast-check";
import { type Activation, ACTIVATIONS, createNetwork, LOSSES } from "../src/core/network.ts";
import { ESTIMATORS } from "../src/core/estimator.ts";
import { OPTIMIZERS } from "../src/core/optimizers.ts";
import { Xoshiro } from "../src/core/random.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import type { EngineOptions } from "../src/engine.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import { chunksOf } from "../src/gpu/differences.ts";
import {
  assertClose,
  assertGradient,
  engineOptions,
  freshParameters,
  gpuTest,
  randomSamples,
} from "./support.ts";

const all = (count: number) => Uint32Array.from({ length: count }, (_, n) => n);

async function cpuGradient(options: EngineOptions, parameters: Float64Array) {
  using engine = new CpuEngine(options);
  engine.setParameters(parameters);
  return await engine.gradient(all(options.batch));
}

Deno.test("the tutorial's 2x3 example, to 6 digits", async () => {
  const network = createNetwork({ inputs: 2, hidden: [], classes: 3 });
  const samples = {
    count: 1,
    inputs: 2,
    x: Float32Array.of(0.6, 0.9),
    labels: Uint8Array.of(2),
  };
  const w = [0.47355232, 0.9977393, 0.84668094, 0.85557411, 0.03563661, 0.69422093, 0, 0, 0];
  for (const method of ["differences", "copies", "backprop"] as const) {
    const options = engineOptions(network, samples, 1, { method, h: 1e-4 });
    const { gradient } = await cpuGradient(options, Float64Array.from(w));
    assertClose(
      gradient.subarray(0, 6),
      [0.21924757, 0.14356243, -0.36281, 0.32887136, 0.21534364, -0.544215],
      0,
      5e-7,
    );
  }
});

// The literal form's own rounding is about 1e-16 |L| / h: 1e-13 at the h used here.
Deno.test("differences equal the literal definition in float64, on random networks", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 4 }),
      fc.integer({ min: 2, max: 6 }),
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(...ACTIVATIONS),
      fc.constantFrom(...LOSSES),
      fc.constantFrom(0, 1e-7),
      fc.constantFrom("forward" as const, "central" as const, "five-point" as const),
      fc.integer({ min: 0, max: 1000 }),
      async (inputs, hidden, classes, batch, activation, loss, epsilon, estimator, seed) => {
        const network = createNetwork({ inputs, hidden, classes, activation, loss, epsilon });
        const parameters = freshParameters(network, 1, seed);
        const samples = randomSamples(batch, network, false, seed);
        const h = activation === "step" ? 0.5 : 0.01;
        const settings = { estimator, h };
        const [a, b] = await Promise.all(
          (["differences", "copies"] as const).map((method) =>
            cpuGradient(engineOptions(network, samples, batch, { ...settings, method }), parameters)
          ),
        );
        assertGradient(network, a.gradient, b.gradient, 1e-9, 1e-11);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("random directions: exact changes equal whole losses", async () => {
  const network = createNetwork({ inputs: 5, hidden: [4, 3], classes: 3, activation: "tanh" });
  const samples = randomSamples(6, network);
  const parameters = freshParameters(network);
  const [a, b] = await Promise.all(
    (["differences", "copies"] as const).map((method) =>
      cpuGradient(engineOptions(network, samples, 6, { method, estimator: "spsa" }), parameters)
    ),
  );
  assertGradient(network, a.gradient, b.gradient, 1e-9);
});

/** Odd sizes: one of everything, no multiples of a workgroup or a mask word, many classes. */
const SHAPES: [number, number[], number, number, boolean][] = [
  [1, [1], 2, 1, false],
  [3, [], 2, 1, false],
  [31, [7], 3, 5, false],
  [33, [65], 10, 7, true],
  [784, [50], 10, 10, true],
  [40, [9], 17, 3, true],
  [20, [130], 40, 4, false],
  [32, [5, 4], 3, 6, true],
  [10, [1, 1, 1], 2, 2, false],
  [65, [12, 70, 9], 20, 3, false],
];

for (const activation of ACTIVATIONS) {
  for (const loss of LOSSES) {
    gpuTest(`gradient against float64, ${activation}, ${loss}`, async (open) => {
      for (const [inputs, hidden, classes, batch, bytes] of SHAPES) {
        const network = createNetwork({ inputs, hidden, classes, activation, loss });
        const samples = randomSamples(batch, network, bytes);
        const parameters = freshParameters(network);
        // A step unit sees only large nudges.
        const h = activation === "step" ? 0.5 : 1e-3;
        const options = engineOptions(network, samples, batch, { h });
        using gpu = new GpuEngine(await open(), options);
        gpu.setParameters(parameters);
        const actual = await gpu.gradient(all(batch));
        const expected = await cpuGradient(options, parameters);
        assertClose([actual.loss], [expected.loss], 2e-6);
        // Each sample's change is right to a few roundings of 6e-8. Where the changes of few samples
        // nearly cancel, these roundings stand beside a small sum: hence 5e-6, and the floor.
        assertGradient(network, actual.gradient, expected.gradient, 5e-6, 1e-7);
      }
    });
  }
}

for (const h of [1, 1e-2, 1e-4, 1e-6]) {
  gpuTest(`gradient of 784-50-10 against float64 at h = ${h}`, async (open) => {
    const network = createNetwork({ inputs: 784, hidden: [50], classes: 10 });
    const samples = randomSamples(100, network, true);
    for (const init of [0.01, "xavier"] as const) {
      const parameters = freshParameters(network, init);
      const options = engineOptions(network, samples, 100, { h });
      using gpu = new GpuEngine(await open(), options);
      gpu.setParameters(parameters);
      const { gradient } = await gpu.gradient(all(100));
      const expected = await cpuGradient(options, parameters);
      assertGradient(network, gradient, expected.gradient, 1e-6);
    }
  });
}

for (const estimator of ESTIMATORS.filter((name) => name !== "spsa")) {
  gpuTest(`estimator ${estimator}`, async (open) => {
    const network = createNetwork({ inputs: 12, hidden: [9, 8], classes: 4 });
    const samples = randomSamples(9, network);
    const parameters = freshParameters(network);
    const options = engineOptions(network, samples, 9, { estimator });
    using gpu = new GpuEngine(await open(), options);
    gpu.setParameters(parameters);
    const { gradient } = await gpu.gradient(all(9));
    assertGradient(network, gradient, (await cpuGradient(options, parameters)).gradient, 2e-6);
  });
}

Deno.test("groups of steps begun together are taken one after the other", async () => {
  const network = createNetwork({ inputs: 4, hidden: [3], classes: 2 });
  const options = engineOptions(network, randomSamples(6, network), 3);
  const losses = [];
  for (const together of [true, false]) {
    using engine = new CpuEngine(options);
    engine.setParameters(freshParameters(network));
    const first = engine.train(Uint32Array.of(0, 1, 2), Float64Array.of(1));
    if (!together) await first;
    losses.push([
      ...await engine.train(Uint32Array.of(0, 1, 2), Float64Array.of(1)),
      ...await first,
    ]);
  }
  assert.deepEqual(losses[0], losses[1]);
  assert.notEqual(losses[0][0], losses[0][1]);
});

gpuTest("a relu that a nudge turns on or off changes by what it really changes", async (open) => {
  const network = createNetwork({ inputs: 1, hidden: [2], classes: 2, activation: "relu" });
  const samples = { count: 1, inputs: 1, x: Float32Array.of(1), labels: Uint8Array.of(0) };
  // Units at z = 0.25 and z = -0.25, nudged by 0.5: the kink lies inside the step.
  const parameters = Float64Array.of(0.25, -0.25, 0, 0, 1, -1, 0.5, 0.25, 0, 0);
  const options = engineOptions(network, samples, 1, { h: 0.5 });
  const literal = await cpuGradient({ ...options, method: "copies" }, parameters);
  const derivative = await cpuGradient({ ...options, method: "backprop" }, parameters);
  using gpu = new GpuEngine(await open(), options);
  gpu.setParameters(parameters);
  const { gradient } = await gpu.gradient(all(1));
  assertGradient(network, gradient, literal.gradient, 1e-6);
  assert.equal(derivative.gradient[1], 0); // the derivative sees nothing of the second unit
  assert.ok(Math.abs(gradient[1]) > 0.01);
});

gpuTest("small chunks give the same gradient, to the last bit", async (open) => {
  const network = createNetwork({ inputs: 20, hidden: [6, 5], classes: 3 });
  const samples = randomSamples(4, network);
  const options = engineOptions(network, samples, 4);
  const gradients = [];
  for (const scratchBytes of [2 ** 20, 4 * 6 * 2 * 4 * 7, 4 * 6 * 2 * 4]) {
    using gpu = new GpuEngine(await open(scratchBytes), options);
    gpu.setParameters(freshParameters(network));
    gradients.push((await gpu.gradient(all(4))).gradient);
  }
  assert.deepEqual(gradients[1], gradients[0]);
  assert.deepEqual(gradients[2], gradients[0]);
  assert.throws(() => chunksOf(network.layers[0], 8, 7), /^RangeError: Cannot evaluate 8 copies/);
});

for (const optimizer of OPTIMIZERS) {
  gpuTest(`ten steps of ${optimizer} against the CPU`, async (open) => {
    const network = createNetwork({ inputs: 11, hidden: [7], classes: 3 });
    const samples = randomSamples(40, network);
    const options = engineOptions(network, samples, 8, { optimizer, weightDecay: 0.01, h: 1e-3 });
    const random = new Xoshiro(5);
    const indices = new Uint32Array(80);
    for (let step = 0; step < 10; step++) indices.set(random.sample(40, 8), 8 * step);
    const rates = Float64Array.from({ length: 10 }, (_, i) => 0.05 / (1 + i));
    const parameters = freshParameters(network);
    using cpu = new CpuEngine(options);
    using gpu = new GpuEngine(await open(), options);
    cpu.setParameters(parameters);
    gpu.setParameters(parameters);
    assertClose(await gpu.train(indices, rates), await cpu.train(indices, rates), 1e-5);
    // Adam and its kin divide by roots of small gradients, which magnifies float32's rounding.
    assertClose(await gpu.parameters(), await cpu.parameters(), 1e-4, 1e-5);
    const test = randomSamples(301, network, false, 9);
    const [a, b] = [await gpu.evaluate(test), await cpu.evaluate(test)];
    assertClose([a.loss], [b.loss], 1e-5);
    assert.ok(Math.abs(a.accuracy - b.accuracy) <= 1 / 301);
  });
}

gpuTest("what does not fit is refused with the size and the limit", async (open) => {
  const activation: Activation = "sigmoid";
  const network = createNetwork({ inputs: 9000, hidden: [9000], classes: 2, activation });
  const gpu = await open();
  const options = engineOptions(network, randomSamples(1, network), 1);
  if (gpu.largestBuffer < 4 * network.parameters) {
    assert.throws(
      () => new GpuEngine(gpu, options),
      /^RangeError: Cannot hold parameters: it needs/,
    );
  }
  gpu[Symbol.dispose]();
});
