/** Checks from files: values inside by any name, tensors as they lie there, parts of them, kinks. */

import assert from "node:assert/strict";
import { connect, createNetwork, parseNodes } from "../src/core/network.ts";
import { onnxOf } from "../src/data/onnx_writer.ts";
import { readOnnx } from "../src/data/onnx.ts";
import { networkOfOnnx } from "../src/data/onnx_network.ts";
import { type Tensors, writeTensors } from "../src/data/tensors.ts";
import { asTensors, type Naming } from "../src/data/weights.ts";
import { checkGradients } from "../src/method/check_gradients.ts";
import { placesByName, placesOfNodes, shapeOfValue } from "../src/method/values.ts";
import { foreignGradient, type Habits } from "./foreign.ts";
import { cli, freshParameters, inFolder, randomNetwork, randomSamples } from "./support.ts";

const BATCH = 5;
const network = connect({
  inputs: 72,
  inputShape: [2, 6, 6],
  classes: 3,
  nodes: parseNodes("conv 3x3, relu, maxpool 2, dense 5, tanh, dense 5, sigmoid"),
  epsilon: 0,
});
const NODES = "conv 3x3, relu, maxpool 2, dense 5, tanh, dense 5, sigmoid";
const parameters = freshParameters(network), samples = randomSamples(BATCH, network);

/** As PyTorch names them: dense weights are [outputs, inputs]. */
const names = new Map(
  ["conv1", "fc1", "fc2", "fc3"].flatMap((module, l): [string, Naming][] => {
    const shapes = [[3, 2, 3, 3], [5, 12], [5, 5], [3, 5]][l];
    return [
      [`W${l + 1}`, { name: `${module}.weight`, shape: shapes, turned: l > 0 }],
      [`b${l + 1}`, { name: `${module}.bias`, shape: [shapes[0]], turned: false }],
    ];
  }),
);

/** A file of weights, a batch, and a backward pass with some habits: parameters' and values' gradients. */
function fileOf(habits: Habits, values: readonly string[], change = (_: Tensors) => {}): Tensors {
  const { gradient, ...inside } = foreignGradient(network, parameters, samples, habits);
  const places = placesByName(network);
  const theirs = asTensors(network, gradient, "numpy", undefined, names);
  const tensors: Tensors = new Map([
    ...asTensors(network, parameters, "numpy", undefined, names),
    ["x", { shape: [BATCH, 2, 6, 6], data: Float64Array.from(samples.x) }],
    ["t", { shape: [BATCH], data: Float64Array.from(samples.labels) }],
    ...[...theirs].map(([name, tensor]) => [`${name}.grad`, tensor] as const),
    ...values.map((name) => {
      const place = places.get(name)!;
      const data = inside[place.side][place.layer];
      return [`d.${name}`, { shape: shapeOfValue(network, place, BATCH), data }] as const;
    }),
  ]);
  change(tensors);
  return tensors;
}

/** Checks a file: the exit code and the report. */
async function checked(folder: string, tensors: Tensors, ...more: string[]) {
  const file = `${folder}/in.safetensors`;
  await Deno.writeFile(file, await writeTensors(tensors, file));
  const args = ["gradient", "--input", file, "--epsilon", "0"];
  const { code, stdout, stderr } = await cli(...args, ...more, "--json");
  assert.ok(code < 2, stderr);
  return { code, ...JSON.parse(stdout), stderr };
}

const NETWORK = ["--network", NODES];
const row = (report: { tensors: { name: string }[] }, name: string) =>
  report.tensors.find((tensor) => tensor.name === name) as any;

