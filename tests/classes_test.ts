/** More classes than a byte counts: labels and predictions keep their numbers, everywhere. */

import assert from "node:assert/strict";
import type { EstimatorName } from "../src/core/estimator.ts";
import { createNetwork, MAX_CLASSES, type Network } from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { idxDataSet, parseIdx, writeIdx } from "../src/data/idx.ts";
import { type Samples, selectSamples } from "../src/data/samples.ts";
import { type Tensors, writeTensors } from "../src/data/tensors.ts";
import { asTensors, batchIn } from "../src/data/weights.ts";
import type { Engine } from "../src/engine.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import {
  assertClose,
  assertGradient,
  cli,
  engineOptions,
  freshParameters,
  gpuTest,
  inFolder,
  randomSamples,
} from "./support.ts";

/** A sample a label, each with an input of its own. */
function samplesOf(...labels: number[]): Samples {
  const count = labels.length, x = new Float32Array(count * count);
  for (let n = 0; n < count; n++) x[n * count + n] = 1;
  return { count, inputs: count, x, labels: Uint16Array.from(labels) };
}

/** Parameters of a network without hidden layers that predict a class for each of `samplesOf`. */
function predicting(classes: number, ...predictions: number[]): Float64Array {
  const parameters = new Float64Array((predictions.length + 1) * classes);
  predictions.forEach((k, n) => parameters[n * classes + k] = 1);
  return parameters;
}

const LABELS = [3, 255, 256, 700, 12799];

Deno.test("classes: CPU engine: losses, predictions and gradients of labels above 255", async () => {
  await knows((options) => new CpuEngine(options), 65536, 1e-12);
});

gpuTest("classes: losses, predictions and gradients of labels above 255", async (open) => {
  const gpu = await open();
  // Summing runs of 64: each term is rounded at most 64 times in its run and 200 times behind it.
  await knows((options) => new GpuEngine(gpu, options), 12800, (64 + 200) * 2 ** -24);
});

/** Logits are 1 for one class and 0 elsewhere: softmax is known in closed form. */
async function knows(
  open: (options: ReturnType<typeof engineOptions>) => Engine,
  classes: number,
  tolerance: number,
): Promise<void> {
  const network = createNetwork({ inputs: LABELS.length, hidden: [], classes, epsilon: 0 });
  const samples = samplesOf(...LABELS.slice(0, -1), classes - 1);
  const labels = [...samples.labels];
  using engine = open(engineOptions(network, samples, samples.count, { method: "backprop" }));
  engine.setParameters(predicting(classes, ...labels));
  const right = await engine.evaluate(samples);
  assert.deepEqual([...right.predictions], labels);
  assert.equal(right.accuracy, 1);
  const total = Math.E + classes - 1;
  assertClose(right.losses, labels.map(() => Math.log(total) - 1), tolerance);

  // What a byte cannot tell from the label is wrong all the same.
  engine.setParameters(predicting(classes, ...labels.map((label) => (label + 256) % classes)));
  const wrong = await engine.evaluate(samples);
  assert.equal(wrong.accuracy, 0);
  assertClose(wrong.losses, labels.map(() => Math.log(total)), tolerance);

  const { loss, gradient } = await engine.gradient(Uint32Array.from(labels, (_, n) => n));
  assertClose([loss], [Math.log(total)], tolerance);
  labels.forEach((label, n) => {
    const of = (k: number) => gradient[n * classes + k] * labels.length;
    assertClose([of(label)], [1 / total - 1], tolerance);
    assertClose([of((label + 256) % classes)], [Math.E / total], tolerance);
    assertClose([of((label + 1) % classes)], [1 / total], tolerance);
  });
}

// Sums over classes round each term by half a unit; roundings of either sign add up like their root.
const toleranceOf = (classes: number) => Math.max(1e-6, Math.sqrt(classes) * 2 ** -24);

