/** The same seed, backend and adapter give the same bits, however a run is cut. */

import assert from "node:assert/strict";
import { type EstimatorName, ESTIMATORS } from "../src/core/estimator.ts";
import { createNetwork } from "../src/core/network.ts";
import { type OptimizerName, OPTIMIZERS } from "../src/core/optimizers.ts";
import { Xoshiro } from "../src/core/random.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import type { Engine, EngineOptions } from "../src/engine.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import { train } from "../src/method/training.ts";
import {
  cli,
  engineOptions,
  freshParameters,
  gpuTest,
  inFolder,
  randomSamples,
} from "./support.ts";

const network = createNetwork({ inputs: 7, hidden: [5], classes: 3, activation: "tanh" });
const samples = randomSamples(30, network);
const data = { name: "test", inputs: 7, classes: 3, train: samples, test: samples };
const RUN = {
  steps: 12,
  batch: 6,
  learningRate: 0.05,
  schedule: "cosine",
  evalEvery: 100,
} as const;

/** Takes a run to an end, from where another stopped. */
async function takeTo(
  steps: number,
  engine: Engine,
  before: { parameters: Float64Array; state?: Awaited<ReturnType<Engine["optimizerState"]>> },
  random: Xoshiro,
) {
  engine.setParameters(before.parameters, before.state);
  const stop = new AbortController(), done = before.state?.steps ?? 0;
  // A rest at the end of the part: the schedule is that of the whole run.
  const run = { ...RUN, done, saveEvery: steps, signal: stop.signal };
  for await (const event of train(engine, data, random, run)) {
    if (event.kind === "rest" && event.step === steps) stop.abort();
  }
  return { parameters: await engine.parameters(), state: await engine.optimizerState() };
}

async function checkResume(
  open: (options: EngineOptions) => Promise<Engine>,
  pairs: readonly (readonly [OptimizerName, EstimatorName])[],
): Promise<void> {
  for (const [optimizer, estimator] of pairs) {
    const options = engineOptions(network, samples, 6, { optimizer, estimator, h: 1e-3 });
    const start = { parameters: freshParameters(network) };
    using one = await open(options);
    const whole = await takeTo(12, one, start, new Xoshiro(1));
    const random = new Xoshiro(1);
    const part = await takeTo(5, one, start, random);
    assert.equal(part.state.steps, 5);
    const later = new Xoshiro(2);
    later.state = random.state.slice();
    // In another engine, and in one that has trained before.
    using other = await open(options);
    for (const engine of [other, one]) {
      later.state = random.state.slice();
      const resumed = await takeTo(12, engine, part, later);
      assert.deepEqual(resumed, whole, `${optimizer}, ${estimator}`);
      assert.notDeepEqual(resumed.parameters, part.parameters);
    }
  }
}

Deno.test("CPU: a run goes on to the same bits, every optimiser and estimator", async () => {
  const pairs = OPTIMIZERS.flatMap((optimizer) =>
    ESTIMATORS.map((estimator) => [optimizer, estimator] as const)
  );
  await checkResume((options) => Promise.resolve(new CpuEngine(options)), pairs);
});

gpuTest("a run goes on to the same bits, every optimiser and estimator", async () => {
  // Each has its own shaders, which take their time to compile; none meets those of the other.
  const pairs = [
    ...OPTIMIZERS.map((optimizer) => [optimizer, "central"] as const),
    ...ESTIMATORS.map((estimator) => ["adam", estimator] as const),
  ];
  await checkResume(async (options) => (await GpuEngine.open(options))!, pairs);
});

const SMALL = ["--data", "digits", "--hidden", "6", "--batch", "10", "--steps", "60", "--json"];

/** The digest of the weights that a command ends with. */
async function weightsOf(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli("train", ...SMALL, ...args);
  assert.equal(code, 0, stderr);
  const { weights } = JSON.parse(stdout);
  assert.match(weights, /^[0-9a-f]{64}$/);
  return weights;
}

gpuTest("two processes, any --eval-every and --save-every: the same weights", async () => {
  await inFolder(async (folder) => {
    const save = ["--save", `${folder}/run.h5`];
    const cases = [
      ["--backend", "webgpu"],
      ["--backend", "webgpu", "--eval-every", "7"],
      ["--backend", "webgpu", "--eval-every", "100", "--save-every", "11", ...save],
    ];
    const found = [];
    for (const args of cases) found.push(await weightsOf(...args));
    assert.equal(new Set(found).size, 1, `${found}`);
    assert.notEqual(await weightsOf("--backend", "webgpu", "--seed", "2"), found[0]);
    const cpu = await weightsOf("--backend", "cpu");
    assert.equal(await weightsOf("--backend", "cpu", "--eval-every", "9"), cpu);
  });
});
