import assert from "node:assert/strict";
import { initialParameters } from "../src/core/initialization.ts";
import { createNetwork } from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { readTensors, type Tensors, writeTensors } from "../src/data/tensors.ts";
import { asTensors, batchIn, inLayout, type Layout, weightsIn } from "../src/data/weights.ts";
import {
  assertClose,
  cli,
  engineOptions,
  hasMnist,
  hasTutorialWeights,
  inFolder,
  MNIST,
  TUTORIAL_WEIGHTS,
  writeDigits,
} from "./support.ts";
import { h5py, PYTHON, python } from "./tools.ts";

const vector = (...data: number[]) => ({ shape: [data.length], data: Float64Array.from(data) });
const network = createNetwork({ inputs: 6, hidden: [5, 4], classes: 3 });
const parameters = initialParameters(network, 1, new Xoshiro(1)).map((w, i) => w || i / 100);

/** A batch for the network, as one layout stores it. */
function batch(layout: Layout): [string, Tensors extends Map<string, infer T> ? T : never][] {
  const random = new Xoshiro(2), x = Float64Array.from({ length: 4 * 6 }, () => random.normal());
  const turned = x.map((_, i) => x[(i % 4) * 6 + Math.floor(i / 4)]);
  return [
    ["x", layout === "numpy" ? { shape: [4, 6], data: x } : { shape: [6, 4], data: turned }],
    ["t", vector(0, 2, 1, 2)],
  ];
}

Deno.test("weights: both layouts, read by their shapes, are one network", () => {
  for (const layout of ["numpy", "r"] as const) {
    const tensors = asTensors(network, parameters, layout);
    assert.deepEqual(tensors.get("W1")!.shape, layout === "numpy" ? [6, 5] : [5, 6]);
    const found = inLayout("a.h5", undefined, (layout) => weightsIn(tensors, layout));
    assert.equal(found.layout, layout);
    assert.deepEqual(found.value.widths, [6, 5, 4, 3]);
    assert.deepEqual(found.value.parameters, parameters);
    const samples = batchIn(new Map(batch(layout)), layout, network);
    assert.deepEqual(samples.x, batch("numpy")[0][1].data);
    assert.deepEqual([...samples.labels], [0, 2, 1, 2]);
  }
  const { W1, b1 } = Object.fromEntries(asTensors(network, parameters, "numpy"));
  for (const shape of [[5], [1, 5], [5, 1]]) {
    const tensors = new Map([["W1", W1], ["b1", { ...b1, shape }]]);
    assert.deepEqual(weightsIn(tensors, "numpy").widths, [6, 5]);
  }
});

Deno.test("weights: what does not fit is refused, naming the file and the tensor", () => {
  const whole = asTensors(network, parameters, "numpy");
  const attempt = (changes: Record<string, unknown>, layout?: Layout) => () => {
    const tensors = new Map(whole);
    for (const [name, tensor] of Object.entries(changes)) {
      if (tensor) tensors.set(name, tensor as ReturnType<typeof vector>);
      else tensors.delete(name);
    }
    return inLayout("a.h5", layout, (layout) => weightsIn(tensors, layout));
  };
  const matrix = (...shape: number[]) => ({
    shape,
    data: new Float64Array(shape.reduce((a, b) => a * b)),
  });
  const cases: [RegExp, ReturnType<typeof attempt>][] = [
    [/Cannot use a\.h5: it has no b2$/, attempt({ b2: undefined })],
    [/it has no W1$/, attempt({ W1: undefined })],
    [/it has no W2$/, attempt({ W2: undefined })],
    [/W2 takes 7 values where W1 gives 5/, attempt({ W2: matrix(7, 4) }, "numpy")],
    [/as NumPy orders.*b1 has 6.*as R does/, attempt({ b1: matrix(6), W1: matrix(7, 5) })],
    [/b3 \[3,3\] is no vector/, attempt({ b3: matrix(3, 3) }, "numpy")],
    [/W3 \[12\] is no matrix/, attempt({ W3: matrix(12) })],
    [
      /Cannot tell how a\.h5 holds .* --layout/,
      attempt({
        W1: matrix(4, 4),
        b1: matrix(4),
        W2: matrix(4, 4),
        W3: matrix(4, 4),
        b3: matrix(4),
      }),
    ],
  ];
  for (const [message, run] of cases) assert.throws(run, { name: "TypeError", message });
});

