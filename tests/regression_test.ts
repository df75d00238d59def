/** Targets that are any numbers: through both backends and every method, and from files of one's own. */

import assert from "node:assert/strict";
import { connect, type Network, parseNodes, type Shape } from "../src/core/network.ts";
import { createEstimator } from "../src/core/estimator.ts";
import { Xoshiro } from "../src/core/random.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { dataSetIn } from "../src/data/data_file.ts";
import type { Tensor } from "../src/data/elements.ts";
import { type Samples, scoreOf, selectSamples, withValidation } from "../src/data/samples.ts";
import { writeTensors } from "../src/data/tensors.ts";
import { onDevice } from "../src/method/parity.ts";
import {
  all,
  assertClose,
  cli,
  engineOptions,
  freshParameters,
  gpuTest,
  gradientOn,
  gradientOnCpu,
  inFolder,
  randomSamples,
} from "./support.ts";

const networkOf = (text: string, inputShape: readonly number[]): Network =>
  connect({
    inputs: inputShape.reduce((product, length) => product * length, 1),
    inputShape: inputShape as Shape,
    classes: 3,
    nodes: parseNodes(text),
    loss: "squared-error",
  });

/** Random samples, with targets between -5 and 5. */
function aimed(count: number, network: Network): Samples {
  const random = new Xoshiro(count + network.parameters);
  const targets = Float64Array.from({ length: 3 * count }, () => 10 * random.uniform() - 5);
  return { ...randomSamples(count, network), targets: targets.map(Math.fround) };
}

Deno.test("the squared error of targets by hand, and what it comes to", async () => {
  const network = connect({ inputs: 1, classes: 2, nodes: [], loss: "squared-error" });
  const samples = {
    count: 2,
    inputs: 1,
    x: Float64Array.of(1, 2),
    labels: new Uint8Array(2),
    targets: Float64Array.of(3, -1, 0.5, 2),
  };
  using engine = new CpuEngine(engineOptions(network, samples, 2), 1);
  engine.setParameters(Float64Array.of(1, 0.5, 0, 0)); // logits [1, 0.5] and [2, 1]
  const { loss, gradient } = await engine.gradient(all(2));
  // Residuals [-2, 1.5] and [1.5, -1].
  assertClose([loss], [(4 + 2.25 + 2.25 + 1) / 4], 1e-12);
  assertClose(gradient, [(-2 + 3) / 2, (1.5 - 2) / 2, (-2 + 1.5) / 2, (1.5 - 1) / 2], 0, 1e-9);
  const { accuracy, losses } = await engine.evaluate(samples);
  assertClose(losses, [3.125, 1.625], 1e-12);
  // The targets' variance, in all: 2 * 1.25^2 + 2 * 1.5^2.
  assertClose([accuracy], [1 - 9.5 / (3.125 + 4.5)], 1e-12);
});

Deno.test("parts of samples with targets keep each its own", () => {
  const x = Float64Array.of(1, 2, 3), targets = Float64Array.of(10, 11, 20, 21, 30, 31);
  const samples = { count: 3, inputs: 1, x, labels: new Uint8Array(3), targets };
  assert.deepEqual([...selectSamples(samples, Uint32Array.of(2, 0)).targets!], [30, 31, 10, 11]);
  const data = { name: "", inputs: 1, classes: 2, train: samples, test: samples };
  const { train, test } = withValidation(data, 1);
  assert.deepEqual([[...train.targets!], [...test.targets!]], [[10, 11, 20, 21], [30, 31]]);
  assert.equal(scoreOf(samples, new Uint16Array(3), new Float64Array(3)), 1);
});

for (
  const [text, ...shape] of [
    ["dense 8, tanh", 5],
    ["dense 7, relu, dense 6, sigmoid", 5],
    ["dense 9, step, dense 5, step", 5],
    ["conv 3x3, relu, maxpool 2, dense 6, relu", 1, 6, 6],
    ["none", 4],
  ] as [string, ...number[]][]
) {
  gpuTest(`targets of any numbers: ${text}`, async (open) => {
    const network = text === "none"
      ? connect({ inputs: 4, classes: 3, nodes: [], loss: "squared-error" })
      : networkOf(text, shape);
    const samples = aimed(6, network), parameters = freshParameters(network);
    const h = text.includes("step") ? 1 : text.includes("pool") ? 1e-6 : 1e-3;
    const estimator = createEstimator("central", h);
    const options = { ...engineOptions(network, samples, 6), estimator };
    using gpu = await open();
    const expected = await gradientOnCpu(options, parameters);
    const most = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    // A sum of six samples' terms, each of some ten roundings of 2^-24.
    assertClose(await gradientOn(gpu, options, parameters), expected, 0, 60 * 2 ** -24 * most);
    const back = { ...options, method: "backprop" as const };
    const slopes = await gradientOnCpu(back, parameters);
    assertClose(await gradientOn(gpu, back, parameters), slopes, 0, 60 * 2 ** -24 * most);
    // Whole copies in float64 lose digits of the loss, which is below 200, to h.
    const copies = await gradientOnCpu({ ...options, method: "copies" }, parameters);
    assertClose(expected, copies, 0, 200 * 8 * 2 ** -53 / h);
    const [here, there] = await Promise.all([
      onDevice(gpu, options, parameters, (engine) => engine.evaluate(samples)),
      (async () => {
        using engine = new CpuEngine(options, 1);
        engine.setParameters(parameters);
        return await engine.evaluate(samples);
      })(),
    ]);
    assertClose(here.losses, there.losses, 1e-5);
    assertClose([here.accuracy], [there.accuracy], 0, 1e-4);
  });
}

