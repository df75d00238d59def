import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Activation,
  ACTIVATIONS,
  createNetwork,
  type Loss,
  LOSSES,
} from "../src/core/network.ts";
import { createEstimator, ESTIMATORS } from "../src/core/estimator.ts";
import { OPTIMIZERS } from "../src/core/optimizers.ts";
import { Xoshiro } from "../src/core/random.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { forward, gather } from "../src/cpu/forward.ts";
import type { Engine, EngineOptions } from "../src/engine.ts";
import { activationOf } from "../src/operations/registry.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import { copiesErrorBound } from "../src/method/bounds.ts";
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
        const h = activationOf(activation).states ? 0.5 : 0.01;
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

/** Odd sizes: one of everything, no multiples of a workgroup, a block or a run, many classes. */
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

/**
 * The first three activations with both losses; of the others, those without an upper bound with the
 * cross-entropy, for worst cases of squares of unbounded values say nothing.
 */
const PAIRS = ACTIVATIONS.flatMap((activation, i) => {
  const other = activationOf(activation).range[1] === Infinity ? "cross-entropy" : "squared-error";
  return LOSSES.filter((loss) => i < 3 || loss === other).map((loss) =>
    [activation, loss] as const
  );
});

/** Every shape with two choices of activation and loss, and some of them with the others. */
function shapesFor(activation: Activation, loss: Loss): typeof SHAPES {
  const all = ["sigmoid cross-entropy", "relu squared-error"].includes(`${activation} ${loss}`);
  return all ? SHAPES : [SHAPES[0], SHAPES[3], SHAPES[5], SHAPES[7]];
}

for (const [activation, loss] of PAIRS) {
  gpuTest(`gradient against float64, ${activation}, ${loss}`, async (open) => {
    for (const [inputs, hidden, classes, batch, bytes] of shapesFor(activation, loss)) {
      const network = createNetwork({ inputs, hidden, classes, activation, loss });
      const samples = randomSamples(batch, network, bytes);
      const parameters = freshParameters(network);
      // A step unit sees only large nudges.
      const h = activationOf(activation).states ? 0.5 : 1e-3;
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

// The literal form in float64 loses about 1e-16 L / h; float32 tolerances as above. Step units are
// left out: where z + dz is within rounding of 0, float32 and float64 may see different flips.
gpuTest("differences equal the literal float64 definition, on random networks", async (open) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 2, max: 6 }),
      fc.integer({ min: 1, max: 9 }),
      fc.constantFrom("sigmoid" as const, "relu" as const, "tanh" as const),
      fc.constantFrom(...LOSSES),
      fc.constantFrom(0, 1e-7),
      fc.boolean(),
      fc.integer({ min: 0, max: 1000 }),
      async (inputs, hidden, classes, batch, activation, loss, epsilon, bytes, seed) => {
        const network = createNetwork({ inputs, hidden, classes, activation, loss, epsilon });
        const parameters = freshParameters(network, "xavier", seed);
        const options = engineOptions(network, randomSamples(batch, network, bytes, seed), batch);
        using gpu = new GpuEngine(await open(), options);
        gpu.setParameters(parameters);
        const { gradient } = await gpu.gradient(all(batch));
        const literal = await cpuGradient({ ...options, method: "copies" }, parameters);
        assertGradient(network, gradient, literal.gradient, 5e-6, 2e-7);
      },
    ),
    { numRuns: 10, seed: 1 },
  );
});