Deno.test("evaluate: the tutorial's weights read 0.7886 of MNIST on either backend", async () => {
  if (!hasMnist() || !hasTutorialWeights()) return;
  for (const backend of ["auto", "cpu"]) {
    const { code, stdout, stderr } = await cli(
      ...[
        "evaluate",
        "--weights",
        TUTORIAL_WEIGHTS,
        "--data",
        MNIST,
        "--backend",
        backend,
        "--json",
      ],
    );
    assert.equal(code, 0, stderr);
    const { accuracy, samples } = JSON.parse(stdout);
    assert.deepEqual([accuracy, samples], [0.7886, 10000]);
  }
});

const RUN = ["--data", "digits", "--hidden", "8", "--batch", "10", "--eval-every", "20"];

Deno.test("a run that is saved and gone on with is the run that never stopped", async () => {
  await inFolder(async (folder) => {
    const losses = async (file: string) =>
      (await readTensors(await Deno.readFile(file), file)).get("losslist")!.data;
    const run = async (...args: string[]) => {
      const { code, stderr } = await cli("train", ...args);
      assert.equal(code, 0, stderr);
    };
    for (
      const [ending, ...options] of [
        ["h5", "--optimizer", "adam", "--lr", "0.01"],
        ["safetensors", "--estimator", "spsa", "--optimizer", "momentum", "--lr", "1e-4"],
        ["h5", "--rng", "r", "--layout", "r", "--activation", "tanh"],
      ]
    ) {
      const file = (name: string) => `${folder}/${name}.${ending}`;
      await run(...RUN, ...options, "--steps", "30", "--save", file("whole"));
      await run(...RUN, ...options, "--steps", "13", "--save", file("part"));
      await run("--resume", file("part"), "--steps", "30", "--save", file("again"));
      const whole = await losses(file("whole"));
      assert.equal(whole.length, 30);
      assert.deepEqual(await losses(file("again")), whole);
      const [a, b] = await Promise.all(["whole", "again"].map((name) => Deno.readFile(file(name))));
      const weights = async (bytes: Uint8Array) =>
        (await readTensors(bytes, "a." + ending)).get("W1")!;
      assert.deepEqual(await weights(b), await weights(a));
    }
    await writeDigits(`${folder}/other`, 9);
    for (
      const [message, ...args] of [
        [/13 steps are taken/, "--resume", `${folder}/part.h5`, "--steps", "10"],
        [/--lr 0.1, and 0.5 was given/, "--resume", `${folder}/part.h5`, "--lr", "0.5"],
        [/--hidden 8, and 9/, "--resume", `${folder}/part.h5`, "--hidden", "9", "--override"],
        [
          /is not the data/,
          "--resume",
          `${folder}/part.h5`,
          "--steps",
          "30",
          "--seed",
          "1",
          "--data",
          `${folder}/other`,
        ],
        [/no such file/, "--resume", `${folder}/none.h5`],
        [/ending names no known format/, "--save", `${folder}/run.txt`],
        [/no such file or folder/, "--save", `${folder}/none/run.h5`],
        [/Cannot write .*log\.jsonl: there is no such/, "--log", `${folder}/none/log.jsonl`],
        [/ends in \.svg/, "--plot", `${folder}/run.png`],
      ] as [RegExp, ...string[]][]
    ) {
      const { code, stderr } = await cli("train", ...args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
    }
  });
});

Deno.test("a saved run opens in h5py, in the layout that was asked for", async () => {
  if (!PYTHON) return;
  await inFolder(async (folder) => {
    for (const [layout, W1, b1] of [["numpy", "784, 8", "8,"], ["r", "8, 784", "8, 1"]]) {
      const file = `${folder}/${layout}.h5`;
      const { code } = await cli(
        "train",
        ...RUN,
        "--steps",
        "3",
        "--layout",
        layout,
        "--save",
        file,
      );
      assert.equal(code, 0);
      const shapes = await python(
        `f = h5py.File(io.BytesIO(sys.stdin.buffer.read()))\n` +
          `print(f["W1"].shape, f["b1"].shape, f["losslist"].size, f["W2"].dtype)`,
        await Deno.readFile(file),
      );
      assert.equal(new TextDecoder().decode(shapes), `(${W1}) (${b1}) 3 float64\n`);
    }
  });
});

Deno.test("gradient: someone's backward pass in NumPy is found right, and wrong where it is", async () => {
  if (!PYTHON) return;
  const program = (wrong: string) => `
rng = np.random.default_rng(0)
x, t = rng.random((20, 7)), rng.integers(0, 3, 20)
W1, b1, W2, b2 = rng.normal(size=(7, 5)), rng.normal(size=5), rng.normal(size=(5, 3)), rng.normal(size=3)
a = 1 / (1 + np.exp(-(x @ W1 + b1)))
y = np.exp(a @ W2 + b2)
y /= y.sum(1, keepdims=True)
d2 = (y - np.eye(3)[t]) / 20
d1 = d2 @ W2.T * a * (1 - a)
g = dict(GBW1=x.T @ d1, GBb1=d1.sum(0), GBW2=a.T @ d2, GBb2=d2.sum(0))
${wrong}
for name, value in dict(W1=W1, b1=b1, W2=W2, b2=b2, x=x, t=t, **g).items(): f[name] = value`;
  await inFolder(async (folder) => {
    const input = `${folder}/in.h5`, out = `${folder}/out.h5`;
    await Deno.writeFile(input, await h5py(program("")));
    // The tutorial's 1e-7 inside the logarithm is not in the NumPy program.
    const right = await cli("gradient", "--input", input, "--out", out, "--epsilon", "0", "--json");
    assert.equal(right.code, 0, right.stderr);
    const { tensors } = JSON.parse(right.stdout);
    assert.deepEqual(tensors.map((t: { name: string }) => t.name), [
      "GBW1",
      "GBb1",
      "GBW2",
      "GBb2",
    ]);
    const theirs = await readTensors(await Deno.readFile(input), input);
    const ours = await readTensors(await Deno.readFile(out), out);
    assert.deepEqual([...ours.keys()].sort(), ["W1", "W2", "b1", "b2"]);
    for (const [name, tensor] of ours) {
      assert.deepEqual(tensor.shape, theirs.get(name)!.shape);
      // float32's rounding; at h = 1e-4 the central difference itself is 1e-8 from the derivative.
      const expected = theirs.get("GB" + name)!.data;
      assertClose(tensor.data, expected, 0, 2e-6 * Math.max(...expected.map(Math.abs)));
    }

    await Deno.writeFile(input, await h5py(program(`g["GBW2"][3, 1] *= 1.1`)));
    const wrong = await cli("gradient", "--input", input);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stdout, /GBW1 .* right\n/);
    assert.match(wrong.stdout, /GBW2 +5x3 .*\[3,1\] +OFF\n/);
    assert.match(wrong.stdout, /Not every gradient is within 0\.001/);

    await Deno.writeFile(
      input,
      await h5py(program(`g = {"my_" + k[2:]: v for k, v in g.items()}`)),
    );
    assert.equal((await cli("gradient", "--input", input, "--check", "my_")).code, 0);
    const nothing = await cli("gradient", "--input", input);
    assert.equal(nothing.code, 2);
    assert.match(nothing.stderr, /give --out FILE/);
  });
});