gpuTest("whole copies on the device take targets, too", async (open) => {
  const network = networkOf("dense 6, tanh", [5]), samples = aimed(4, network);
  const options = {
    ...engineOptions(network, samples, 4),
    estimator: createEstimator("central", 0.1),
    method: "copies" as const,
  };
  const parameters = freshParameters(network), expected = await gradientOnCpu(options, parameters);
  using gpu = await open();
  // Losses of up to 60, each of some twenty roundings, are subtracted and divided by 0.2.
  const bound = 2 * 60 * 20 * 2 ** -24 / 0.2;
  assertClose(await gradientOn(gpu, options, parameters), expected, 0, bound);
});

Deno.test("what takes no targets says so", () => {
  const network = networkOf("dense 3, tanh", [2]), samples = aimed(2, network);
  const refused = (network: Network, samples: Samples, why: RegExp) =>
    assert.throws(() => new CpuEngine(engineOptions(network, samples, 2), 1), why);
  refused(
    { ...network, loss: "cross-entropy" },
    samples,
    /^RangeError: Cannot use targets of any numbers with cross-entropy: .* use squared-error$/,
  );
  refused(network, { ...samples, targets: new Float64Array(5) }, /Cannot use 5 targets: .*6/);
  const targets = Float64Array.of(1, 2, 3, NaN, 5, 6);
  refused(network, { ...samples, targets }, /target 0 of sample 1 = NaN/);
});

const tensor = (shape: number[], of: (i: number) => number): Tensor => ({
  shape,
  data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => of(i)),
});

Deno.test("data sets from files: classes, one-hot rows, numbers, images, and a held-out part", () => {
  const said: string[] = [];
  const read = (tensors: Record<string, Tensor>) =>
    dataSetIn(new Map(Object.entries(tensors)), "a.npz", (line) => said.push(line));
  const x = tensor([20, 3], (i) => i), classes = tensor([20], (i) => i % 4);
  const labelled = read({ x, t: classes });
  assert.deepEqual([labelled.classes, labelled.train.count, labelled.test.count], [4, 18, 2]);
  assert.deepEqual([...labelled.test.labels], [2, 3]);
  assert.match(said.join(), /^a\.npz has no x_test: its last 2 samples are held out to test on$/);
  const hot = read({ x, t: tensor([20, 5], (i) => i % 5 === Math.floor(i / 5) % 5 ? 1 : 0) });
  assert.deepEqual([hot.classes, hot.train.targets, hot.train.labels[3]], [5, undefined, 3]);
  const numbers = read({ x, t: tensor([20, 2], (i) => i / 7) });
  assert.deepEqual([numbers.classes, numbers.train.targets![3]], [2, 3 / 7]);
  const one = read({ x, t: tensor([20], (i) => i / 7), x_test: x, t_test: tensor([20], () => 1) });
  assert.deepEqual([one.classes, one.test.targets![0], one.test.count], [1, 1, 20]);
  const whole = read({ x, t: tensor([20, 1], (i) => i) }); // numbers, by their shape
  assert.deepEqual([whole.classes, whole.train.targets![2]], [1, 2]);
  const images = read({ x: tensor([20, 2, 3], (i) => i), t: classes });
  assert.deepEqual(images.image, [1, 2, 3]);
  // As R's library stores it, turned around.
  const turned = read({ x: tensor([3, 20], (i) => i), t: classes });
  assert.deepEqual([...turned.train.x.subarray(0, 3)], [0, 20, 40]);
  for (
    const [why, tensors] of [
      [/it has no t;?/, { x }],
      [/t is \[19\] for 20 samples/, { x, t: tensor([19], () => 0) }],
      [/x_test of \[2\]/, {
        x,
        t: classes,
        x_test: tensor([4, 2], () => 0),
        t_test: tensor([4], () => 0),
      }],
      [/t_test asks for 9 outputs, and t for 4/, {
        x,
        t: classes,
        x_test: x,
        t_test: tensor([20], () => 8),
      }],
    ] as [RegExp, Record<string, Tensor>][]
  ) {
    assert.throws(() => read(tensors), (error: Error) => {
      assert.match(error.message, why);
      assert.match(error.message, /^Cannot use a\.npz: [^\n]*$/);
      return true;
    });
  }
});

Deno.test("a curve is learnt from a file, tested on another part of it, and checked", async () => {
  await inFolder(async (folder) => {
    const file = `${folder}/curve.safetensors`, log = `${folder}/log.jsonl`;
    const x = tensor([400, 1], (i) => 2 * ((i * 0.618) % 1) - 1);
    const t = { shape: [400, 1], data: x.data.map((value) => 3 * Math.sin(4 * value) + 1) };
    await Deno.writeFile(file, await writeTensors(new Map([["x", x], ["t", t]]), file));
    const args = ["train", "--data", file, "--hidden", "20", "--activation", "tanh"];
    const bare = await cli(...args, "--steps", "5");
    assert.equal(bare.code, 2);
    assert.match(bare.stderr, /targets of any numbers with cross-entropy: .*squared-error\n$/);
    for (const backend of ["auto", "cpu"]) {
      const { code, stdout, stderr } = await cli(
        ...[...args, "--loss", "squared-error", "--optimizer", "adam", "--lr", "0.02"],
        ...["--init", "xavier", "--steps", "600", "--log", log, "--backend", backend],
      );
      assert.equal(code, 0, stderr);
      assert.match(stdout, /has no x_test: its last 40 samples are held out/);
      const share = Number(/test R² ([\d.]+)%/.exec(stdout)![1]);
      assert.ok(share >= 98, stdout); // a straight line explains less than a half of it
    }
    const plotted = await cli("plot", log, "--out", `${folder}/a.svg`);
    assert.equal(plotted.code, 0, plotted.stderr);
  });
});
