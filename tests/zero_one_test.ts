import assert from "node:assert/strict";
import { connect, createNetwork, parseNodes } from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import { losses } from "../src/operations/registry.ts";
import {
  all,
  assertClose,
  engineOptions,
  freshParameters,
  gpuTest,
  gradientOn,
  gradientOnCpu,
  randomSamples,
} from "./support.ts";

const { value, changes, changesOfOne, residuals } = losses["zero-one"];

Deno.test("zero-one: value and changes are those of the first largest logit, ties included", () => {
  const random = new Xoshiro(1), classes = 4;
  const wrong = (logits: Float64Array, target: number) =>
    logits.indexOf(Math.max(...logits)) === target ? 0 : 1;
  // Small whole numbers, so that there are ties before and behind, and no sum is rounded.
  const whole = () =>
    Float64Array.from({ length: classes }, () => Math.floor(3 * random.uniform()));
  let ties = 0, changed = 0;
  for (let trial = 0; trial < 3000; trial++) {
    const logits = whole(), d = whole().map((x) => x - 1), target = trial % classes;
    const row = new Float64Array(residuals(classes));
    assert.equal(value(logits, target, 0, row, 0), wrong(logits, target), `${logits} ${target}`);
    const change = new Float64Array(2), lengths = Float64Array.of(1, -2);
    changes(row, 0, target, d, lengths, change);
    const after = (move: (x: number, k: number) => number) =>
      wrong(logits.map(move), target) - wrong(logits, target);
    assert.deepEqual([...change], [...lengths].map((l) => after((x, k) => x + l * d[k])));
    for (let k = 0; k < classes; k++) {
      changesOfOne(row, 0, target, classes, k, lengths, change);
      assert.deepEqual([...change], [...lengths].map((l) => after((x, j) => j === k ? x + l : x)));
      if (change[0] !== 0) changed++;
    }
    if (new Set(logits).size < classes) ties++;
  }
  assert.ok(ties > 1000 && changed > 1000);
});

Deno.test("the mean loss is the share of wrong answers", async () => {
  const network = createNetwork({ inputs: 6, hidden: [5], classes: 3, loss: "zero-one" });
  const samples = randomSamples(50, network);
  using engine = new CpuEngine(engineOptions(network, samples, 5));
  engine.setParameters(freshParameters(network));
  const { accuracy, loss } = await engine.evaluate(samples);
  assertClose([loss], [1 - accuracy], 1e-12);
});

const NETWORKS = [
  "none",
  "dense 8, step",
  "dense 8, step, dense 7, sign",
  "dense 8, tanh",
  "dense 8, relu, dense 6, relu",
  "dense 8, sigmoid, dense 7, sigmoid",
  "conv 2x3, relu, maxpool 2, dense 5, step",
];
for (const text of NETWORKS) {
  gpuTest(`zero-one against float64, every method: ${text}`, async (open) => {
    const network = connect({
      inputs: 36,
      inputShape: [1, 6, 6],
      classes: 3,
      nodes: parseNodes(text),
      loss: "zero-one",
    });
    const parameters = freshParameters(network), samples = randomSamples(20, network);
    for (const [estimator, h] of [["central", 1], ["smoothed", 0.5], ["central", 1e-5]] as const) {
      const options = engineOptions(network, samples, 20, { estimator, h });
      const copies = await gradientOnCpu({ ...options, method: "copies" }, parameters);
      const expected = await gradientOnCpu(options, parameters);
      assertClose(expected, copies, 0, 1e-9 / h);
      if (h > 0.1) assert.ok(expected.some((value) => value !== 0));
      for (const method of ["differences", "copies"] as const) {
        using gpu = await open();
        const actual = await gradientOn(gpu, { ...options, method }, parameters);
        // Sums of whole numbers times coefficients; of 20 samples, 1 or -1 each.
        assertClose(actual, expected, 0, 1e-5 / h);
      }
    }
    using gpu = await open();
    const backprop = engineOptions(network, samples, 20, { method: "backprop" });
    assert.ok((await gradientOn(gpu, backprop, parameters)).every((value) => value === 0));
    using engine = new GpuEngine(gpu, backprop);
    engine.setParameters(parameters);
    using cpu = new CpuEngine(backprop);
    cpu.setParameters(parameters);
    const [ours, theirs] = [await engine.evaluate(samples), await cpu.evaluate(samples)];
    assert.equal(ours.accuracy, theirs.accuracy);
    assertClose([ours.loss, theirs.loss], [1 - ours.accuracy, 1 - ours.accuracy], 1e-6);
    assertClose([(await engine.gradient(all(20))).loss], [theirs.loss], 1e-6);
  });
}