gpuTest("classes: every way to a gradient, whatever loops a device allows", async (open) => {
  for (
    const [hidden, classes, batch] of [[[5], 300, 7], [[6], 2000, 3], [[2], 12800, 2], [
      [4, 3],
      1000,
      90,
    ]]
  ) {
    const network = createNetwork({
      inputs: 3,
      hidden: hidden as number[],
      classes: Number(classes),
      activation: "tanh",
    });
    const samples = randomSamples(Number(batch), network);
    assert.ok(samples.labels.some((label) => label > 255));
    const parameters = freshParameters(network);
    const all = Uint32Array.from({ length: samples.count }, (_, n) => n);
    for (const loss of ["cross-entropy", "squared-error"] as const) {
      for (const h of [1e-4, 0.5]) { // where changes are tiny, and where not
        for (const method of ["differences", "backprop"] as const) {
          const options = engineOptions({ ...network, loss }, samples, samples.count, {
            method,
            h,
            estimator: h === 0.5 ? "five-point" : "central",
          });
          using engine = new GpuEngine(await open(), options);
          using cpu = new CpuEngine(options);
          engine.setParameters(parameters);
          cpu.setParameters(parameters);
          const ours = await engine.gradient(all), reference = await cpu.gradient(all);
          assertClose([ours.loss], [reference.loss], 1e-6);
          assertGradient(
            network,
            ours.gradient,
            reference.gradient,
            method === "backprop" ? 1e-5 : toleranceOf(network.classes),
          );
        }
      }
    }
  }
});

gpuTest("classes: more than a device's loops allow are refused", async (open) => {
  const gpu = await open();
  const network = createNetwork({ inputs: 2, hidden: [], classes: MAX_CLASSES });
  const make = (count: number, of: Network, estimator: EstimatorName = "central") =>
    new GpuEngine(gpu, engineOptions(of, randomSamples(count, of), count, { estimator }));
  if (gpu.loopTurns === Infinity) return make(2, network)[Symbol.dispose]();
  const refused = /^RangeError: Cannot tell \d+ classes apart on .*, or --backend cpu$/;
  assert.throws(() => make(2, network), refused);
  // A thread of a random direction's slope takes several samples.
  const fewer = createNetwork({ inputs: 2, hidden: [], classes: 1000 });
  assert.throws(() => make(3000, fewer, "spsa"), refused);
  make(900, fewer, "spsa")[Symbol.dispose]();
});

Deno.test("classes: more than 65,536 are refused, and labels that a network does not know", () => {
  assert.throws(
    () => createNetwork({ inputs: 1, hidden: [], classes: MAX_CLASSES + 1 }),
    /^RangeError: Cannot tell 65537 classes apart: at most 65536/,
  );
  const network = createNetwork({ inputs: 2, hidden: [], classes: 300 });
  assert.throws(
    () => new CpuEngine(engineOptions(network, samplesOf(5, 300), 2)),
    /^RangeError: Cannot use label 300 of sample 1: the network tells 300 classes apart/,
  );
});

Deno.test("classes: IDX labels of 16 and 32 bits", async () => {
  const images = (count: number) =>
    writeIdx({ shape: [count, 1, 2], data: new Uint8Array(2 * count) });
  const named = (bytes: Uint8Array, name = "file") => ({ name, bytes });
  const of = (trainLabels: Uint8Array) =>
    idxDataSet({
      trainImages: named(images(700)),
      trainLabels: named(trainLabels, "labels"),
      testImages: named(images(2)),
      testLabels: named(writeIdx({ shape: [2], data: Int16Array.of(256, 699) })),
    }, "many");
  for (const Numbers of [Int16Array, Int32Array]) {
    const bytes = writeIdx({ shape: [700], data: new Numbers(700).map((_, i) => i) });
    assert.deepEqual([...(await parseIdx(named(bytes))).data.subarray(0, 300)].at(-1), 299);
    const data = await of(bytes);
    assert.equal(data.classes, 700);
    assert.deepEqual([...data.train.labels.subarray(255, 258)], [255, 256, 257]);
    assert.deepEqual([...data.test.labels], [256, 699]);
    const chosen = selectSamples(data.train, Uint32Array.of(600, 1));
    assert.deepEqual([...chosen.labels], [600, 1]);
  }
  const bad = (label: number) =>
    writeIdx({ shape: [700], data: Int32Array.from({ length: 700 }, () => label) });
  await assert.rejects(of(bad(-1)), /Cannot use labels: label -1 of sample 0 is out of range/);
  await assert.rejects(of(bad(65536)), /label 65536 of sample 0 is out of range; .* to 65535/);
  const wide = writeIdx({ shape: [1, 1], data: Int16Array.of(1) });
  await assert.rejects(
    idxDataSet({
      trainImages: named(wide),
      trainLabels: named(wide),
      testImages: named(wide),
      testLabels: named(wide),
    }, "wide"),
    /its values are whole numbers of 16 bits/,
  );
});