Deno.test("gradient: R's layout, deep networks, every engine, as the CPU engine has it", async () => {
  const whole = new Map([...asTensors(network, parameters, "r"), ...batch("r")]);
  const samples = batchIn(new Map(batch("numpy")), "numpy", network);
  const options = engineOptions(network, samples, 4, { h: 1e-3 });
  using cpu = new CpuEngine({ ...options, network: { ...network, epsilon: 1e-7 } });
  cpu.setParameters(parameters);
  const expected = asTensors(
    network,
    (await cpu.gradient(Uint32Array.of(0, 1, 2, 3))).gradient,
    "r",
  );
  await inFolder(async (folder) => {
    for (const ending of ["h5", "safetensors"]) {
      // Subtracting losses of 1.3 in float32 leaves an error of an ulp, 1.2e-7, over 2h = 2e-3: 6e-5,
      // against gradients whose largest are from 0.0126 (b1) on: 5e-3 of it. Twice that is allowed.
      for (
        const [engine, tolerance] of [["differences", 2e-6], ["backprop", 1e-5], ["copies", 1e-2]]
      ) {
        const input = `${folder}/in.${ending}`, out = `${folder}/out.${ending}`;
        await Deno.writeFile(input, await writeTensors(whole, input));
        const { code, stderr } = await cli(
          ...["gradient", "--input", input, "--out", out, "--h", "1e-3", "--engine", `${engine}`],
        );
        assert.equal(code, 0, stderr);
        const ours = await readTensors(await Deno.readFile(out), out);
        for (const [name, { shape, data }] of expected) {
          assert.deepEqual(ours.get(name)!.shape, shape);
          const scale = Math.max(...data.map(Math.abs));
          assertClose(ours.get(name)!.data, data, 0, scale * Number(tolerance));
        }
      }
    }
  });
});

