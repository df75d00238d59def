/** NaN and infinity: found at the step where they appear, and named, by both engines alike. */

import assert from "node:assert/strict";
import { createEstimator, type EstimatorName } from "../src/core/estimator.ts";
import { createNetwork, type Network } from "../src/core/network.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { type Tensor, writeTensors } from "../src/data/tensors.ts";
import { asTensors } from "../src/data/weights.ts";
import type { Engine, EngineOptions, Method } from "../src/engine.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import { roundingNotice } from "../src/method/rounding.ts";
import {
  assertGradient,
  cli,
  engineOptions,
  freshParameters,
  gpuTest,
  inFolder,
  randomSamples,
} from "./support.ts";

const network = createNetwork({ inputs: 6, hidden: [5, 4], classes: 3 });
const samples = randomSamples(40, network);
const options = engineOptions(network, samples, 4);

/** Registers a test on both engines. */
function onBoth(
  name: string,
  body: (open: (options: EngineOptions) => Promise<Engine>, isGpu: boolean) => Promise<void>,
): void {
  Deno.test(`CPU: ${name}`, () =>
    body((options) => Promise.resolve(new CpuEngine(options)), false));
  gpuTest(name, (open) => body(async (options) => new GpuEngine(await open(), options), true));
}

/** The parameters with one of them set. */
function withOne(of: Network, index: number, value: number): Float64Array {
  const parameters = freshParameters(of);
  parameters[index] = value;
  return parameters;
}

onBoth("weights and data that are no numbers are refused by name", async (open, isGpu) => {
  using engine = await open(options);
  const b1 = 6 * 5 + 2, w2 = 7 * 5 + 3 * 4 + 1; // b1[2], W2[3,1]
  assert.throws(
    () => engine.setParameters(withOne(network, b1, NaN)),
    /^RangeError: Cannot compute with b1\[2\] = NaN: it is no finite float/,
  );
  assert.throws(
    () => engine.setParameters(withOne(network, w2, -Infinity)),
    /^RangeError: Cannot compute with W2\[3,1\] = -Infinity: /,
  );
  const tooLarge = () => engine.setParameters(withOne(network, w2, 3.5e38));
  if (isGpu) {
    assert.throws(tooLarge, /^RangeError: .*W2\[3,1\] = 3.5e\+38: it is no finite float32/);
  } else tooLarge();
  engine.setParameters(freshParameters(network));

  const bad = { ...samples, x: samples.x.slice() };
  bad.x[6 * 17 + 4] = Infinity;
  const named = /^RangeError: Cannot compute with value 4 of sample 17 = Infinity: /;
  await assert.rejects(async () => await open({ ...options, samples: bad }), named);
  await assert.rejects(engine.evaluate(bad), named);
  await assert.rejects(engine.logits(bad), named);
});

onBoth("weights and data that a GPU may take for 0 are refused by it", async (open, isGpu) => {
  using engine = await open(options);
  const tiny = { ...samples, x: samples.x.slice() };
  tiny.x[6 * 17 + 4] = 1e-40;
  if (!isGpu) {
    engine.setParameters(withOne(network, 1, 1e-40));
    using other = await open({ ...options, samples: tiny });
    other.setParameters(withOne(network, 1, 2 ** -130));
    const { gradient } = await other.gradient(Uint32Array.of(17, 17, 17, 17));
    assert.ok(gradient.slice(20, 25).every((g) => g !== 0 && Math.abs(g) < 1e-39)); // of input 4
    return;
  }
  engine.setParameters(withOne(network, 1, 2 ** -126));
  assert.throws(
    () => engine.setParameters(withOne(network, 1, -(2 ** -127))),
    /^RangeError: Cannot compute with W1\[0,1\] = -5.8\d*e-39: a GPU may take numbers below 1.2e-38/,
  );
  const named = /^RangeError: Cannot compute with value 4 of sample 17 = 9.99\d*e-41: a GPU may/;
  await assert.rejects(async () => await open({ ...options, samples: tiny }), named);
  await assert.rejects(engine.evaluate(tiny), named);
});

