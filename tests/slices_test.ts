/** A gradient in pieces: whoever evaluates which of them, the same bits as the whole. */

import assert from "node:assert/strict";
import { initOptimizer } from "../src/core/optimizers.ts";
import { ESTIMATORS } from "../src/core/estimator.ts";
import { createNetwork, DATA, type Network, parseNodes } from "../src/core/network.ts";
import { connect } from "../src/core/network.ts";
import { piecesOf, placesOf, sizeOf } from "../src/core/slices.ts";
import { Xoshiro } from "../src/core/random.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { type EngineOptions, piecesFor, type SlicedEngine } from "../src/engine.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import {
  engineOptions,
  freshParameters,
  gpuTest,
  randomMaps,
  randomNetwork,
  randomSamples,
} from "./support.ts";

const BATCH = 6;

const maps = (text: string, side = 12) =>
  connect({
    inputs: side * side,
    inputShape: [1, side, side],
    classes: 4,
    nodes: parseNodes(text),
  });

/** Every way of core/plan.ts, with more pieces than one in each. */
const NETWORKS: { name: string; network: Network; h: number }[] = [
  {
    name: "direct",
    network: createNetwork({ inputs: 150, hidden: [70], classes: 4, activation: "sigmoid" }),
    h: 1e-2,
  },
  {
    name: "straight",
    network: createNetwork({ inputs: 30, hidden: [70, 40], classes: 4, activation: "relu" }),
    h: 1e-3,
  },
  {
    name: "fused or rows",
    network: createNetwork({ inputs: 30, hidden: [40, 36], classes: 4, activation: "tanh" }),
    h: 1e-2,
  },
  {
    name: "states",
    network: createNetwork({ inputs: 30, hidden: [70, 40], classes: 4, activation: "step" }),
    h: 1,
  },
  {
    name: "maps, superposed",
    network: maps("conv 5x3, relu, maxpool 2, dense 9, relu"),
    h: 1e-3,
  },
  { name: "maps, straight", network: maps("conv 5x3, relu, avgpool 2, conv 3x2, relu"), h: 1e-3 },
  { name: "maps, exact", network: maps("conv 5x3, tanh, maxpool 2, dense 9, sigmoid"), h: 1e-2 },
];

/** Ranges that cover all pieces, of random lengths, in random order. */
function cutUp(count: number, seed: number): [first: number, end: number][] {
  const random = new Xoshiro(seed), ranges: [number, number][] = [];
  for (let first = 0; first < count;) {
    const end = Math.min(count, first + 1 + Math.floor(3 * random.uniform()));
    ranges.push([first, end]);
    first = end;
  }
  return Array.from(random.sample(ranges.length, ranges.length), (i) => ranges[i]);
}

/** All pieces, slice by slice. */
async function gather(
  engine: SlicedEngine,
  options: EngineOptions,
  rows: Uint32Array,
  seed: number,
) {
  const pieces = piecesFor(options), values = new Float64Array(sizeOf(pieces));
  let loss = NaN;
  for (const [first, end] of cutUp(pieces.length, seed)) {
    const slice = await engine.slice(rows, first, end);
    assert.equal(slice.values.length, sizeOf(pieces.slice(first, end)));
    values.set(slice.values, sizeOf(pieces.slice(0, first)));
    loss = slice.loss;
  }
  return { loss, values };
}

/** Fails with the largest difference and where it is, unless all bits are the same. */
function assertSameBits(actual: Float64Array, expected: Float64Array, what: string): void {
  let worst = -1, largest = 0;
  expected.forEach((value, i) => {
    if (Object.is(actual[i], value)) return;
    const distance = Math.abs(actual[i] - value);
    if (worst < 0 || distance > largest) [worst, largest] = [i, distance];
  });
  assert.ok(worst < 0, `${what}: ${actual[worst]} instead of ${expected[worst]} at ${worst}`);
}