for (const activation of ["sigmoid", "relu", "tanh", "step"] as const) {
  gpuTest(`784-100-50-10 against float64, ${activation}`, async (open) => {
    const network = createNetwork({ inputs: 784, hidden: [100, 50], classes: 10, activation });
    const samples = randomSamples(60, network, true);
    const parameters = freshParameters(network);
    // Samples on which a unit is nearer to its kink than the nudges reach, or float32 rounds, are
    // left out: which side of the kink float32 sees there is chance.
    const { inputs } = forward(network, parameters, gather(samples, all(60)));
    const clear = all(60).filter((n) =>
      inputs.slice(0, 2).every((c, l) =>
        c.subarray(n * [100, 50][l], (n + 1) * [100, 50][l]).every((z) => Math.abs(z) > 1e-3)
      )
    ).subarray(0, 5);
    assert.equal(clear.length, 5);
    const options = engineOptions(network, samples, 5, { h: activation === "step" ? 0.5 : 1e-4 });
    using gpu = new GpuEngine(await open(), options);
    using cpu = new CpuEngine(options);
    gpu.setParameters(parameters);
    cpu.setParameters(parameters);
    const { gradient } = await gpu.gradient(clear);
    assertGradient(network, gradient, (await cpu.gradient(clear)).gradient, 2e-6);
  });
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

for (const estimator of ESTIMATORS) {
  gpuTest(`estimator ${estimator}`, async (open) => {
    const network = createNetwork({ inputs: 12, hidden: [9, 8], classes: 4 });
    const samples = randomSamples(9, network);
    const parameters = freshParameters(network);
    for (const method of ["differences", "copies"] as const) {
      const options = engineOptions(network, samples, 9, { method, estimator, h: 0.25 });
      using gpu = new GpuEngine(await open(), options);
      gpu.setParameters(parameters);
      const { gradient } = await gpu.gradient(all(9));
      const expected = (await cpuGradient(options, parameters)).gradient;
      if (method === "differences") assertGradient(network, gradient, expected, 2e-6);
      else assertClose(gradient, expected, 0, copiesErrorBound(options, parameters));
    }
  });
}

/** Small enough for a worst-case bound to say something; a tile's edge lies inside the last two. */
const SMALL_SHAPES: typeof SHAPES = [
  [1, [1], 2, 1, false],
  [20, [7], 3, 65, true],
  [5, [4, 3], 70, 2, false],
];

for (const [activation, loss] of PAIRS) {
  gpuTest(`copies agree with differences, ${activation}, ${loss}`, async (open) => {
    for (const [inputs, hidden, classes, batch, bytes] of SMALL_SHAPES) {
      const network = createNetwork({ inputs, hidden, classes, activation, loss });
      const samples = randomSamples(batch, network, bytes);
      const parameters = freshParameters(network);
      const settings = { h: 0.5 };
      const gradients = [];
      for (const method of ["differences", "copies"] as const) {
        const options = engineOptions(network, samples, batch, { ...settings, method });
        using gpu = new GpuEngine(await open(), options);
        gpu.setParameters(parameters);
        gradients.push((await gpu.gradient(all(batch))).gradient);
      }
      const bound = copiesErrorBound(
        engineOptions(network, samples, batch, settings),
        parameters,
      );
      assertClose(gradients[1], gradients[0], 1e-5, bound);
      const largest = gradients[0].reduce((max, g) => Math.max(max, Math.abs(g)), 0);
      assert.ok(bound < 0.1 * largest, `the bound ${bound} says nothing of ${largest}`);
    }
  });
}

gpuTest("copies by the product for software adapters, and by that for hardware", async (open) => {
  const network = createNetwork({ inputs: 20, hidden: [17], classes: 3 });
  const samples = randomSamples(65, network);
  const parameters = freshParameters(network);
  const settings = { method: "copies", h: 0.5 } as const;
  const central = engineOptions(network, samples, 65, settings);
  // Few copies are laid out unlike many.
  const estimators = [central.estimator, ...[3, 70].map((n) => createEstimator("spsa", 0.5, n))];
  const bound = copiesErrorBound(central, parameters);
  for (const estimator of estimators) {
    const options = { ...central, estimator };
    const expected = (await cpuGradient(options, parameters)).gradient;
    for (const software of [true, false]) {
      using gpu = new GpuEngine(Object.assign(await open(), { software }), options);
      gpu.setParameters(parameters);
      assertClose((await gpu.gradient(all(65))).gradient, expected, 0, bound);
      const largest = expected.reduce((max, g) => Math.max(max, Math.abs(g)), 0);
      assert.ok(bound < 0.1 * largest, `the bound ${bound} says nothing of ${largest}`);
    }
  }
});

// llvmpipe ends a thread's loops after 65,535 turns, without a word.
gpuTest("copies of a layer with more inputs than a loop has turns", async (open) => {
  const inputs = 70_000, seen = 10; // only the first and the last inputs are not zero
  const network = createNetwork({ inputs, hidden: [2], classes: 2 });
  const small = createNetwork({ inputs: seen, hidden: [2], classes: 2 });
  const smallSamples = randomSamples(3, small);
  const x = new Float32Array(3 * inputs);
  smallSamples.x.forEach((value, at) => {
    const n = Math.floor(at / seen), i = at % seen;
    x[n * inputs + (i < seen / 2 ? i : inputs - seen + i)] = value;
  });
  const parameters = freshParameters(network).map((w, i) => i < inputs * 2 ? 30 * w : w);
  const settings = { method: "copies", estimator: "spsa", h: 0.5 } as const;
  const options = engineOptions(network, { ...smallSamples, inputs, x }, 3, settings);
  const expected = (await cpuGradient(options, parameters)).gradient;
  using gpu = new GpuEngine(await open(), options);
  gpu.setParameters(parameters);
  const { gradient } = await gpu.gradient(all(3));
  // What is zero adds no error: the sums are those of the weights of what is not.
  const kept = Float64Array.of(
    ...parameters.subarray(0, seen),
    ...parameters.subarray(seen - small.parameters),
  );
  const bound = copiesErrorBound(engineOptions(small, smallSamples, 3, settings), kept);
  assertClose(gradient, expected, 0, bound);
  const largest = expected.reduce((max, g) => Math.max(max, Math.abs(g)), 0);
  assert.ok(bound < 0.1 * largest, `the bound ${bound} says nothing of ${largest}`);
});

gpuTest("copies in several runs give the same gradient, to the last bit", async (open) => {
  const network = createNetwork({ inputs: 20, hidden: [6, 5], classes: 3 });
  const samples = randomSamples(70, network);
  const options = engineOptions(network, samples, 70, { method: "copies" });
  const gradients = [];
  for (const scratchBytes of [2 ** 22, 4 * 70 * 7 * 10, 4 * 70 * 7 * 2]) {
    using gpu = new GpuEngine(await open(scratchBytes), options);
    gpu.setParameters(freshParameters(network));
    gradients.push((await gpu.gradient(all(70))).gradient);
  }
  assert.deepEqual(gradients[1], gradients[0]);
  assert.deepEqual(gradients[2], gradients[0]);
  const none = await open(64);
  assert.throws(() => new GpuEngine(none, options), /^RangeError: Cannot hold 2 copies/);
  none[Symbol.dispose]();
});

for (const [activation, loss] of PAIRS) {
  gpuTest(`backprop against float64, ${activation}, ${loss}`, async (open) => {
    for (const [inputs, hidden, classes, batch, bytes] of SHAPES) {
      const network = createNetwork({ inputs, hidden, classes, activation, loss });
      const samples = randomSamples(batch, network, bytes);
      const parameters = freshParameters(network);
      const options = engineOptions(network, samples, batch, { method: "backprop" });
      using gpu = new GpuEngine(await open(), options);
      gpu.setParameters(parameters);
      const { gradient } = await gpu.gradient(all(batch));
      const expected = await cpuGradient(options, parameters);
      assertGradient(network, gradient, expected.gradient, 1e-5, 1e-7);
    }
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

// Work is cut up in other ways where threads are many: short blocks, slices of the batch, sums that
// several threads share. A software device takes those ways as well, if slowly.
gpuTest("gradients as on hardware, against float64", async (open) => {
  for (const method of ["differences", "copies", "backprop"] as const) {
    const shapes = method === "copies" ? SMALL_SHAPES : [SHAPES[3], SHAPES[4], SHAPES[7]];
    for (const [inputs, hidden, classes, batch, bytes] of shapes) {
      const network = createNetwork({ inputs, hidden, classes });
      const samples = randomSamples(batch, network, bytes);
      const parameters = freshParameters(network);
      const options = engineOptions(network, samples, batch, { method, h: 0.25 });
      using gpu = new GpuEngine(
        Object.assign(await open(), { software: false, block: 32 }),
        options,
      );
      gpu.setParameters(parameters);
      const actual = await gpu.gradient(all(batch));
      const expected = await cpuGradient(options, parameters);
      assertClose([actual.loss], [expected.loss], 2e-6);
      if (method === "copies") {
        const bound = copiesErrorBound(options, parameters);
        assertClose(actual.gradient, expected.gradient, 1e-5, bound);
      } else assertGradient(network, actual.gradient, expected.gradient, 5e-6, 1e-7);
    }
  }
});

// And at small h, where the loops over tiny changes do the work. Relu and step units are kept away from
// their kinks, where float32's own z decides which side a nudge sees.
for (const activation of ACTIVATIONS) {
  gpuTest(`gradients as on hardware at small h, ${activation}, against float64`, async (open) => {
    const network = createNetwork({ inputs: 784, hidden: [50], classes: 10, activation });
    const samples = randomSamples(60, network, true);
    const parameters = freshParameters(network);
    const { inputs } = forward(network, parameters, gather(samples, all(60)));
    const clear = activation === "sigmoid" || activation === "tanh"
      ? all(10)
      : all(60).filter((n) =>
        inputs[0].subarray(50 * n, 50 * (n + 1)).every((z) => Math.abs(z) > 0.011)
      ).subarray(0, 10);
    assert.ok(clear.length === 10, `${clear.length} samples are clear of kinks`);
    for (const h of [1e-2, 1e-4, 1e-6]) {
      const options = engineOptions(network, samples, 10, { h });
      using gpu = new GpuEngine(
        Object.assign(await open(), { software: false, block: 32 }),
        options,
      );
      gpu.setParameters(parameters);
      const { gradient } = await gpu.gradient(clear);
      using cpu = new CpuEngine(options);
      cpu.setParameters(parameters);
      assertGradient(network, gradient, (await cpu.gradient(clear)).gradient, 1e-6);
    }
  });
}

// Mesa's software Vulkan ends an invocation's loops after 65,535 turns, and says nothing: the batch
// must be cut into slices that need fewer. With the two slices of a small batch, nothing is right.
gpuTest("long loops are cut", async (open) => {
  const network = createNetwork({ inputs: 64, hidden: [9], classes: 10 });
  const zeros = randomSamples(400, network);
  const samples = { ...zeros, x: zeros.x.map((value) => value || 0.5) }; // nothing is passed over
  const parameters = freshParameters(network);
  for (const estimator of ["central", "five-point"] as const) {
    const options = engineOptions(network, samples, 400, { h: 1, estimator });
    using gpu = new GpuEngine(await open(), options);
    gpu.setParameters(parameters);
    const { gradient } = await gpu.gradient(all(400));
    assertGradient(network, gradient, (await cpuGradient(options, parameters)).gradient, 5e-6);
  }
});

gpuTest("small chunks give the same gradient, to the last bit", async (open) => {
  const network = createNetwork({ inputs: 20, hidden: [6, 5], classes: 3 });
  const samples = randomSamples(4, network);
  const options = engineOptions(network, samples, 4);
  const gradients = [];
  for (const scratchBytes of [2 ** 20, 16 * 7 * 10, 16 * 7 * 5]) {
    using gpu = new GpuEngine(await open(scratchBytes), options);
    gpu.setParameters(freshParameters(network));
    gradients.push((await gpu.gradient(all(4))).gradient);
  }
  assert.deepEqual(gradients[1], gradients[0]);
  assert.deepEqual(gradients[2], gradients[0]);
  const gpu = await open(16 * 7 * 4); // a product takes five rows of four at a time
  assert.throws(() => new GpuEngine(gpu, options), /^RangeError: Cannot evaluate/);
  gpu[Symbol.dispose]();
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

gpuTest("what does not fit is refused with what is needed and what would fit", async (open) => {
  using gpu = await open();
  const of = (width: number) => createNetwork({ inputs: 9000, hidden: [width], classes: 2 });
  const tooWide = 1 + Math.ceil(gpu.largestBuffer / 8 / 9001); // Adam's state is 8 bytes a weight
  const network = of(tooWide);
  const pattern = /^Cannot hold 9000-\d+-2: its optimiser state needs .*; 9000-(\d+)-2 would fit$/;
  let message = "";
  try {
    new GpuEngine(gpu, engineOptions(network, randomSamples(1, network), 1));
  } catch (error) {
    message = (error as Error).message;
  }
  assert.match(message, pattern);
  const width = Number(pattern.exec(message)![1]);
  assert.ok(8 * of(width).parameters <= gpu.largestBuffer);
  assert.ok(8 * of(width + 1).parameters > gpu.largestBuffer);
});

gpuTest(
  "ever new samples: their buffers go, and what is under way is not disturbed",
  async (open) => {
    const network = createNetwork({ inputs: 5, hidden: [4, 3], classes: 2 });
    const options = engineOptions(network, randomSamples(40, network), 8);
    using engine = new GpuEngine(await open(), options);
    using cpu = new CpuEngine(options);
    for (const each of [engine, cpu]) each.setParameters(freshParameters(network));
    const counts = new Set<number>();
    for (let i = 1; i <= 6; i++) {
      const sets = [10 * i, 300 + i].map((count) => randomSamples(count, network, false, i));
      const calls = (of: Engine) => [
        of.logits(sets[1]).then((logits) => [...logits]),
        of.evaluate(sets[0]).then(({ losses }) => [...losses]),
      ];
      const [ours, theirs] = await Promise.all([engine, cpu].map((of) => Promise.all(calls(of))));
      ours.forEach((values, k) => assertClose(values, theirs[k], 1e-5, 1e-6));
      counts.add(engine.gpu.buffers);
    }
    assert.equal(counts.size, 1, `${[...counts]}`);
  },
);
