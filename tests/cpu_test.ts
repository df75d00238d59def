/** The engine on the CPU: its threads, the order of its calls, and the functions it is made of. */

import assert from "node:assert/strict";
import { createNetwork, type NetworkOptions } from "../src/core/network.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { workOf } from "../src/cpu/gradient.ts";
import { threadsFor } from "../src/cpu/pool.ts";
import { addExpm1, expm1, log1p, tanh } from "../src/cpu/special.ts";
import {
  assertClose,
  assertGradient,
  engineOptions,
  freshParameters,
  inFolder,
  randomSamples,
  ROOT,
} from "./support.ts";

const SRC = new URL("../src", import.meta.url).href;
const DEEP: NetworkOptions = { inputs: 6, hidden: [5, 4], classes: 3, activation: "tanh" };

Deno.test("the bits are the same on one, two and five threads", async () => {
  const network = createNetwork(DEEP); // five threads: some have no unit of the narrower layers
  const samples = randomSamples(9, network);
  for (
    const [method, estimator] of [
      ["differences", "five-point"],
      ["differences", "spsa"],
      ["copies", "forward"],
      ["copies", "spsa"],
      ["backprop", "central"],
    ] as const
  ) {
    const options = engineOptions(network, samples, 3, { method, estimator, optimizer: "adam" });
    const results = [];
    for (const threads of [1, 2, 5]) {
      using engine = new CpuEngine(options, threads);
      engine.setParameters(freshParameters(network));
      const [losses, gradient] = await Promise.all([
        engine.train(Uint32Array.of(0, 1, 2, 3, 4, 5), Float64Array.of(0.1, 0.05)),
        engine.gradient(Uint32Array.of(6, 7, 8)),
      ]);
      results.push({ losses, gradient, parameters: await engine.parameters() });
    }
    assert.deepStrictEqual(results[1], results[0], `${method}, ${estimator}`);
    assert.deepStrictEqual(results[2], results[0], `${method}, ${estimator}`);
    assert.ok(results[0].gradient.gradient.every((g) => g !== 0 && Number.isFinite(g)));
  }
});

Deno.test("calls take effect in the order in which they were begun", async () => {
  const network = createNetwork(DEEP);
  const options = engineOptions(network, randomSamples(3, network), 3);
  const [first, second] = [3, 4].map((seed) => freshParameters(network, "xavier", seed));
  const rows = Uint32Array.of(0, 1, 2);
  using engine = new CpuEngine(options, 2);
  engine.setParameters(first);
  const before = engine.gradient(rows);
  const trained = engine.train(rows, Float64Array.of(1));
  const state = engine.optimizerState();
  const moved = engine.parameters();
  engine.setParameters(second);
  const after = engine.gradient(rows);
  const rest = engine.parameters();
  assert.deepEqual(await rest, second);
  const { gradient, loss } = await before;
  assert.deepEqual(await trained, Float64Array.of(loss));
  assert.equal((await state).steps, 1);
  assert.deepEqual(await moved, first.map((w, i) => w + -1 * gradient[i]));
  engine.setParameters(second);
  assert.deepEqual((await after).gradient, (await engine.gradient(rows)).gradient);
});

Deno.test("training lets timers and signals in between its groups, on one thread too", async () => {
  const network = createNetwork(DEEP);
  using engine = new CpuEngine(engineOptions(network, randomSamples(3, network), 3), 1);
  engine.setParameters(freshParameters(network));
  let turned = false;
  setTimeout(() => turned = true);
  await engine.train(Uint32Array.of(0, 1, 2), Float64Array.of(0.1));
  await engine.train(Uint32Array.of(0, 1, 2), Float64Array.of(0.1));
  assert.ok(turned);
});

Deno.test("disposing ends what is under way, and all that was to follow", async () => {
  const network = createNetwork(DEEP);
  const options = engineOptions(network, randomSamples(3, network), 3);
  for (const threads of [1, 2]) {
    const engine = new CpuEngine(options, threads);
    engine.setParameters(freshParameters(network));
    const rows = Uint32Array.of(0, 1, 2);
    await engine.gradient(rows);
    const calls = [engine.gradient(rows), engine.train(rows, Float64Array.of(1))];
    await Promise.resolve(); // the first has begun, but no worker can have answered
    engine[Symbol.dispose]();
    const [first, second] = await Promise.allSettled(calls);
    const reason = /^TypeError: Cannot go on: the engine was disposed of$/;
    if (threads > 1) assert.match(String((first as PromiseRejectedResult).reason), reason);
    assert.match(String((second as PromiseRejectedResult).reason), reason);
    await assert.rejects(engine.gradient(rows), reason);
  }
});