Deno.test("gradient: bad input is one line, and nothing is written", async () => {
  await inFolder(async (folder) => {
    const whole = new Map([...asTensors(network, parameters, "numpy"), ...batch("numpy")]);
    const input = `${folder}/in.h5`, out = `${folder}/out.h5`;
    const refused = async (message: RegExp, changes: [string, ReturnType<typeof vector>][]) => {
      await Deno.writeFile(input, await writeTensors(new Map([...whole, ...changes]), input));
      const { code, stdout, stderr } = await cli("gradient", "--input", input, "--out", out);
      assert.equal(code, 2, stdout + stderr);
      assert.match(stderr, message);
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
      await assert.rejects(Deno.stat(out));
    };
    await refused(/t\[1\] is 3: a label is/, [["t", vector(0, 3, 1, 2)]]);
    await refused(/neither 4 labels nor 4 one-hot rows/, [["t", vector(0, 1, 2)]]);
    const notOneHot = Float64Array.of(1, 0, 0, 0, 1, 0, 0.5, 0.5, 0, 0, 0, 1);
    await refused(/row 2 of t is not one-hot/, [["t", { shape: [4, 3], data: notOneHot }]]);
    await refused(/x has 2 values a sample/, [["x", { shape: [4, 2], data: new Float64Array(8) }]]);
    await refused(/tensor "b1" holds NaN/, [["b1", vector(1, 2, NaN, 3, 4)]]);
    await refused(/GBW1 is 2x1 where W1 of dense 1: 6 to 5, sigmoid is 6x5/, [["GBW1", {
      shape: [2, 1],
      data: new Float64Array(2),
    }]]);
    await Deno.writeFile(input, (await writeTensors(whole, input)).slice(0, 500));
    const { code, stderr } = await cli("gradient", "--input", input, "--out", out);
    assert.equal(code, 2);
    assert.match(stderr, /^Cannot read .*in\.h5: /);
  });
});

Deno.test("example: the tutorial's numbers on either backend", async () => {
  const { code, stdout } = await cli("example", "--json");
  assert.equal(code, 0);
  for (const { p, loss, gradient } of JSON.parse(stdout).results) {
    assertClose(p, [1.054148091, 0.630716529, 1.132807401], 1e-6);
    assertClose([loss], [0.9280683], 1e-6);
    assertClose(gradient.flat(), [
      0.21924757,
      0.14356243,
      -0.36281,
      0.32887136,
      0.21534364,
      -0.544215,
    ], 1e-6);
  }
});

Deno.test("plot: figures of one run and of several, from logs and from train", async () => {
  await inFolder(async (folder) => {
    const log = `${folder}/a.jsonl`, plot = `${folder}/a.svg`, out = `${folder}/b.svg`;
    const { code } = await cli("train", ...RUN, "--steps", "40", "--log", log, "--plot", plot);
    assert.equal(code, 0);
    await Deno.copyFile(log, `${folder}/b.jsonl`);
    assert.equal((await cli("plot", log, `${folder}/b.jsonl`, "--out", out)).code, 0);
    const [one, two] = [await Deno.readTextFile(plot), await Deno.readTextFile(out)];
    for (const text of ["784-8-10", "test accuracy", "step"]) assert.ok(one.includes(text), text);
    for (const text of ["a, loss", "b, loss", "a, accuracy"]) assert.ok(two.includes(text), text);
    await Deno.writeTextFile(log, '{"step":1,"loss":2}\n{"step":2,"lo');
    const { code: bad, stderr } = await cli("plot", log, "--out", `${folder}/c.svg`);
    assert.equal(bad, 2);
    assert.match(stderr, /^Cannot read .*a\.jsonl: line 2 is no/);
    await assert.rejects(Deno.stat(`${folder}/c.svg`));
  });
});
