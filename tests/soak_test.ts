/**
 * Long runs stay as they begin: no buffer is added, and the process does not grow. `SOAK_STEPS` sets
 * another number of steps.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { openEngine } from "../src/backend.ts";
import { createNetwork } from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import { Gpu } from "../src/gpu/device.ts";
import { train } from "../src/method/training.ts";
import { engineOptions, freshParameters, gpuTest, randomSamples } from "./support.ts";

const STEPS = Number(Deno.env.get("SOAK_STEPS") ?? 10_000);
const CHECKS = 10;

/**
 * What the process may grow by, once it has warmed up. V8 lets garbage stand until its young
 * generation is full, three semi-spaces of 16 MiB; as much again is left to the heap's own pace and
 * the allocator's fragments. Something of 20 KB that is left behind at each of 10,000 steps is more,
 * and so is 1 KB at each of 100,000.
 */
const ALLOWANCE = 2 * 3 * 16 * 2 ** 20;

/**
 * Reads that may be under way at once, each through a buffer of its own, made when it is first
 * needed: two groups of losses, weights and optimiser for the next known-good state, an evaluation.
 */
const MOST_READS = 5;

gpuTest(`${STEPS} steps add no buffer, and the process does not grow`, async () => {
  const network = createNetwork({ inputs: 5, hidden: [4, 3], classes: 2 });
  const options = engineOptions(network, randomSamples(40, network), 8, { optimizer: "adam" });
  const test = randomSamples(30, network, false, 9);
  const data = { name: "test", inputs: 5, classes: 2, train: options.samples, test };
  using engine = await openEngine(options, "webgpu");
  engine.setParameters(freshParameters(network));
  const [gpu] = Gpu.live;
  const buffers: number[] = [], memory: number[] = [], milliseconds: number[] = [];
  const processorTime = () => { // of all threads; what else the machine does is not in it
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  let since = processorTime();
  const run = { steps: STEPS, batch: 8, learningRate: 1e-3, schedule: "constant" } as const;
  const events = train(engine, data, new Xoshiro(1), { ...run, evalEvery: STEPS / CHECKS });
  for await (const event of events) {
    if (event.kind !== "evaluation") continue;
    buffers.push(gpu.buffers);
    memory.push(Deno.memoryUsage().rss);
    milliseconds.push((processorTime() - since) * CHECKS / STEPS);
    since = processorTime();
  }
  console.log(`resident MiB: ${memory.map((bytes) => (bytes / 2 ** 20).toFixed(0)).join(" ")}`);
  console.log(`processor ms a step: ${milliseconds.map((each) => each.toFixed(2)).join(" ")}`);
  assert.equal(memory.length, CHECKS);
  const added = Math.max(...buffers) - buffers[0];
  assert.ok(added < MOST_READS, `buffers: ${buffers}`);
  const growth = Math.max(...memory.slice(1)) - memory[0];
  assert.ok(growth <= ALLOWANCE, `the process grew by ${growth} bytes: ${memory}`);
});
