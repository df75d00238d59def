/** The claim: exact changes are right for a nudge of any size, to the digits of their arithmetic. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { stencilOf } from "../src/core/estimator.ts";
import { ACTIVATIONS, createNetwork } from "../src/core/network.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import type { Gpu } from "../src/gpu/device.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import {
  assertExact,
  BY_INPUT,
  type Case,
  checkCpu,
  checkCpuActivation,
  checkCpuLoss,
  checkGpu,
  checkGpuActivation,
  checkGpuLoss,
  KNOWN,
  LOSS_NETWORKS,
} from "./changes.ts";
import { passOf, reference } from "./reference.ts";
import { engineOptions, gpuTest, SMOOTH_LOSSES } from "./support.ts";

/** 1-1-2, W1 = 2, x = 10, h = 1: it gave NaN on WebGPU. */
function smallest() {
  const network = createNetwork({
    inputs: 1,
    hidden: [1],
    classes: 2,
    activation: "tanh",
    loss: "squared-error",
  });
  const samples = { count: 1, inputs: 1, x: Float32Array.of(10), labels: Uint8Array.of(0) };
  const parameters = Float64Array.of(2, 0, 0.5, -0.25, 0.1, 0);
  const options = engineOptions(network, samples, 1, { h: 1 });
  const passes = [passOf(network, parameters, samples.x)];
  const stencil = stencilOf(options.estimator);
  return { options, parameters, truth: reference(network, parameters, passes, [0], stencil, 1) };
}

Deno.test("CPU: the smallest network that went wrong", async () => {
  const { options, parameters, truth } = smallest();
  using engine = new CpuEngine(options);
  engine.setParameters(parameters);
  const { gradient } = await engine.gradient(Uint32Array.of(0));
  assertExact(options.network, gradient, truth, 1, "float64");
  assert.ok(truth.gradient[0] !== 0 && Math.abs(truth.gradient[0]) < 1e-7);
});

gpuTest("the smallest network that went wrong", async (open) => {
  const { options, parameters, truth } = smallest();
  using engine = new GpuEngine(await open(), options);
  engine.setParameters(parameters);
  const { gradient } = await engine.gradient(Uint32Array.of(0));
  assertExact(options.network, gradient, truth, 1, "float32");
});

for (const hard of KNOWN) {
  const name = `${hard.activation}, ${hard.loss}, x ${
    hard.pixels ? "pixels" : hard.x
  }, h ${hard.h}`;
  Deno.test(`CPU: ${name}`, () => checkCpu(hard));
}

gpuTest("gradients that went wrong", async (open) => {
  for (const hard of KNOWN) {
    using gpu = await open();
    await checkGpu(gpu, hard);
  }
});

function hardCases(): fc.Arbitrary<Case> {
  return fc.record({
    inputs: fc.constantFrom(1, 2),
    hidden: fc.constantFrom([], [2], [2, 2]),
    activation: fc.constantFrom(...ACTIVATIONS),
    loss: fc.constantFrom(...SMOOTH_LOSSES),
    epsilon: fc.constantFrom(0, 1e-7, 1e-30),
    weights: fc.constantFrom(0.1, 1, 5, 30),
    x: fc.constantFrom(0.3, 3, 30, 1e6),
    pixels: fc.boolean(),
    h: fc.constantFrom(1e-30, 1e-12, 1e-6, 1e-4, 1e-2, 0.3, 1, 10, 100),
    seed: fc.integer({ min: 1, max: 1000 }),
  });
}

Deno.test("CPU: a gradient is exact for any network, data and h", async () => {
  await fc.assert(fc.asyncProperty(hardCases(), checkCpu), { numRuns: 60, seed: 1 });
});