onBoth(
  "weights that stop being finite: the first of the first step is named",
  async (open, isGpu) => {
    const network = createNetwork({ inputs: 3, hidden: [], classes: 2 });
    const x = Float32Array.of(0, 0, 1);
    const options = engineOptions(
      network,
      { count: 1, inputs: 3, x, labels: new Uint8Array(1) },
      1,
    );
    using engine = await open({ ...options, optimizer: { name: "sgd", weightDecay: 1 } });
    // Behind inputs of 0 lie weights that only their decay moves: by -1e10 w at steps 7 and 8, where
    // W1[0,1] and W1[1,0] leave every float at once, and W1[0,0] a step later.
    const large = isGpu ? 1e30 : 1e300;
    const parameters = new Float64Array(network.parameters);
    parameters.set([large * 1e-5, large, large]);
    engine.setParameters(parameters);
    const steps = async (...rates: number[]) =>
      await engine.train(new Uint32Array(rates.length), Float64Array.from(rates));
    assert.equal((await steps(0, 0, 0)).length, 3);
    await assert.rejects(
      steps(0, 0, 0, 1e10, 1e10, 0),
      /^RangeError: Cannot go on at step 7: its update makes W1\[0,1\] no finite number; use/,
    );
    engine.setParameters(parameters);
    assert.equal((await steps(0, 0)).length, 2); // nothing is remembered
  },
);

onBoth("a loss that stops being finite is named by its step", async (open, isGpu) => {
  const network = createNetwork({ inputs: 1, hidden: [], classes: 2, loss: "squared-error" });
  const x = Float64Array.of(1, 0);
  const samples = { count: 2, inputs: 1, x, labels: new Uint8Array(2) };
  using engine = await open(engineOptions(network, samples, 1));
  // An output that is finite in the engine's numbers, and so is its gradient; its square is not.
  const large = isGpu ? 1e20 : 1e200;
  engine.setParameters(Float64Array.of(large, large, 0, 0));
  await assert.rejects(
    engine.train(Uint32Array.of(1, 1, 1, 1, 0, 1), new Float64Array(6)),
    /^RangeError: Cannot go on at step 5: the loss is (Infinity|NaN); use/,
  );
});

Deno.test("h that float32 rounds away is told of, where copies are what is computed", () => {
  const weights = Float64Array.of(0, 1e-9, 0.5, -4);
  const notice = (h: number, method: "copies" | "differences", backend: "webgpu" | "cpu") =>
    roundingNotice(
      engineOptions(network, samples, 4, { h, method }),
      { backend } as Engine,
      weights,
    );
  assert.match(notice(1e-8, "copies", "webgpu")!, /^h = 1e-8 is rounded away: .* 2 of 4 weights/);
  const [, enough] = /give --h (\S+) or more/.exec(notice(1e-8, "copies", "webgpu")!)!;
  assert.equal(notice(Number(enough), "copies", "webgpu"), undefined);
  assert.equal(notice(1e-8, "differences", "webgpu"), undefined);
  assert.equal(notice(1e-8, "copies", "cpu"), undefined);
});

gpuTest("train says once that h is rounded away", async () => {
  const run = ["--data", "digits", "--hidden", "2", "--batch", "2", "--steps", "2", "--json"];
  const { code, stderr } = await cli("train", ...run, "--engine", "copies", "--h", "1e-12");
  assert.equal(code, 0, stderr);
  assert.equal(stderr.match(/is rounded away/g)?.length, 1, stderr);
});

