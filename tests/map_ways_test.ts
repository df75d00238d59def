/**
 * The differences of convolutions on the device against the same in float64: random networks of maps,
 * kinks and ties, chosen elements, parts and passes in little memory.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Activation,
  ACTIVATIONS,
  connect,
  DATA,
  type Network,
  type Node,
  parseNodes,
  type Shape,
  shapeOf,
  sizeOfShape,
} from "../src/core/network.ts";
import { mapsGoStraight } from "../src/core/plan.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import type { EngineOptions } from "../src/engine.ts";
import { type Gpu, GpuEngine } from "../src/gpu/engine.ts";
import { inspection } from "../src/gpu/kernel.ts";
import { compareGradients } from "../src/method/gradcheck.ts";
import { onDevice } from "../src/method/parity.ts";
import {
  all,
  assertClose,
  assertGradient,
  engineOptions,
  FLOOR,
  freshParameters,
  gpuTest,
  gradientOn,
  gradientOnCpu,
  quarters,
  quarterSamples,
  randomMaps,
  randomSamples,
  RELATIVE,
  SMOOTH_LOSSES,
} from "./support.ts";

/** A network of maps into so many classes. */
const mapped = (inputShape: Shape, nodes: string | readonly Node[], classes = 3): Network =>
  connect({
    inputs: sizeOfShape(inputShape),
    inputShape,
    classes,
    nodes: typeof nodes === "string" ? parseNodes(nodes) : nodes,
  });

/** What decides the way that maps go, and what is there to be seen, for messages. */
const nameOf = (network: Network, { estimator: { name, h }, batch, sharing }: EngineOptions) =>
  [
    shapeOf(network),
    network.layers.map(({ kind, activation }) => `${kind} ${activation}`).join(" "),
    `${name}, h = ${h}, batch ${batch}${sharing === false ? ", nothing shared" : ""}`,
  ].join("; ");

/** Fails with what it is about, the tensor and the place. */
function assertSame(
  network: Network,
  options: EngineOptions,
  actual: Float64Array,
  expected: Float64Array,
): void {
  try {
    assertGradient(network, actual, expected, RELATIVE, FLOOR);
  } catch (error) {
    throw new Error(`${nameOf(network, options)}: ${(error as Error).message}`);
  }
}

/** Compares gradients on the device with those in float64, shared and not. */
async function assertRight(gpu: Gpu, options: EngineOptions, parameters: Float64Array) {
  const expected = await gradientOnCpu(options, parameters);
  for (const sharing of [true, false]) {
    const alone = { ...options, sharing };
    assertSame(options.network, alone, await gradientOn(gpu, alone, parameters), expected);
  }
}

/** Whether a convolution's maps go straight. */
const isStraight = ({ layers }: Network) =>
  layers.some(({ kind }, l) => kind === "conv" && mapsGoStraight(layers, l, { sharing: true }));

const ESTIMATORS = ["forward", "central", "five-point"] as const;
const PIECES: readonly Activation[] = ["relu", "leaky-relu", "clip", "hard-sigmoid"];

/** Numbers that networks are drawn by. */
const SEEDS = fc.integer({ min: 0, max: 1_000_000 });

const cases = fc.record({
  seed: SEEDS,
  batch: fc.constantFrom(1, 3),
  loss: fc.constantFrom(...SMOOTH_LOSSES),
  estimator: fc.constantFrom(...ESTIMATORS),
  activations: fc.constantFrom<readonly Activation[]>(ACTIVATIONS, PIECES),
});

gpuTest("random networks of maps at h = 1e-2, 1e-4, 1e-6", async (open) => {
  const seen = { straight: 0, not: 0 };
  await fc.assert(
    fc.asyncProperty(cases, async ({ seed, batch, loss, estimator, activations }) => {
      using gpu = await open();
      const network = randomMaps(seed, { loss, activations });
      const parameters = freshParameters(network, 0.7, seed).map(Math.fround);
      seen[isStraight(network) ? "straight" : "not"]++;
      for (const h of [1e-2, 1e-4, 1e-6]) {
        const samples = randomSamples(batch, network, false, seed);
        await assertRight(
          gpu,
          engineOptions(network, samples, batch, { estimator, h }),
          parameters,
        );
      }
    }),
    { numRuns: 12, seed: 1, endOnFailure: true },
  );
  assert.ok(seen.straight > 2 && seen.not > 2, JSON.stringify(seen));
});

/** Piecewise units and units of few values that keep quarters quarters. */
const EXACT: readonly Activation[] = ["relu", "clip", "step", "sign"];