/** Steps by slices, by several engines in turn, against the same steps by `train`. */
async function assertSameSteps(
  network: Network,
  options: EngineOptions,
  open: (options: EngineOptions) => Promise<SlicedEngine>,
  what: string,
): Promise<void> {
  const sliced = { ...options, sliced: true };
  using whole = await open(options);
  using owner = await open(sliced);
  using other = await open(sliced);
  const start = freshParameters(network);
  whole.setParameters(start);
  owner.setParameters(start);
  let parameters: Float64Array = start;
  const random = new Xoshiro(5);
  for (let step = 0; step < 3; step++) {
    const rows = random.sample(options.samples.count, BATCH), rate = 0.1 / (step + 1);
    other.setParameters(parameters, { ...initOptimizer(network.parameters), steps: step });
    const [first, second] = [
      await gather(owner, sliced, rows, step),
      await gather(other, sliced, rows, 99 - step),
    ];
    assertSameBits(second.values, first.values, `${what}, step ${step}, between engines`);
    const [loss] = await whole.train(rows, Float64Array.of(rate));
    assert.equal((await owner.slice(rows, 0, 0)).loss, loss, what);
    parameters = await owner.update(second, rate);
    assertSameBits(parameters, await whole.parameters(), `${what}, step ${step}`);
  }
  const [state, before] = await Promise.all([owner.optimizerState(), whole.optimizerState()]);
  assert.equal(state.steps, 3);
  assertSameBits(state.first, before.first, `${what}, state`);
  await assert.rejects(owner.slice(new Uint32Array(BATCH), 0, 1e6), RangeError);
}

Deno.test("pieces are every weight once, whatever the network", () => {
  for (let seed = 0; seed < 60; seed++) {
    const network = seed % 2 ? randomNetwork(seed) : randomMaps(seed);
    const { samples, ...rest } = engineOptions(network, randomSamples(20, network), BATCH);
    const estimator = { name: "central", h: 1e-2, queries: 0 } as const;
    const pieces = piecesOf(network, {
      ...rest,
      estimator,
      nonzeros: 3,
      distinct: 3,
      sharing: true,
    });
    const places = placesOf(network, pieces);
    assert.equal(samples.count, 20);
    assert.deepEqual([...places].sort((a, b) => a - b), [...Array(network.parameters).keys()]);
    assert.ok(pieces.every(({ work, size }) => work > 0 && size > 0));
  }
});

Deno.test("random directions are pieces of one number", () => {
  const network = createNetwork({ inputs: 4, hidden: [3], classes: 2, activation: "tanh" });
  const options = engineOptions(network, randomSamples(9, network), BATCH, { estimator: "spsa" });
  assert.deepEqual(
    piecesFor(options).map(({ layer, first, size }) => [layer, first, size]),
    [[DATA, 0, 1], [DATA, 1, 1], [DATA, 2, 1]],
  );
  assert.throws(() => piecesFor({ ...options, method: "backprop" }), TypeError);
});

for (const { name, network, h } of NETWORKS) {
  const samples = randomSamples(20, network);
  const variants = ESTIMATORS.filter((name) => name !== "smoothed");
  Deno.test(`slices on the CPU have the bits of the whole: ${name}`, async () => {
    for (const estimator of variants) {
      const options = engineOptions(network, samples, BATCH, { estimator, h, optimizer: "adam" });
      const open = (options: EngineOptions) => Promise.resolve(new CpuEngine(options, 1));
      await assertSameSteps(network, options, open, estimator);
    }
  });
  gpuTest(`slices have the bits of the whole: ${name}`, async (device) => {
    for (const estimator of ["central", "spsa"] as const) {
      const options = engineOptions(network, samples, BATCH, { estimator, h, optimizer: "adam" });
      const open = async (options: EngineOptions) => new GpuEngine(await device(), options);
      await assertSameSteps(network, options, open, estimator);
    }
  });
}

gpuTest("slices have the bits of the whole on random networks", async (device) => {
  for (let seed = 0; seed < 6; seed++) {
    const network = seed % 2 ? randomNetwork(seed) : randomMaps(seed);
    const options = engineOptions(network, randomSamples(20, network, seed % 3 === 0), BATCH);
    const open = async (options: EngineOptions) => new GpuEngine(await device(), options);
    await assertSameSteps(network, options, open, `seed ${seed}`);
  }
});
