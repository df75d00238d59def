/** Devices that are lost: a run goes on to the same bits, or ends with all that is known kept. */

import assert from "node:assert/strict";
import { createNetwork } from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import { EngineLost } from "../src/engine.ts";
import { Gpu, GpuEngine } from "../src/gpu/engine.ts";
import { RecoveringEngine } from "../src/method/recovery.ts";
import { train, type TrainingOptions } from "../src/method/training.ts";
import {
  engineOptions,
  freshParameters,
  gpuTest,
  inFolder,
  randomSamples,
  ROOT,
} from "./support.ts";

const network = createNetwork({ inputs: 20, hidden: [10], classes: 4 });
const samples = randomSamples(100, network);
const test = randomSamples(30, network, false, 9);
const data = { name: "test", inputs: 20, classes: 4, train: samples, test };
const options = engineOptions(network, samples, 10, { optimizer: "adam", h: 1e-3 });
/** Groups of at most 20 steps, with an evaluation behind each. */
const RUN: TrainingOptions = {
  steps: 200,
  batch: 10,
  learningRate: 0.01,
  schedule: "cosine",
  evalEvery: 20,
};

/** A run from fresh weights, on an engine that may be lost. */
async function begin(onOpen: (device: GPUDevice, times: number) => void = () => {}) {
  const told: string[] = [];
  let times = 0;
  const engine = await RecoveringEngine.open(async (losses) => {
    const opened = (await GpuEngine.open(options, { share: 2 ** -losses }))!;
    onOpen(opened.gpu.device, times++);
    return opened;
  }, (line) => told.push(line));
  engine.setParameters(freshParameters(network));
  const random = new Xoshiro(1);
  const events: string[] = [];
  /** Goes on to the end; `listen` hears how many events there were. */
  const go = async (done = 0, listen: (events: number) => void = () => {}) => {
    for await (const event of train(engine, data, random, { ...RUN, done })) {
      if (event.kind === "steps") {
        event.losses.forEach((loss, i) => events.push(`${event.first + i} ${loss}`));
      } else if (event.kind === "evaluation") {
        events.push(`after ${event.step} ${event.evaluation.loss}`);
      }
      listen(events.length);
    }
    return {
      parameters: await engine.parameters(),
      state: await engine.optimizerState(),
      random: random.state,
    };
  };
  return { engine, random, told, events, go };
}

/** Fails where a promise is rejected and nobody hears of it. */
async function withoutUnhandled(body: () => Promise<void>): Promise<void> {
  const unhandled: unknown[] = [];
  const listener = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", listener);
  try {
    await body();
    await new Promise((resolve) => setTimeout(resolve, 50));
  } finally {
    globalThis.removeEventListener("unhandledrejection", listener);
  }
  assert.deepEqual(unhandled, []);
}

gpuTest("a device lost at any moment: the same run to the same bits, told once", async () => {
  const whole = await begin();
  const expected = await whole.go();
  whole.engine[Symbol.dispose]();
  await withoutUnhandled(async () => {
    for (let i = 0; i < 20; i++) {
      const { engine, told, events, go } = await begin();
      const point = Math.floor(150 * Math.random()), delay = 10 * Math.random();
      let destroyed = false;
      const end = await go(0, (events) => {
        if (destroyed || events < point) return;
        destroyed = true;
        const [gpu] = Gpu.live;
        setTimeout(() => gpu.device.destroy(), delay);
      });
      engine[Symbol.dispose]();
      const when = `lost ${delay} ms behind event ${point}`;
      assert.deepEqual(end, expected, when);
      assert.deepEqual(events, whole.events, when);
      assert.equal(told.length, 1, `${when}: ${told}`);
      assert.match(told[0], /device was lost .* and opened again; the run goes on from step \d+$/);
    }
  });
  assert.equal(Gpu.live.size, 0);
});

gpuTest("lost twice in a row: the run ends where it can be gone on with, exactly", async () => {
  const whole = await begin();
  const expected = await whole.go();
  whole.engine[Symbol.dispose]();
  await withoutUnhandled(async () => {
    const { engine, told, events, go, random } = await begin((device, times) => {
      if (times === 1) device.destroy();
    });
    await assert.rejects(
      go(0, (events) => {
        if (events === 105) { for (const gpu of Gpu.live) gpu.device.destroy(); }
      }),
      (error) =>
        error instanceof EngineLost &&
        /^Cannot go on: .* lost .*twice in a row/.test(error.message),
    );
    assert.equal(told.length, 1);
    const { steps } = await engine.optimizerState();
    assert.ok(steps <= events.length, `${steps}`);
    // Its weights, its optimiser and its generator are those behind this step: it leads to the end.
    const again = await begin();
    again.engine.setParameters(await engine.parameters(), await engine.optimizerState());
    again.random.state = random.state.slice();
    assert.deepEqual(await again.go(steps), expected);
    again.engine[Symbol.dispose]();
    // So does the engine itself, which has a third device opened.
    assert.deepEqual(await go(steps), expected);
    assert.equal(told.length, 2);
    engine[Symbol.dispose]();
  });
});