// What is not exact puts a kink or a flip on the other side of a nudge.
gpuTest("random networks of maps in quarters: kinks, flips and ties within reach", async (open) => {
  let differ = 0, runs = 0;
  const exact = fc.record({
    seed: SEEDS,
    estimator: fc.constantFrom(...ESTIMATORS),
    activations: fc.constantFrom<readonly Activation[]>(EXACT, ["relu", "clip"], ["relu"]),
    h: fc.constantFrom(0.25, 1),
  }).map(({ seed, activations, ...rest }) => {
    // Means of three cells are no quarters.
    for (;; seed++) {
      const network = randomMaps(seed, { activations });
      if (!network.layers.some(({ kind }) => kind === "avgpool")) return { network, ...rest, seed };
    }
  });
  await fc.assert(
    fc.asyncProperty(exact, async ({ network, seed, estimator, h }) => {
      using gpu = await open();
      const parameters = quarters(freshParameters(network, 0.7, seed));
      const samples = quarterSamples(3, network, seed);
      const options = engineOptions(network, samples, 3, { estimator, h });
      await assertRight(gpu, options, parameters);
      const derivative = await gradientOnCpu({ ...options, method: "backprop" }, parameters);
      const found = compareGradients(
        network,
        await gradientOnCpu(options, parameters),
        derivative,
      );
      runs++;
      if (found.slice(0, -2).some(({ relativeError }) => !(relativeError < 1e-2))) differ++;
    }),
    { numRuns: 12, seed: 2, endOnFailure: true },
  );
  assert.ok(2 * differ > runs, `kinks decide in ${differ} of ${runs}`);
});

/** A branch of maps around a convolution, joined again, and with the data. */
const residual = (front: Activation, back: Activation): Node[] => [
  { operation: "conv", channels: 3, kernel: [3, 3], pad: "same" },
  { operation: front },
  { operation: "conv", channels: 3, kernel: [1, 3], pad: "same" },
  { operation: "add", from: [1, 2] },
  { operation: back },
  { operation: "conv", channels: 2, kernel: [3, 3], pad: "same" },
  { operation: "add", from: [DATA, 5] },
  { operation: "maxpool", kernel: [2, 2], stride: [1, 1] },
];

/** Of every way that maps go, a network. */
const WAYS: Record<string, Network> = {
  "a pool taken in one, another with padding": mapped(
    [2, 9, 8],
    "conv 6x3 pad 1, relu, maxpool 2, conv 4x2 groups 2, clip, maxpool 2 stride 1 pad 1",
  ),
  "pools that overlap": mapped(
    [1, 8, 9],
    "conv 3x2 stride 1x2, relu, maxpool 3x2 stride 1, conv 3x2, scale, relu, maxpool 2 stride 1",
  ),
  "smooth, in groups": mapped(
    [2, 7, 6],
    "conv 4x3x2 groups 2 dilation 1x2, sigmoid, avgpool 2, conv 6x2 groups 2, tanh",
  ),
  "joined, straight": mapped([2, 5, 4], residual("relu", "clip")),
  "joined, smooth": mapped([2, 5, 4], residual("gelu", "tanh")),
  "a dense layer behind": mapped([1, 8, 7], "conv 4x3, relu, maxpool 2, dense 5, relu"),
  "a dense layer behind, in groups, and no pool": mapped(
    [2, 6, 7],
    "conv 4x3x2 groups 2 stride 2x1 pad 1, clip, dense 6, relu",
    18,
  ),
  "step units": mapped([1, 7, 7], "conv 4x2, step, maxpool 2, conv 3x2, sign"),
};

/** Units that keep quarters quarters decide exactly who goes beyond a kink, and who does not. */
const isExact = ({ layers }: Network) =>
  layers.every(({ activation, kind }) =>
    kind !== "avgpool" && ["identity", ...EXACT].includes(activation)
  );

/** A network of the ways with weights, and samples. */
function placeOf(network: Network) {
  const fresh = freshParameters(network, 0.7).map(Math.fround);
  return isExact(network)
    ? { h: 0.25, parameters: quarters(fresh), samples: quarterSamples(7, network) }
    : { h: 0.05, parameters: fresh, samples: randomSamples(7, network) };
}

/** The least memory for scratch, or little more, with which a gradient can be made. */
async function leastScratch(
  open: (scratchBytes: number) => Promise<Gpu>,
  options: EngineOptions,
): Promise<number> {
  for (let scratch = 1024;; scratch = 16 * Math.ceil(1.2 * scratch / 16)) {
    using gpu = await open(scratch);
    try {
      new GpuEngine(gpu, options);
      return scratch;
    } catch (error) {
      assert.match(`${error}`, /^RangeError: Cannot evaluate \d+ copies of one weight at once/);
    }
  }
}