Deno.test("a worker that fails is one line, and a program without dispose still ends", async () => {
  const code = `
    import { createNetwork } from "${SRC}/core/network.ts";
    import { CpuEngine } from "${SRC}/cpu/engine.ts";
    const network = createNetwork({ inputs: 2, hidden: [3], classes: 2 });
    const samples = { count: 1, inputs: 2, x: Float32Array.of(1, 2), labels: Uint8Array.of(1) };
    const estimator = { name: "central", h: 1e-2, queries: 0 };
    const optimizer = { name: "sgd", weightDecay: 0 };
    const method = "differences";
    const engine = new CpuEngine(
      { network, method, estimator, optimizer, samples, batch: 1, seed: 1 }, 2);
    engine.setParameters(new Float64Array(network.parameters).fill(0.5));
    for (let i = 0; i < 2; i++) {
      console.log(await engine.gradient(Uint32Array.of(0)).then((g) => g.loss, String));
    }`;
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/main.js`, code);
    const run = async (...permissions: string[]) => {
      const { code, stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-prompt", ...permissions, `${folder}/main.js`],
        env: { NO_COLOR: "1" },
        stderr: "null",
      }).output();
      assert.equal(code, 0);
      return new TextDecoder().decode(stdout).trim().split("\n");
    };
    // The worker's program lies in these two folders, and has to be read to be run.
    assert.deepEqual(
      await run(`--allow-read=${ROOT}/src/cpu,${ROOT}/src/core`),
      ["0.6931469805599653", "0.6931469805599653"],
    );
    const failed = await run();
    assert.equal(failed.length, 2);
    for (const line of failed) {
      assert.match(
        line,
        /^TypeError: Cannot compute on 2 threads: Requires read access to "[^"]+"/,
      );
    }
  });
});

Deno.test("threads are taken where the work is worth them", () => {
  assert.equal(threadsFor(0), 1);
  assert.equal(threadsFor(1e6), 1);
  assert.equal(threadsFor(1e15), navigator.hardwareConcurrency);
  const network = createNetwork({ inputs: 3, hidden: [4, 5], classes: 2 });
  const work = (method: "differences" | "copies" | "backprop") =>
    workOf(engineOptions(network, randomSamples(7, network), 7, { method }));
  // By hand: layer 1 has 16 weights, and a copy of each goes through 1 + 5 + 5 x 2; layer 2 has 25
  // (1 + 2), layer 3 has 12 (1); two copies of each weight, on 7 samples.
  assert.equal(work("differences"), 14 * (16 * 16 + 25 * 3 + 12));
  assert.equal(work("copies"), 14 * 53 * 53);
  assert.equal(work("backprop"), 0);
});

// A unit of rounding is 1.1e-16, and the library's functions are themselves right to one or two.
Deno.test("series agree with the library's functions to the last bits", () => {
  const x = Float64Array.from({ length: 8001 }, (_, i) => {
    const size = 1e-12 * Math.exp(Math.log(1e12) * Math.abs(i - 4000) / 4000);
    return i < 4000 ? -0.9 * size : size;
  });
  assertClose(x.map(expm1), x.map(Math.expm1), 6e-16);
  assertClose(x.map(log1p), x.map(Math.log1p), 6e-16);
  assertClose(x.map(tanh), x.map(Math.tanh), 6e-16);
  for (const reach of [1e-9, 1e-6, 2.4e-4, 2.5e-4, 1e-3, 1e-2, 1]) {
    const d = x.map((value) => value * reach);
    for (const slope of [1, -0.7, 0]) {
      const sums = new Float64Array(d.length);
      addExpm1(0.3, slope, d, reach, sums);
      assertClose(sums, d.map((value) => 0.3 * Math.expm1(slope * value)), 1e-15);
    }
  }
});

// Nothing is subtracted from anything near it, so h may be as small as it likes: at 1e-7 what the
// difference leaves out, h^2 / 6 of a third derivative, is below float64's rounding.
Deno.test("at a small h the differences are the derivative, to float64's rounding", async () => {
  for (const activation of ["sigmoid", "tanh", "relu"] as const) {
    for (const loss of ["cross-entropy", "squared-error"] as const) {
      for (const hidden of [[], [9], [7, 8]]) {
        const network = createNetwork({ inputs: 12, hidden, classes: 5, activation, loss });
        const samples = randomSamples(6, network);
        const [numerical, exact] = await Promise.all(
          (["differences", "backprop"] as const).map(async (method) => {
            using engine = new CpuEngine(engineOptions(network, samples, 6, { method, h: 1e-7 }));
            engine.setParameters(freshParameters(network));
            return (await engine.gradient(Uint32Array.of(0, 1, 2, 3, 4, 5))).gradient;
          }),
        );
        assertGradient(network, numerical, exact, 1e-13);
      }
    }
  }
});