gpuTest("work that was left undone: the same run to the same bits, in smaller pieces", async () => {
  const whole = await begin();
  const expected = await whole.go();
  whole.engine[Symbol.dispose]();
  const shares: number[] = [];
  const late: (() => void)[] = [];
  const { engine, told, events, go } = await begin(({ queue }, times) => {
    shares.push([...Gpu.live].at(-1)!.workOfSubmission);
    if (times > 1) return;
    // One submission in the middle of the run is not made; the queue says that all is done.
    let submissions = 0;
    const submit = queue.submit.bind(queue);
    queue.submit = (commands) => {
      if (++submissions !== 30) submit(commands);
      else late.push(() => submit(commands));
    };
  });
  assert.deepEqual(await go(), expected);
  assert.deepEqual(events, whole.events);
  assert.equal(told.length, 2, `${told}`);
  assert.match(told[0], /left work undone.* and opened again/);
  assert.deepEqual(shares, [shares[0], shares[0] / 2, shares[0] / 4]);
  engine[Symbol.dispose]();
  late.forEach((submit) => submit()); // Deno's driver wants every command buffer
});

gpuTest("calls that wait when the device is lost are answered in their order", async () => {
  const [one, two] = [Uint32Array.from({ length: 10 }, (_, n) => n), new Uint32Array(10).fill(5)];
  const rates = Float64Array.of(0.1);
  const answers = [];
  for (const lost of [false, true]) {
    const { engine } = await begin();
    await engine.train(one, rates);
    const calls = [
      engine.gradient(two),
      engine.parameters(),
      engine.train(two, rates),
      engine.logits(test),
      engine.optimizerState(),
      engine.train(one, rates),
      engine.evaluate(test),
      engine.parameters(),
    ];
    if (lost) { for (const gpu of Gpu.live) gpu.device.destroy(); }
    answers.push(await Promise.all(calls));
    engine[Symbol.dispose]();
  }
  assert.deepEqual(answers[1], answers[0]);
});

/** Asks a device for more than there is; nothing is written, so that no memory is really taken. */
const GREEDY = `
  import { Gpu } from "${ROOT}/src/gpu/device.ts";
  const gpu = await Gpu.open();
  const bytes = Math.floor(gpu.limits.maxBufferSize / 4) * 4;
  try {
    for (let i = 0; i < 200; i++) {
      gpu.buffer("block " + i, bytes, GPUBufferUsage.COPY_DST);
      await gpu.settle();
    }
  } catch (error) {
    console.log(String(error));
  }
  Deno.exit(0);
`;

gpuTest("no room on the device: refused by name, with what was asked for", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/greedy.ts`, GREEDY);
    // Software adapters take all that a process may have: 64 GB of addresses, most of them Deno's.
    const { stdout } = await new Deno.Command("sh", {
      args: [
        "-c",
        'ulimit -v 64000000 && exec "$@"',
        "sh",
        ...[Deno.execPath(), "run", "--allow-all", "--config", `${ROOT}/deno.json`],
        `${folder}/greedy.ts`,
      ],
    }).output();
    assert.match(
      new TextDecoder().decode(stdout),
      /^RangeError: Cannot hold block \d+, [\d.]+ .iB: the device \(.*\) has no room .* of [\d.]+ .iB /,
    );
  });
});

gpuTest("what the device finds invalid is thrown by the next call", async (open) => {
  for (
    const provoke of [
      (gpu: Gpu) => { // a copy beyond a buffer's end
        const encoder = gpu.device.createCommandEncoder();
        const buffers = [0, 1].map((i) => gpu.buffer(`buffer ${i}`, 16));
        encoder.copyBufferToBuffer(buffers[0], 0, buffers[1], 0, 32);
        gpu.device.queue.submit([encoder.finish()]);
      },
      (gpu: Gpu) => { // more workgroups than there may be
        const code = "@compute @workgroup_size(1) fn nothing() {}";
        const module = gpu.device.createShaderModule({ code });
        const pipeline = gpu.device.createComputePipeline({ layout: "auto", compute: { module } });
        const layout = pipeline.getBindGroupLayout(0);
        const bindGroup = gpu.device.createBindGroup({ layout, entries: [] });
        gpu.run([{
          kernel: "nothing",
          label: "nothing",
          pipeline,
          bindGroup,
          groups: [2 ** 31],
          work: 0,
        }]);
      },
    ]
  ) {
    using gpu = await open();
    const buffer = gpu.buffer("result", 16);
    provoke(gpu);
    await assert.rejects(gpu.read(buffer), /^Error: Cannot go on: the GPU reports /);
    assert.throws(() => gpu.run([]), /^Error: Cannot go on: the GPU reports /);
  }
});