gpuTest("h that float32 has no room for is refused, and the CPU's float64 has", async (open) => {
  const gpu = await open();
  const at = (h: number, method: Method, estimator: EstimatorName = "central") =>
    engineOptions(network, samples, 4, { h, method, estimator });
  for (const h of [1e-46, 1e-40, 1e-32, 1e38, 1e39]) {
    for (const estimator of ["central", "five-point", "spsa"] as const) {
      for (const method of ["differences", "copies"] as const) {
        assert.throws(
          () => new GpuEngine(gpu, at(h, method, estimator)),
          /^RangeError: Cannot take differences with h = \S+ on WebGPU: .*; give one within, or use/,
        );
      }
    }
    new GpuEngine(await open(), at(h, "backprop"))[Symbol.dispose](); // which takes none
  }
  const parameters = freshParameters(network), batch = Uint32Array.of(0, 1, 2, 3);
  using derivative = new CpuEngine(at(1, "backprop"));
  derivative.setParameters(parameters);
  const expected = (await derivative.gradient(batch)).gradient;
  for (const h of [1e-40, 1e-300]) { // the central difference is the derivative to the last digits
    using cpu = new CpuEngine(at(h, "differences"));
    cpu.setParameters(parameters);
    assertGradient(network, (await cpu.gradient(batch)).gradient, expected, 1e-11);
  }
  using engine = new GpuEngine(gpu, at(1e-30, "differences")); // the smallest that is promised
  engine.setParameters(parameters);
  assertGradient(network, (await engine.gradient(batch)).gradient, expected, 1e-6);
});

Deno.test("h that float64 has no room for is refused", () => {
  for (const h of [0, -1, NaN, Infinity, 1e-320, 1e308]) {
    assert.throws(
      () => createEstimator("central", h),
      /^RangeError: Cannot take differences with h/,
    );
  }
});

Deno.test("a gradient that is not finite is neither written nor compared, and named", async () => {
  const network = createNetwork({ inputs: 2, hidden: [2], classes: 2 });
  const batch: [string, Tensor][] = [
    ["x", { shape: [1, 2], data: Float64Array.of(1, 2) }],
    ["t", { shape: [1], data: Float64Array.of(1) }],
    ["GBW1", { shape: [2, 2], data: new Float64Array(4) }],
    ["GBW2", { shape: [2, 2], data: new Float64Array(4) }],
  ];
  await inFolder(async (folder) => {
    const input = `${folder}/in.h5`, out = `${folder}/out.h5`;
    const tensors = asTensors(network, freshParameters(network), "numpy");
    await Deno.writeFile(input, await writeTensors(new Map([...tensors, ...batch]), input));
    // The square of a change of h overflows: in float32 from 2e19 on, in float64 from 1e154 on.
    for (const [backend, h] of [["auto", "1e30"], ["cpu", "1e200"]]) {
      const numbers = ["--loss", "squared-error", "--h", h, "--backend", backend];
      // Gradients are compared in float64, wherever those that are written are computed.
      for (const more of backend === "cpu" ? [["--out", out], ["--json"], []] : [["--out", out]]) {
        const { code, stdout, stderr } = await cli(
          ...["gradient", "--input", input, ...numbers, ...more],
        );
        assert.equal(code, 1, stdout + stderr);
        const named =
          /^Cannot use the gradient of .*: W\d\[\d,\d\] is (NaN|-?Infinity); use a smaller/m;
        assert.match(stderr, named);
        await assert.rejects(Deno.stat(out));
        if (more[0] !== "--json") continue;
        const { ok, notFinite } = JSON.parse(stdout);
        assert.equal(ok, false);
        assert.match(notFinite, /^W\d\[\d,\d\] is/);
      }
      const { code, stdout, stderr } = await cli(
        ...["gradcheck", "--data", "digits", "--hidden", "2", "--batch", "2", "--json", ...numbers],
      );
      assert.equal(code, 1, stdout + stderr);
      assert.match(stderr, /^Cannot compare gradients: W\d\[\d+,\d\] is .* \(h = \S+, engine /m);
      assert.equal(JSON.parse(stdout).ok, false);
    }
  });
});

gpuTest("train refuses an h that float32 has no room for, in one line", async () => {
  for (const h of ["1e-40", "1e39", "1e-46"]) {
    const run = ["--data", "digits", "--hidden", "2", "--batch", "2", "--steps", "2"];
    const { code, stderr } = await cli("train", ...run, "--h", h);
    assert.equal(code, 2, stderr);
    assert.match(
      stderr,
      /^Cannot take differences with h = .* on WebGPU: .*, or use --backend cpu/,
    );
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }
});