/** A batch of a network with many classes, its labels as numbers or as one-hot rows. */
function batchOf(classes: number, oneHot: boolean): Tensors {
  const labels = [5, 256, classes - 1], random = new Xoshiro(4);
  const rows = new Float64Array(3 * classes);
  labels.forEach((label, n) => rows[n * classes + label] = 1);
  return new Map([
    ["x", { shape: [3, 4], data: Float64Array.from({ length: 12 }, () => random.normal()) }],
    [
      "t",
      oneHot
        ? { shape: [3, classes], data: rows }
        : { shape: [3], data: Float64Array.from(labels) },
    ],
  ]);
}

Deno.test("classes: batches with labels and with one-hot rows", () => {
  for (const oneHot of [false, true]) {
    for (const classes of [300, 65536]) {
      const network = createNetwork({ inputs: 4, hidden: [], classes });
      const { labels } = batchIn(batchOf(classes, oneHot), "numpy", network);
      assert.deepEqual([...labels], [5, 256, classes - 1]);
    }
  }
});

Deno.test("classes: gradient: right gradients of 1,000 classes are called right", async () => {
  const network = createNetwork({ inputs: 4, hidden: [3], classes: 1000, epsilon: 0 });
  const parameters = freshParameters(network);
  await inFolder(async (folder) => {
    for (const [ending, oneHot] of [["h5", false], ["safetensors", true]] as const) {
      const batch = batchOf(1000, oneHot);
      const samples = batchIn(batch, "numpy", network);
      using cpu = new CpuEngine(engineOptions(network, samples, 3, { method: "backprop" }));
      cpu.setParameters(parameters);
      const { gradient } = await cpu.gradient(Uint32Array.of(0, 1, 2));
      const logits = await cpu.logits(samples); // [3, 1000]
      const losses = [5, 256, 999].map((label, n) => {
        const row = logits.subarray(1000 * n, 1000 * (n + 1));
        return Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - row[label];
      });
      const loss = losses.reduce((a, b) => a + b) / 3;
      const theirs = [...asTensors(network, gradient, "numpy")]
        .map(([name, tensor]) => [`GB${name}`, tensor] as const);
      const input = `${folder}/in.${ending}`;
      const tensors = [...asTensors(network, parameters, "numpy"), ...batch, ...theirs];
      await Deno.writeFile(input, await writeTensors(new Map(tensors), input));
      for (const backend of ["auto", "cpu"]) {
        const { code, stdout, stderr } = await cli(
          ...["gradient", "--input", input, "--epsilon", "0", "--backend", backend, "--json"],
        );
        assert.equal(code, 0, stdout + stderr);
        assertClose([JSON.parse(stdout).loss], [loss], 1e-6);
      }
    }
  });
});

Deno.test("classes: train and evaluate with 300, from a folder of IDX files", async () => {
  await inFolder(async (folder) => {
    const random = new Xoshiro(1), classes = 300;
    for (const [part, count] of [["train", 600], ["t10k", 300]] as const) {
      const labels = Int16Array.from({ length: count }, (_, n) => n % classes);
      // A pixel for the class's tens and one for its units tell it.
      const data = new Uint8Array(count * 40);
      labels.forEach((label, n) => {
        data[40 * n + Math.floor(label / 10)] = 200 + 50 * random.uniform();
        data[40 * n + 30 + label % 10] = 200 + 50 * random.uniform();
      });
      const write = (name: string, shape: number[], data: Uint8Array | Int16Array) =>
        Deno.writeFile(`${folder}/${part}-${name}-ubyte`, writeIdx({ shape, data }));
      await write("images-idx3", [count, 4, 10], data);
      await write("labels-idx1", [count], labels);
    }
    const save = `${folder}/run.h5`;
    const trained = await cli(
      ...["train", "--data", folder, "--hidden", "none", "--optimizer", "adam", "--lr", "0.05"],
      ...["--steps", "150", "--save", save, "--json"],
    );
    assert.equal(trained.code, 0, trained.stderr);
    const { accuracy } = JSON.parse(trained.stdout);
    assert.ok(accuracy > 0.9, `accuracy ${accuracy}`); // with labels that wrap, at most 256 of 300
    for (const backend of ["auto", "cpu"]) {
      const { code, stdout, stderr } = await cli(
        ...["evaluate", "--weights", save, "--data", folder, "--backend", backend, "--json"],
      );
      assert.equal(code, 0, stderr);
      assert.equal(JSON.parse(stdout).accuracy, accuracy);
    }
  });
});