// What float32 cannot hold is infinite or NaN in the gradient, which no engine takes a step by; what
// is finite is right.
gpuTest("overflow is right or shows", async (open) => {
  let shown = 0, right = 0;
  for (
    const [activation, loss, weight, x, h] of [
      ["relu", "cross-entropy", 1e15, 1e10, 1e15], // da w
      ["relu", "squared-error", 1e5, 1e8, 1e8], // the square
      ["relu", "cross-entropy", 1, 3e38, 10], // dz
      ["sigmoid", "cross-entropy", 1, 3e38, 10], // dz, which saturates a unit and no more
      ["sigmoid", "cross-entropy", 3e38, 1, 1e-2], // differences of weights
    ] as const
  ) {
    const network = createNetwork({ inputs: 1, hidden: [2], classes: 3, activation, loss });
    const samples = { count: 1, inputs: 1, x: Float32Array.of(x), labels: Uint8Array.of(0) };
    // Units at 0.5 and 0 by their biases; behind them, weights of both signs.
    const parameters = Float64Array.of(0, 0, 0.5, 0, 1, -1, 0.5, 0.25, 1, -1, 0, 0, 0)
      .map((w, i) => i >= 4 && i < 10 ? Math.fround(weight * w) : w);
    const options = engineOptions(network, samples, 1, { h });
    using engine = new GpuEngine(await open(), options);
    engine.setParameters(parameters);
    const { gradient } = await engine.gradient(Uint32Array.of(0));
    const passes = [passOf(network, parameters, samples.x)];
    const stencil = stencilOf(options.estimator);
    const truth = reference(network, parameters, passes, [0], stencil, Math.fround(h));
    gradient.forEach((value, i) => {
      if (!Number.isFinite(value)) shown++;
      else {
        right++;
        assert.ok(
          Math.abs(value - truth.gradient[i]) <= 2e-6 * truth.magnitude[i],
          `${activation}, ${loss}, ${weight}, ${x}, ${h}: ${i} is ${value} instead of ` +
            `${truth.gradient[i]}, of ${truth.magnitude[i]}`,
        );
      }
    });
  }
  assert.ok(shown > 0 && right > 0, `${shown} shown, ${right} right`);
});

// Few, for each is compiled anew; the functions that the kernels are made of come below in full.
gpuTest("a gradient is exact for any network, data and h", async (open) => {
  const check = async (hard: Case) => {
    using gpu = await open();
    await checkGpu(gpu, hard);
  };
  await fc.assert(fc.asyncProperty(hardCases(), check), { numRuns: 10, seed: 2 });
});

for (const activation of BY_INPUT) {
  Deno.test(`CPU: changes of ${activation} from 1e-30 to 1e4`, () =>
    checkCpuActivation(activation));
  gpuTest(`changes of ${activation} from 1e-30 to 1e4`, async (open) => {
    using gpu = await open();
    await checkGpuActivation(gpu, activation);
  });
}

for (const network of LOSS_NETWORKS) {
  const name = `${network.loss}, epsilon ${network.epsilon}`;
  Deno.test(`CPU: changes of ${name}, from 1e-30 to 1e4`, () => checkCpuLoss(network));
  gpuTest(`changes of ${name}, from 1e-30 to 1e4`, async (open) => {
    using gpu = await open();
    await checkGpuLoss(gpu, network);
  });
}

// Where the label's probability rounds to 0 or to 1, the error of its logit is its share all the same.
for (const backend of ["cpu", "webgpu"] as const) {
  const check = async (open?: () => Promise<Gpu>) => {
    const network = createNetwork({ inputs: 1, hidden: [], classes: 2, epsilon: 0 });
    for (const [bias, label] of [[30, 0], [30, 1], [80, 0], [800, 1], [0.5, 0]]) {
      const samples = {
        count: 1,
        inputs: 1,
        x: Float32Array.of(1),
        labels: Uint8Array.of(label),
      };
      const options = engineOptions(network, samples, 1, { method: "backprop" });
      using engine = open ? new GpuEngine(await open(), options) : new CpuEngine(options);
      engine.setParameters(Float64Array.of(0, 0, bias, 0));
      const { gradient } = await engine.gradient(Uint32Array.of(0));
      const p1 = 1 / (1 + Math.exp(bias)); // of class 1
      const truth = label === 0 ? -p1 : 1 - p1;
      assert.ok(
        Math.abs(gradient[2] - truth) <= 1e-6 * Math.abs(truth) + 2 ** -126,
        `${bias} ${label}: ${gradient[2]} instead of ${truth}`,
      );
    }
  };
  if (backend === "cpu") {
    Deno.test("CPU: backprop of confident samples, right and wrong", () => check());
  } else gpuTest("backprop of confident samples, right and wrong", check);
}