Deno.test("gradients by values inside are held against differences, and the fault is named", async () => {
  await inFolder(async (folder) => {
    const all = ["z1", "a1", "maxpool 1", "z2", "a2", "z3", "dense 3", "logits"];
    const right = await checked(folder, fileOf({}, all), ...NETWORK);
    assert.equal(right.code, 0, JSON.stringify(right));
    // From the data to the loss; "dense 3" is the last layer, as "logits" is.
    assert.deepEqual(right.values.map(({ name }: { name: string }) => name), [
      "d.z1",
      "d.a1",
      "d.maxpool 1",
      "d.z2",
      "d.a2",
      "d.z3",
      "d.dense 3",
      "d.logits",
    ]);
    const wrong = await checked(
      folder,
      fileOf({ mistake: "matrix untransposed", at: 3 }, all),
      ...NETWORK,
    );
    assert.equal(wrong.code, 1);
    const [first, second] = wrong.diagnoses;
    assert.match(
      first.text,
      /wrong at dense 2: 5 to 5, sigmoid: d\.a2 is off, and d\.z3, which is/,
    );
    assert.match(second.text, /dense 2: .* not through its transpose/);
    assert.deepEqual(
      [first.operation, second.operation],
      Array(2).fill("dense 2: 5 to 5, sigmoid"),
    );
    // Nothing but values.
    const alone = fileOf({}, ["a1"], (tensors) => {
      for (const name of [...tensors.keys()]) if (name.endsWith(".grad")) tensors.delete(name);
      tensors.get("d.a1")!.data[7] += 1;
    });
    const only = await checked(folder, alone, ...NETWORK);
    assert.deepEqual([only.code, only.tensors.length, only.values[0].verdict], [1, 0, "off"]);
    assert.deepEqual(only.values[0].at, [0, 0, 1, 3]);
    // A name that is none is said, and one of another length refused.
    const strange = fileOf(
      {},
      [],
      (t) => t.set("d.nothing", { shape: [1], data: Float64Array.of(1) }),
    );
    assert.match((await checked(folder, strange, ...NETWORK)).stderr, /no value nothing, but .*z1/);
    const short = fileOf({}, [], (t) => t.set("d.z1", { shape: [1], data: Float64Array.of(1) }));
    const file = `${folder}/in.safetensors`;
    await Deno.writeFile(file, await writeTensors(short, file));
    const { code, stderr } = await cli("gradient", "--input", file, ...NETWORK);
    assert.equal(code, 2);
    assert.match(stderr, /^Cannot check d\.z1: it is 1 where z1 is 5x3x4x4; give it/m);
  });
});

