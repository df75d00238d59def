/** The device: how adapters are told apart, how work is cut, and what is not believed of it. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { createNetwork } from "../src/core/network.ts";
import { EngineLost, METHODS } from "../src/engine.ts";
import { type Command, cut, kindOf } from "../src/gpu/device.ts";
import { Gpu, GpuEngine } from "../src/gpu/engine.ts";
import { engineOptions, freshParameters, gpuTest, randomSamples } from "./support.ts";

Deno.test("adapters: software by its names and flags, and the loops that none may run", () => {
  const cases: [Parameters<typeof kindOf>[0], boolean, number, number][] = [
    [{ description: "llvmpipe (LLVM 15.0.6, 256 bits)" }, true, 65535, 64],
    [{ vendor: "mesa", architecture: "llvmpipe" }, true, 65535, 64],
    [{ device: "SwiftShader Device (Subzero)" }, true, Infinity, 128],
    [{ description: "Microsoft Basic Render Driver" }, true, Infinity, 128],
    [{ vendor: "microsoft", architecture: "warp" }, true, Infinity, 128],
    [{ description: "", isFallbackAdapter: true }, true, 65535, 64],
    [{ vendor: "google", isFallbackAdapter: true }, true, 65535, 64],
    [{}, false, 65535, 32], // it may be anything, Mesa's too
    [{ description: "Apple M2" }, false, Infinity, 32],
    [{ vendor: "nvidia", architecture: "ampere" }, false, Infinity, 32],
    [{ description: "Intel(R) UHD Graphics (warped)" }, false, Infinity, 32],
  ];
  for (const [info, software, loopTurns, block] of cases) {
    const kind = kindOf(info);
    assert.deepEqual(
      [kind.software, kind.loopTurns, kind.block],
      [software, loopTurns, block],
      JSON.stringify(info),
    );
  }
  assert.equal(kindOf({}).name, "unnamed adapter");
});

Deno.test("a grid that is cut: every workgroup once, none of the parts too large", () => {
  const side = fc.integer({ min: 1, max: 9 });
  fc.assert(fc.property(side, side, side, fc.integer({ min: 1, max: 900 }), (x, y, z, pieces) => {
    const parts = cut({ origin: [0, 0, 0], groups: [x, y, z] }, pieces);
    const seen = new Set<string>();
    let largest = 0;
    for (const { origin, groups } of parts) {
      largest = Math.max(largest, groups[0] * groups[1] * groups[2]);
      for (let i = 0; i < groups[0]; i++) {
        for (let j = 0; j < groups[1]; j++) {
          for (let k = 0; k < groups[2]; k++) {
            const id = `${origin[0] + i} ${origin[1] + j} ${origin[2] + k}`;
            assert.ok(!seen.has(id), id);
            seen.add(id);
          }
        }
      }
    }
    assert.equal(seen.size, x * y * z);
    assert.ok(parts.length >= pieces || largest === 1, `${parts.length} ${largest}`);
  }));
});

gpuTest("however work is cut, the same bits", async (open) => {
  const network = createNetwork({ inputs: 70, hidden: [9, 70], classes: 5 });
  const samples = randomSamples(20, network);
  const indices = Uint32Array.from({ length: 20 }, (_, n) => n);
  for (const method of METHODS) {
    for (const estimator of ["central", "spsa"] as const) {
      // Copies of all its weights would take too long.
      const few = createNetwork({ inputs: 70, hidden: [3], classes: 2 });
      const of = method === "copies" && estimator === "central" ? few : network;
      const data = of === few ? randomSamples(20, few) : samples;
      const options = engineOptions(of, data, 20, { method, estimator });
      const found = [];
      for (const how of [{}, { share: 1e-6 }]) {
        const gpu = (await Gpu.open(how))!;
        let dispatches = 0;
        const { prototype } = GPUComputePassEncoder;
        const { dispatchWorkgroups } = prototype;
        prototype.dispatchWorkgroups = function (...groups) {
          dispatches++;
          return dispatchWorkgroups.apply(this, groups);
        };
        using engine = new GpuEngine(gpu, options);
        engine.setParameters(freshParameters(of));
        const result = await engine.gradient(indices);
        prototype.dispatchWorkgroups = dispatchWorkgroups;
        found.push({ result, dispatches });
      }
      assert.deepEqual(found[1].result, found[0].result, `${method}, ${estimator}`);
      assert.ok(found[1].dispatches > 1.5 * found[0].dispatches, JSON.stringify(found));
    }
  }
  await (await open())[Symbol.dispose]();
});

/** Fails where a command that is too much for one dispatch cannot be cut into such as are not. */
function assertDivisible(commands: readonly Command[], most: number): void {
  for (const { label, groups: [x, y = 1, z = 1], work, isDivisible } of commands) {
    if (work <= most) continue;
    assert.ok(isDivisible, `${label} is ${work} multiply-adds in one piece`);
    const parts = cut({ origin: [0, 0, 0], groups: [x, y, z] }, work / most);
    const largest = Math.max(...parts.map(({ groups: [x, y, z] }) => x * y * z));
    assert.ok(largest * work / (x * y * z) <= 2 * most, `${label}: a part of ${largest}`);
  }
}

