/** Units with steps from the command line: settings that train, and warnings of those that do not. */

import assert from "node:assert/strict";
import { createNetwork } from "../src/core/network.ts";
import { nextSample, Xoshiro } from "../src/core/random.ts";
import { withValidation } from "../src/data/samples.ts";
import { drawDigits } from "../src/data/digits.ts";
import { flipNotice } from "../src/method/flips.ts";
import { all, cli, engineOptions, randomSamples } from "./support.ts";

const TRAIN = ["train", "--data", "digits", "--steps", "200"];

Deno.test("networks with steps train with nothing said, and the first line says with what", async () => {
  for (const network of ["dense 20, step", "dense 20, round 4", "dense 20, sign, dense 20, step"]) {
    const { code, stdout, stderr } = await cli(...TRAIN, "--network", network);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /with h = 1 at the learning rate 0\.5 on/);
    assert.doesNotMatch(stdout, /Note:/);
    const accuracy = Number(/test accuracy ([\d.]+)%/.exec(stdout)![1]);
    assert.ok(accuracy > 80, `${network}: ${accuracy}`); // all reach some 92
  }
  const adam = await cli(...TRAIN, "--activation", "step", "--optimizer", "adam", "--plan");
  assert.equal(adam.code, 0);
});

Deno.test("an h that flips next to nothing is warned of, with one that does", async () => {
  const small = [...TRAIN.slice(0, -1), "1", "--activation", "step", "--h", "1e-4"];
  const { stdout } = await cli(...small);
  const note =
    /Note: With h = 0\.0001 nudges flip (\d+) of 5,000 units of dense 1: .* give a larger h: (\S+) /
      .exec(stdout)!;
  assert.ok(note, stdout);
  assert.ok(Number(note[1]) < 50);
  const other = await cli(...small.slice(0, -1), note[2]);
  assert.doesNotMatch(other.stdout, /Note:/);
  const backprop = await cli(...small, "--engine", "backprop");
  assert.doesNotMatch(backprop.stdout, /Note:/);
});

Deno.test("which units nudges flip, by hand", () => {
  // z = x W: 0.5 times 1 and -3; the largest value is 1, of the constant, so that h is to be 0.5 and 1.5.
  const network = createNetwork({ inputs: 1, hidden: [2], classes: 2, activation: "step" });
  const samples = { count: 1, inputs: 1, x: Float32Array.of(0.5), labels: Uint8Array.of(0) };
  const parameters = Float64Array.of(1, -3, 0, 0, 0, 0, 0, 0, 0, 0);
  const at = (h: number) =>
    flipNotice(engineOptions(network, samples, 1, { h }), parameters, Uint32Array.of(0));
  assert.match(at(0.49)!, /flip 0 of 2 units of dense 1: 1 to 2, step.* h: 2 flips half/);
  assert.equal(at(0.5), undefined);
  const smooth = createNetwork({ inputs: 1, hidden: [2], classes: 2 });
  const options = engineOptions(smooth, randomSamples(1, smooth), 1, { h: 1e-9 });
  assert.equal(flipNotice(options, parameters, all(1)), undefined);
});

Deno.test("the next sample is left undrawn", () => {
  const random = new Xoshiro(5);
  random.normal();
  const next = nextSample(random, 100, 7);
  assert.deepEqual(random.sample(100, 7), next);
});

Deno.test("a validation split holds out the last training samples", () => {
  const data = drawDigits({ seed: 1, train: 30, test: 5 });
  const { train, test } = withValidation(data, 10);
  assert.deepEqual([train.count, test.count], [20, 10]);
  assert.deepEqual(test.labels, data.train.labels.slice(20));
  assert.deepEqual(test.x, (data.train.x as Uint8Array).slice(20 * 784));
  assert.deepEqual(train.x, (data.train.x as Uint8Array).slice(0, 20 * 784));
  for (const held of [0, -1, 30, 1.5, NaN]) {
    assert.throws(() => withValidation(data, held), /^RangeError: Cannot hold out .* from 1 to 29/);
  }
});

Deno.test("train --validation: what it says, saves and refuses", async () => {
  const folder = await Deno.makeTempDir(), file = `${folder}/run.h5`;
  const base = ["train", "--data", "digits", "--hidden", "4", "--backend", "cpu", "--batch", "5"];
  const run = await cli(...base, "--validation", "500", "--steps", "2", "--save", file);
  assert.match(run.stdout, /\(9,500 samples\)/);
  assert.match(run.stdout, /validation accuracy/);
  const more = await cli("train", "--resume", file, "--steps", "3", "--backend", "cpu", "--json");
  assert.equal(JSON.parse(more.stdout).validation, 500, more.stderr);
  const other = await cli("train", "--resume", file, "--steps", "3", "--validation", "400");
  assert.equal(other.code, 2);
  assert.match(other.stderr, /it has --validation 500, and 400 was given/);
  await Deno.remove(folder, { recursive: true });
  const { code, stderr } = await cli(...base, "--validation", "10000", "--steps", "1");
  assert.equal(code, 2);
  assert.match(stderr, /^Cannot hold out 10000 samples for validation/);
});