Deno.test("values are called as an ONNX file calls its tensors", async () => {
  const bytes = onnxOf(network, parameters, "m.onnx", { names });
  const model = readOnnx(bytes, "m.onnx"), read = networkOfOnnx(model, "m.onnx");
  const { values } = read,
    places = placesOfNodes(read.network),
    pass = foreignGradient(network, parameters, samples);
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/m.onnx`, bytes);
    const tensors = fileOf({}, [], (tensors) => {
      for (const [name, node] of values) {
        const place = places[node];
        tensors.set(`d.${name}`, {
          shape: shapeOfValue(network, place, BATCH),
          data: pass[place.side][place.layer],
        });
      }
    });
    const right = await checked(folder, tensors, "--model", `${folder}/m.onnx`);
    assert.equal(right.code, 0, JSON.stringify(right.values));
    assert.ok(right.values.length >= 7, `${[...values.keys()]}`);
    assert.equal(right.values.length, values.size);
  });
});

Deno.test("what each node of a network gives, in networks that join, too", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const network = randomNetwork(seed, { size: 9 }), places = placesOfNodes(network);
    assert.equal(places.length, network.nodes.length + 1);
    for (const [i, { operation }] of network.nodes.entries()) {
      const { layer, side } = places[i], { kind, activation } = network.layers[layer];
      if (operation === "dense") assert.deepEqual([kind, side], ["dense", "inputs"], `${seed}`);
      else if (operation === "add") assert.deepEqual([kind, side], ["sum", "inputs"], `${seed}`);
      else assert.deepEqual([activation, side], [operation, "values"], `${seed}, ${i}`);
    }
    assert.equal(places.at(-1)!.layer, network.layers.length - 1);
    // Every layer is some node's.
    assert.equal(new Set(places.map(({ layer }) => layer)).size, network.layers.length, `${seed}`);
  }
});

Deno.test("what is off is said as the file has it, and a layout of its own is no mistake", async () => {
  await inFolder(async (folder) => {
    const right = await checked(folder, fileOf({}, []), ...NETWORK);
    assert.equal(right.code, 0, JSON.stringify(right));
    assert.deepEqual(
      [row(right, "fc1.weight.grad").shape, row(right, "conv1.weight.grad").checked],
      [
        [5, 12],
        54,
      ],
    );
    for (const { verdict } of right.tensors) assert.notEqual(verdict, "off");
    const one = fileOf({}, [], (t) => t.get("fc1.weight.grad")!.data[2 * 12 + 7] += 1);
    const off = row(await checked(folder, one, ...NETWORK), "fc1.weight.grad");
    assert.deepEqual([off.verdict, off.wrong, off.at, off.worst.at], ["off", 1, [2, 7], [2, 7]]);
    assert.ok(Math.abs(off.worst.theirs - off.worst.ours - 1) < 1e-4);
    // Shifted along the file's axis 1, our axis 0; transposed against the file's own layout.
    const shifted = fileOf({}, [], (tensors) => {
      const { data } = tensors.get("fc1.weight.grad")!, before = data.slice();
      data.forEach((_, i) => data[i] = before[i - i % 12 + (i % 12 + 11) % 12]);
    });
    const [said] = (await checked(folder, shifted, ...NETWORK)).diagnoses;
    assert.equal(said.text, "It is shifted by 1 along axis 1.");
    const transposed = fileOf({}, [], (tensors) => {
      const { data } = tensors.get("fc2.weight.grad")!, before = data.slice();
      data.forEach((_, i) => data[i] = before[i % 5 * 5 + Math.floor(i / 5)]);
    });
    const [turned] = (await checked(folder, transposed, ...NETWORK)).diagnoses;
    assert.deepEqual([turned.tensors, turned.text], [["fc2.weight.grad"], "It is transposed."]);
  });
});

Deno.test("the command checks a part, by number and by time, and says what that leaves", async () => {
  await inFolder(async (folder) => {
    const part = await checked(folder, fileOf({}, []), ...NETWORK, "--elements", "40");
    assert.equal(part.code, 0, part.stderr);
    const checks = part.tensors.map(({ checked }: { checked: number }) => checked);
    assert.equal(checks.reduce((sum: number, count: number) => sum + count), 40);
    const { missed, directions } = row(part, "fc1.weight.grad");
    assert.ok(missed["1"] > 0.5 && missed["100"] === 0 && directions.count === 4);
    const all = await checked(folder, fileOf({}, []), ...NETWORK, "--budget", "60");
    assert.deepEqual(row(all, "fc1.weight.grad").missed, { 1: 0, 10: 0, 100: 0 });
    const { code, stderr } = await cli(
      ...["gradient", "--input", `${folder}/in.safetensors`, ...NETWORK, "--elements", "-1"],
    );
    assert.equal(code, 2);
    assert.match(stderr, /^Cannot check -1 elements: give a whole number from 1$/m);
  });
});

Deno.test("a nudge across a kink is reported with the slopes on both sides, and both are right", async () => {
  const network = createNetwork({
    inputs: 1,
    hidden: [2],
    classes: 2,
    activation: "relu",
    epsilon: 0,
  });
  // The first unit's input is 5e-7 for x = 1: within a nudge of 1e-6 of its kink, the second's is not.
  const parameters = Float64Array.of(1, 1, -1 + 5e-7, 1, 1, -1, 0.5, 0.25, 0, 0);
  const check = (slope: number) => {
    const p = 1 / (1 + Math.exp(-(1 * 5e-7 + 2 * 0.5 - (-1 * 5e-7 + 2 * 0.25))));
    const error = [p - 1, 1 - p]; // of label 0
    const back = error[0] * 1 + error[1] * -1, other = error[0] * 0.5 + error[1] * 0.25;
    return checkGradients({
      network,
      parameters,
      inputs: [1],
      targets: [0],
      gradients: { W1: [slope * back, other] },
    });
  };
  const [left, right, between, beyond, below] = await Promise.all(
    [0.5, 1, 0.7, 1.1, 0.3].map(check),
  );
  for (const report of [left, right, between]) {
    assert.ok(report.ok, report.text());
    const [{ kinks, verdict, worst }] = report.tensors;
    assert.deepEqual([kinks, verdict], [1, "kinks"]);
    assert.ok(worst!.kinks === 0 || worst!.left !== worst!.right);
  }
  for (const report of [beyond, below]) {
    assert.ok(!report.ok);
    const [{ worst, verdict }] = report.tensors;
    assert.equal(verdict, "off");
    // f falls by `back` for each unit above the kink, half a nudge of which is below it, and not below.
    const most = Math.abs(worst!.right), part = Math.abs(worst!.left) / most;
    assert.ok(Math.abs(part - 0.5) < 1e-5, `${part}`);
    assert.match(report.text(), /to the left, .* to the right; 1 samples at a kink/);
  }
});

Deno.test("behind steps 0 is right, also where a nudge takes one; a surrogate's gradient is off", async () => {
  const network = createNetwork({
    inputs: 3,
    hidden: [4],
    classes: 2,
    activation: "step",
    epsilon: 0,
  });
  const weights = freshParameters(network), batch = randomSamples(6, network);
  // Unit 0 stands so near to its step on sample 0 that a nudge of 1e-6 takes it.
  const [z] = [0, 1, 2].map((i) => batch.x[i] * weights[i * 4]);
  const sum = [1, 2].reduce((sum, i) => sum + batch.x[i] * weights[i * 4], z);
  weights[12] = 3e-7 - sum;
  const right = { W1: new Float64Array(12), b1: new Float64Array(4) };
  const check = (gradients: Record<string, ArrayLike<number>>) =>
    checkGradients({
      network,
      parameters: weights,
      inputs: batch.x,
      targets: batch.labels,
      gradients,
    });
  const report = await check(right);
  assert.ok(report.ok, report.text());
  assert.ok(report.tensors[1].kinks > 0 && report.tensors[1].maxAbsDifference > 1e3);
  assert.match(report.text(), /Note: some units have steps\..* at h = 0\.000001: nudges so short/);
  const surrogate = await check({ b1: [0.1, -0.2, 0.3, 0.1] });
  assert.equal(surrogate.tensors[0].verdict, "off");
});

Deno.test("checkGradients takes arrays and records, names what does not fit, and throws its report", async () => {
  const network = createNetwork({ inputs: 6, hidden: [4], classes: 3, epsilon: 0 });
  const weights = freshParameters(network), batch = randomSamples(4, network);
  const { gradient } = foreignGradient(network, weights, batch);
  const record = (vector: Float64Array) =>
    Object.fromEntries([...asTensors(network, vector, "numpy")].map(([n, { data }]) => [n, data]));
  const given = {
    network,
    parameters: record(weights),
    inputs: batch.x,
    targets: batch.labels,
    gradients: record(gradient),
  };
  const report = await checkGradients(given);
  assert.ok(report.ok, report.text());
  report.assertRight();
  assert.match(report.text(), /Every gradient is within 0\.001\.$/);
  const oneHot = [...batch.labels].flatMap((label) => [0, 1, 2].map((k) => k === label ? 1 : 0));
  const same = await checkGradients({ ...given, parameters: weights, targets: oneHot });
  assert.deepEqual(same.tensors, report.tensors);
  const wrong = await checkGradients({
    ...given,
    gradients: { W2: given.gradients.W2.map((value) => 2 * value) },
  });
  assert.throws(() => wrong.assertRight(), /W2: It is 2 times what it should be/);
  for (
    const [change, message] of [
      [{ gradients: { W9: [1] } }, /gradient W9: the network has W1, b1, W2, b2; name it/],
      [{ gradients: { b1: [1] } }, /gradient b1: it has 1 values, and the tensor 4/],
      [{ parameters: [1, 2] }, /Cannot use 2 parameters: the network has 43/],
      [{ parameters: { W1: given.parameters.W1 } }, /there is no parameter b1/],
      [{ inputs: [1, 2] }, /inputs of 2 values: a sample has 6/],
      [{ targets: [0, 1, 2, 3] }, /t\[3\] is 3: a label is/],
      [{ network: undefined }, /of nothing: give a network, or onnx/],
      [{ values: { z7: [1] } }, /by z7: there is no such value, but .*z1, a1/],
    ] as const
  ) {
    await assert.rejects(checkGradients({ ...given, ...change } as typeof given), message);
  }
  // The same from an ONNX file, whose names and layout are PyTorch's.
  const names = new Map<string, Naming>([
    ["W1", { name: "in.weight", shape: [4, 6], turned: true }],
    ["b1", { name: "in.bias", shape: [4], turned: false }],
  ]);
  const onnx = onnxOf(network, weights, "m.onnx", {
    names: new Map([
      ...names,
      ["W2", { name: "W2", shape: [4, 3], turned: false }],
      ["b2", { name: "b2", shape: [3], turned: false }],
    ]),
  });
  const theirs = asTensors(
    network,
    gradient,
    "numpy",
    undefined,
    new Map([
      ...names,
      ["W2", { name: "W2", shape: [4, 3], turned: false }],
      ["b2", { name: "b2", shape: [3], turned: false }],
    ]),
  );
  const fromFile = await checkGradients({
    onnx,
    inputs: batch.x,
    targets: batch.labels,
    gradients: Object.fromEntries(theirs),
  });
  assert.ok(fromFile.ok, fromFile.text());
  assert.deepEqual(fromFile.tensors[0].shape, [4, 6]);
});