gpuTest("no dispatch of a wide network and a large batch is too much for a watchdog", async () => {
  const network = createNetwork({ inputs: 784, hidden: [2048], classes: 10 });
  const samples = randomSamples(1000, network, true);
  for (const software of [true, false]) {
    for (const method of ["differences", "backprop"] as const) {
      const gpu = Object.assign((await Gpu.open())!, { software });
      using engine = new GpuEngine(gpu, engineOptions(network, samples, 1000, { method }));
      const commands = engine.gradientCommands(Uint32Array.from({ length: 1000 }, (_, n) => n));
      const total = commands.reduce((sum, { work }) => sum + work, 0);
      assert.ok(total > 1e9, `${total}`);
      assertDivisible(commands, gpu.workOfSubmission);
    }
  }
});

gpuTest("WebGPU's default limits hold what fits them: 784-2048-10 as on hardware", async () => {
  const network = createNetwork({ inputs: 784, hidden: [2048], classes: 10 });
  const samples = randomSamples(100, network, true);
  for (const software of [true, false]) {
    const gpu = Object.assign((await Gpu.open({ defaultLimits: true }))!, { software });
    assert.equal(gpu.largestBuffer, 128 * 2 ** 20);
    using engine = new GpuEngine(gpu, engineOptions(network, samples, 100));
    await gpu.settle();
    assert.ok(engine.gpu.buffers > 10);
  }
  const small = createNetwork({ inputs: 9, hidden: [5, 4], classes: 3 });
  const options = engineOptions(small, randomSamples(8, small), 8);
  const found = [];
  for (const defaultLimits of [true, false]) {
    using engine = (await GpuEngine.open(options, { defaultLimits }))!;
    engine.setParameters(freshParameters(small));
    found.push(await engine.gradient(Uint32Array.from({ length: 8 }, (_, n) => n)));
  }
  assert.deepEqual(found[0], found[1]);
});

/** A clock that stands still until it is told to go on. */
function withClock(body: (pass: (milliseconds: number) => void) => Promise<void>): Promise<void> {
  const { now } = performance;
  let time = now.call(performance);
  performance.now = () => time;
  return body((milliseconds) => time += milliseconds).finally(() => performance.now = now);
}

gpuTest("the rate is measured: slow work is cut smaller, fast work larger", async () => {
  const network = createNetwork({ inputs: 9, hidden: [5], classes: 3 });
  const options = engineOptions(network, randomSamples(8, network), 8);
  using engine = (await GpuEngine.open(options))!;
  engine.setParameters(freshParameters(network));
  const { gpu } = engine;
  const indices = Uint32Array.from({ length: 8 }, (_, n) => n);
  const first = gpu.workOfSubmission;
  const [command] = engine.gradientCommands(indices);
  await withClock(async (pass) => {
    const take = async (work: number, milliseconds: number) => {
      gpu.run([{ ...command, pipeline: command.pipeline, work, isDivisible: false }]);
      pass(milliseconds);
      await gpu.read(gpu.upload("nothing", new Float32Array(4)));
    };
    for (let i = 1; i <= 5; i++) {
      await take(first, 1e5); // far too long
      assert.equal(gpu.workOfSubmission, first / 2 ** i);
      pass(1e6); // idle, which says nothing
    }
    for (let i = 4; i >= -2; i--) {
      await take(1e15, 100);
      assert.equal(gpu.workOfSubmission, first / 2 ** i);
    }
    await take(1e15, 5); // too short to say anything
    const gradient = engine.gradient(indices);
    pass(1e5); // it was compiled, or had to wait: nothing takes so long for so little
    await gradient;
    assert.equal(gpu.workOfSubmission, 4 * first);
  });
});

gpuTest("work that the device says is done, and is not, counts as a lost device", async () => {
  const network = createNetwork({ inputs: 9, hidden: [5], classes: 3 });
  const samples = randomSamples(8, network);
  const options = engineOptions(network, samples, 8);
  const indices = Uint32Array.from({ length: 8 }, (_, n) => n);
  const calls: ((engine: GpuEngine) => Promise<unknown>)[] = [
    (engine) => engine.gradient(indices),
    (engine) => engine.train(indices, Float64Array.of(0.1)),
    (engine) => engine.evaluate(samples),
    (engine) => engine.logits(samples),
    (engine) => engine.parameters(),
  ];
  for (const call of calls) {
    using engine = (await GpuEngine.open(options))!;
    engine.setParameters(freshParameters(network));
    await call(engine);
    const { queue } = engine.gpu.device;
    const late: GPUCommandBuffer[] = [];
    queue.submit = (commands) => { // once
      delete (queue as Partial<GPUQueue>).submit;
      late.push(...commands);
    };
    await assert.rejects(
      call(engine),
      (error) => error instanceof EngineLost && /left work undone/.test(error.message),
    );
    await assert.rejects(call(engine), EngineLost); // nothing is believed any more
    queue.submit(late); // what was never submitted, Deno's driver does not forgive
  }
});

/** An adapter that is not there the first few times. */
async function withLateAdapter(times: number, body: () => Promise<void>): Promise<number> {
  const { gpu } = navigator;
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  let asked = 0;
  gpu.requestAdapter = async (options) => ++asked > times ? await requestAdapter(options) : null;
  try {
    await body();
  } finally {
    delete (gpu as Partial<GPU>).requestAdapter;
  }
  return asked;
}

gpuTest("an adapter that is not there yet is asked for again, for as long as is said", async () => {
  const asked = await withLateAdapter(3, async () => {
    using gpu = await Gpu.open({ wait: 60_000 });
    assert.ok(gpu);
  });
  assert.equal(asked, 4);
  const never = await withLateAdapter(Infinity, async () => {
    assert.equal(await Gpu.open(), undefined);
  });
  assert.equal(never, 1);
});