for (const [name, network] of Object.entries(WAYS)) {
  const { h, parameters, samples } = placeOf(network);

  gpuTest(`maps, ${name}: stencils, and batches of 1 and 7`, async (open) => {
    using gpu = await open();
    for (const [batch, estimator] of [[1, "five-point"], [7, "central"], [7, "forward"]] as const) {
      const options = engineOptions(network, samples, batch, { h, estimator });
      await assertRight(gpu, options, parameters);
    }
  });

  gpuTest(`maps, ${name}: chosen elements`, async (open) => {
    using gpu = await open();
    const options = engineOptions(network, samples, 5, { h });
    await onDevice(gpu, options, parameters, async (engine) => {
      const batch = all(5), whole = await engine.gradient(batch);
      const every = await engine.gradient(batch, all(network.parameters));
      assert.equal(every.loss, whole.loss);
      assertSame(network, options, every.gradient, whole.gradient);
      // In any order, more than once, and with the same bits whatever else is asked for.
      const some = [network.parameters - 1, 3, 0, 17, 3, 9, 40, 10];
      const { gradient } = await engine.gradient(batch, Uint32Array.from(some));
      assert.deepEqual([...gradient], some.map((index) => every.gradient[index]));
      for (const element of some.slice(1, 4)) {
        const { gradient: [alone] } = await engine.gradient(batch, Uint32Array.of(element));
        assert.equal(alone, every.gradient[element]);
      }
    });
  });

  gpuTest(`maps, ${name}: in little memory the same bits, and two steps`, async (open) => {
    const batch = 3, batches = Uint32Array.of(0, 2, 4, 1, 3, 5), rates = Float64Array.of(0.1, 0.1);
    const options = engineOptions(network, samples, batch, { h, optimizer: "momentum" });
    const least = await leastScratch(open, options);
    const seen: unknown[] = [], parts: number[] = [];
    for (const scratch of [undefined, least, 3 * least]) {
      using gpu = await open(scratch);
      using engine = new GpuEngine(gpu, options);
      engine.setParameters(parameters);
      parts.push(
        engine.gradientCommands(all(batch)).filter(({ kernel }) => kernel === "collect_taps")
          .length,
      );
      // None is waited for, and all take effect in turn.
      const found = [
        engine.gradient(all(batch)),
        engine.gradient(all(batch), Uint32Array.of(5, 1, 11)),
        engine.train(batches.subarray(0, 3), rates.subarray(0, 1)),
        engine.parameters(),
        engine.train(batches.subarray(3), rates.subarray(1)),
        engine.parameters(),
        engine.gradient(all(batch)),
      ];
      seen.push(await Promise.all(found));
    }
    assert.deepEqual(seen[1], seen[0], `in ${least} bytes`);
    assert.deepEqual(seen[2], seen[0], `in ${3 * least} bytes`);
    assert.ok(parts[1] > parts[0], `${parts} parts`);
    using cpu = new CpuEngine(options, 1);
    cpu.setParameters(parameters);
    const [, , , first, , second] = seen[0] as Float64Array[];
    await cpu.train(batches.subarray(0, 3), rates.subarray(0, 1));
    // As right as gradients, times the rate.
    assertClose(first, await cpu.parameters(), 1e-6, 1e-6);
    if (isExact(network)) return; // weights that are trained are no quarters
    await cpu.train(batches.subarray(3), rates.subarray(1));
    assertClose(second, await cpu.parameters(), 1e-6, 1e-6);
  });
}

// Most copies go beyond a kink, where few were expected: the gradient is made again.
gpuTest("maps: lists longer than there are passes for", async (open) => {
  const network = WAYS["a pool taken in one, another with padding"], batch = 7;
  const { parameters, samples } = placeOf(network);
  for (const h of [0.25, 2]) {
    const options = engineOptions(network, samples, batch, { h });
    const expected = await gradientOnCpu(options, parameters);
    using gpu = await open();
    using engine = new GpuEngine(gpu, options);
    engine.setParameters(parameters);
    const passes = () =>
      engine.gradientCommands(all(batch)).filter(({ kernel }) => kernel === "rows_loss").length;
    const first = passes();
    const chosen = await engine.gradient(all(batch), all(network.parameters));
    assertSame(network, options, chosen.gradient, expected);
    const { gradient } = await engine.gradient(all(batch));
    assertSame(network, options, gradient, expected);
    assert.ok(passes() > first, `${passes()} passes, as before`);
  }
});

gpuTest("maps: loops that the device would break off are not begun", async (open) => {
  const network = mapped([16, 9, 9], "conv 2x5, relu, maxpool 2");
  const options = engineOptions(network, randomSamples(4, network), 4, { h: 1e-2 });
  const parameters = freshParameters(network), expected = await gradientOnCpu(options, parameters);
  // To compare what units of the pool's windows see of 16 maps of 5 x 5 takes 9004 turns, and a thread's
  // windows of the pool 305: with fewer than the first the pool goes by itself, and with fewer than the
  // second none does.
  for (const loopTurns of [Infinity, 400]) {
    using gpu = Object.assign(await open(), { loopTurns });
    const kernels: string[] = [];
    inspection.composed = ({ name }) => kernels.push(name);
    try {
      assertSame(network, options, await gradientOn(gpu, options, parameters), expected);
    } finally {
      inspection.composed = undefined;
    }
    assert.equal(kernels.includes("rows_filter_pool"), loopTurns === Infinity);
  }
  using gpu = Object.assign(await open(), { loopTurns: 330 });
  assert.throws(
    () => new GpuEngine(gpu, options),
    /^RangeError: Cannot carry changes through maxpool 1: .* breaks loops off behind 297 turns/,
  );
});
