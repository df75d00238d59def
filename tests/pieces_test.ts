/** Steps that are taken piece by piece: the same numbers, and given up in between where it is asked. */

import assert from "node:assert/strict";
import { createNetwork } from "../src/core/network.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import { GivenUp, PIECE, PiecewiseEngine } from "../web/run/pieces.ts";
import { all, engineOptions, freshParameters, gpuTest, randomSamples } from "./support.ts";

// Several pieces, the last of them not full.
const network = createNetwork({ inputs: 9, hidden: [12], classes: 4 });
assert.ok(network.parameters > 2 * PIECE && network.parameters % PIECE !== 0);
const samples = randomSamples(30, network);
const options = engineOptions(network, samples, 10, { method: "copies", optimizer: "adam" });
const parameters = freshParameters(network);
const batches = Uint32Array.from({ length: 30 }, (_, i) => (7 * i) % 30); // [3, 10]

Deno.test("pieces: in float64 steps have the same bits as whole ones", async () => {
  using whole = new CpuEngine(options, 1);
  using pieces = new PiecewiseEngine(new CpuEngine(options, 1), options);
  for (const engine of [whole, pieces]) engine.setParameters(parameters);
  const first = all(10);
  assert.deepEqual(await pieces.gradient(first), await whole.gradient(first));
  const some = Uint32Array.of(5, 3, 160);
  assert.deepEqual(await pieces.gradient(first, some), await whole.gradient(first, some));
  const rates = Float64Array.of(0.1, 0.05, 0.02);
  assert.deepEqual(await pieces.train(batches, rates), await whole.train(batches, rates));
  assert.deepEqual(await pieces.parameters(), await whole.parameters());
  assert.deepEqual(await pieces.optimizerState(), await whole.optimizerState());
  assert.deepEqual(await pieces.evaluate(samples), await whole.evaluate(samples));
});

Deno.test("pieces: a step that is given up leaves everything as it was", async () => {
  using pieces = new PiecewiseEngine(new CpuEngine(options, 1), options);
  pieces.setParameters(parameters);
  const stop = new AbortController();
  pieces.giveUpOn(stop.signal);
  const step = pieces.train(batches.subarray(0, 10), Float64Array.of(0.1));
  stop.abort(); // the first piece is under way
  await assert.rejects(step, GivenUp);
  assert.deepEqual(await pieces.parameters(), parameters);
  assert.equal((await pieces.optimizerState()).steps, 0);
  pieces.giveUpOn(new AbortController().signal);
  await pieces.train(batches.subarray(0, 10), Float64Array.of(0.1));
  assert.equal((await pieces.optimizerState()).steps, 1);
});

gpuTest("pieces: on a device, too, no bit of a gradient depends on how it is cut", async (open) => {
  const gpu = await open(), device = new GpuEngine(gpu, options);
  using pieces = new PiecewiseEngine(device, options);
  pieces.setParameters(parameters);
  const { gradient } = await pieces.gradient(all(10));
  const once = await device.gradient(all(10), all(network.parameters));
  assert.deepEqual(gradient, once.gradient);
  // Weights that are kept here are those of the device.
  await pieces.train(batches, Float64Array.of(0.1, 0.05, 0.02));
  assert.deepEqual(await pieces.parameters(), await device.parameters());
});
