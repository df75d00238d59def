/** Networks of maps as people meet them: typed, saved, read from other programs' files, refused. */

import assert from "node:assert/strict";
import { checkFit } from "../src/core/fit.ts";
import { initialParameters } from "../src/core/initialization.ts";
import {
  connect,
  type Maps,
  type Network,
  parameterTensors,
  parseNodes,
  shapeOf,
  skippedInput,
  textOfNodes,
} from "../src/core/network.ts";
import { RRandom } from "../src/core/r_random.ts";
import { Xoshiro } from "../src/core/random.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { idxDataSet, writeIdx } from "../src/data/idx.ts";
import { readTensors, type Tensors, writeTensors } from "../src/data/tensors.ts";
import { asTensors, batchIn, inLayout, parametersIn } from "../src/data/weights.ts";
import {
  assertClose,
  cli,
  engineOptions,
  freshParameters,
  inFolder,
  randomSamples,
} from "./support.ts";
import { hasR, PYTHON, python, rscript } from "./tools.ts";

const maps = (typed: string, inputShape: Maps = [1, 28, 28], classes = 10) =>
  connect({
    inputs: inputShape.reduce((size, length) => size * length, 1),
    inputShape,
    classes,
    nodes: parseNodes(typed),
    epsilon: 0,
  });

const TYPED = "conv 2x5 stride 3, relu, maxpool 2";
const CPU = ["--backend", "cpu"];
const TRAIN = ["--data", "digits", "--batch", "10", ...CPU];

Deno.test("what is typed of maps is what it is taken for, and typed again", () => {
  const cases: [string, string, string?][] = [
    ["conv 30x5, relu, maxpool 2, dense 100, relu", "1x28x28-conv 30x5-maxpool 2-100-10"],
    ["conv 2x5x3 pad same stride 2, scale", "1x28x28-conv 2x5x3 stride 2 pad same-10"],
    ["conv 4x3 pad 1 groups 1 stride 1", "1x28x28-conv 4x3 pad 1-10", "conv 4x3 pad 1"],
    [
      "avgpool 3 stride 2 pad 1x0, globalavgpool",
      "1x28x28-avgpool 3 stride 2 pad 1x0-globalavgpool-10",
    ],
    ["conv 4x1, conv 8x2 pad 1x0x0x1 dilation 2 groups 4", ""],
    [
      "maxpool 2x3 stride 2x3, flatten, dropout 0.5, dense 7",
      "1x28x28-maxpool 2x3-7-10",
      "maxpool 2x3, flatten, dropout 0.5, dense 7",
    ],
  ];
  for (const [typed, shape, again = undefined] of cases) {
    const network = maps(typed), text = textOfNodes(network.nodes);
    if (shape) assert.equal(shapeOf(network), shape);
    if (again) assert.equal(text, again);
    assert.deepEqual(maps(text).layers, network.layers);
  }
  // Data that are images are a row to dense layers.
  assert.equal(shapeOf(maps("dense 50, relu")), "784-50-10");
});

Deno.test("what a network leaves unseen is said, and nothing else", () => {
  const said = (typed: string, shape: Maps = [1, 28, 28]) => skippedInput(maps(typed, shape));
  assert.deepEqual(said("conv 30x5, relu, maxpool 2, avgpool 3 stride 1 pad 1, globalavgpool"), []);
  assert.deepEqual(said("conv 3x3 stride 2 pad 1, conv 2x3 dilation 2"), []);
  assert.deepEqual(said("maxpool 2, relu", [3, 7, 6]), [
    "maxpool 1: 3x7x6 to 3x3x3, relu: no window looks at 1 of its input's 7 rows",
  ]);
  assert.deepEqual(said("conv 1x1 stride 2", [1, 5, 4]), [
    "conv 1: 1x5x4 to 1x3x2: no window looks at 2 of its input's 5 rows and 2 of its input's 4 " +
    "columns",
  ]);
  assert.deepEqual(said("conv 1x2 stride 2 dilation 2", [1, 6, 3]).length, 1);
});

Deno.test("fresh weights: deviations by the fan of a kernel, scales that do nothing, R's draws", () => {
  const network = maps("conv 64x5, scale, conv 96x3 groups 2, globalavgpool, dense 50");
  const spread = (init: "he" | "xavier", name: string) => {
    const { offset, size } = parameterTensors(network).find((tensor) => tensor.name === name)!;
    const weights = initialParameters(network, init, new Xoshiro(1)).subarray(
      offset,
      offset + size,
    );
    return weights.reduce((sum, w) => sum + w * w, 0) / size;
  };
  // The variance of n draws is within 6 / sqrt(n / 2) of what it is of, but for one in 1e9.
  const expected: [string, number, number][] = [["W1", 25, 64 * 25], ["W3", 32 * 9, 48 * 9]];
  for (const [name, fanIn, fanOut] of expected) {
    const { size } = parameterTensors(network).find((tensor) => tensor.name === name)!;
    assertClose([spread("he", name)], [2 / fanIn], 6 / Math.sqrt(size / 2));
    assertClose([spread("xavier", name)], [2 / (fanIn + fanOut)], 6 / Math.sqrt(size / 2));
  }
  assert.equal(spread("he", "W2"), 1);
  for (const name of ["b1", "b2", "b3", "b4"]) assert.equal(spread("he", name), 0);
  // A convolution takes R's draws in the order in which its weights lie; a dense layer by columns.
  const small = maps("conv 2x2, dense 3", [1, 3, 2], 2), r = new RRandom(7);
  const drawn = initialParameters(small, 1, r, false), again = new RRandom(7);
  const tensors = asTensors(small, drawn, "numpy");
  assert.deepEqual(tensors.get("W1")!.data, Float64Array.from({ length: 8 }, () => again.normal()));
  assert.deepEqual(tensors.get("W2")!.data, again.normalMatrix(4, 3));
});

Deno.test("a network of maps that does not fit is mended by fewer channels", () => {
  const arrays = ({ parameters }: Network) => ({ weights: parameters });
  assert.throws(
    () => checkFit(maps("conv 30x5, relu, maxpool 2, dense 100, relu"), arrays, 100_000, "it"),
    /1x28x28-conv \d+x5-maxpool 2-\d+-10 would fit/,
  );
});

const small = maps("conv 4x3x2 groups 2, relu, scale, avgpool 2, dense 3, tanh", [2, 5, 4], 3);
const parameters = freshParameters(small);

Deno.test("weights of convolutions: both layouts, read by their shapes, are one network", () => {
  for (const layout of ["numpy", "r"] as const) {
    const tensors = asTensors(small, parameters, layout);
    const shapes = [[4, 1, 3, 2], [4], [4], [4], [4, 3], [3], [3, 3], [3]];
    assert.deepEqual(
      ["W1", "b1", "W2", "b2", "W3", "b3", "W4", "b4"].map((name) => tensors.get(name)!.shape),
      layout === "numpy"
        ? shapes
        : shapes.map((shape) => shape.length === 1 ? [...shape, 1] : shape.toReversed()),
    );
    const found = inLayout("a.h5", undefined, (layout) => parametersIn(tensors, small, layout));
    assert.equal(found.layout, layout);
    assert.deepEqual(found.value, parameters);
  }
  const whole = asTensors(small, parameters, "numpy");
  const refused = (message: RegExp, change: (tensors: Tensors) => void) => {
    const tensors = new Map(whole);
    change(tensors);
    assert.throws(
      () => inLayout("a.h5", "numpy", (layout) => parametersIn(tensors, small, layout)),
      message,
    );
  };
  refused(/Cannot use a\.h5: it has no W3$/, (tensors) => tensors.delete("W3"));
  refused(
    /W1 is 4x2x3x1 where W1 of conv 1: 2x5x4 to 4x3x3, relu is 4x1x3x2$/,
    (tensors) => tensors.set("W1", { ...whole.get("W1")!, shape: [4, 2, 3, 1] }),
  );
  refused(
    /it has W5, and the network has weights in 4 layers/,
    (tensors) => tensors.set("W5", whole.get("W4")!),
  );
});

Deno.test("images in IDX files have a shape, with channels or without", async () => {
  const file = (shape: number[]) => ({
    name: shape.join(),
    bytes: writeIdx({ shape, data: new Uint8Array(shape.reduce((a, b) => a * b)) }),
  });
  const imageOf = async (...rest: number[]) =>
    (await idxDataSet({
      trainImages: file([2, ...rest]),
      trainLabels: file([2]),
      testImages: file([1, ...rest]),
      testLabels: file([1]),
    }, "small")).image;
  assert.deepEqual(await imageOf(4, 3), [1, 4, 3]);
  assert.deepEqual(await imageOf(3, 4, 2), [3, 4, 2]);
  assert.equal(await imageOf(12), undefined);
});

Deno.test("a run of maps trains, is kept, goes on, and is evaluated; its plan is told", async () => {
  await inFolder(async (folder) => {
    const run = async (...args: string[]) => {
      const ended = await cli(...args);
      assert.equal(ended.code, 0, ended.stderr);
      return ended;
    };
    for (const ending of ["h5", "safetensors"]) {
      const file = (name: string) => `${folder}/${name}.${ending}`;
      const tensors = async (name: string) =>
        await readTensors(await Deno.readFile(file(name)), file(name));
      const typed = ["train", ...TRAIN, "--network", TYPED];
      const { stdout, stderr } = await run(...typed, "--steps", "6", "--save", file("whole"));
      assert.match(stdout, /^Training 1x28x28-conv 2x5 stride 3-maxpool 2-10 on synthetic digits/m);
      assert.match(
        stderr,
        /^Note: conv 1: 1x28x28 to 2x8x8, relu: no window looks at 2 of its input's 28 rows and 2/m,
      );
      await run(...typed, "--steps", "2", "--save", file("part"));
      await run("train", "--resume", file("part"), "--steps", "6", "--save", file("again"), ...CPU);
      const [whole, again] = [await tensors("whole"), await tensors("again")];
      assert.deepEqual(whole.get("W1")!.shape, [2, 1, 5, 5]);
      for (const name of ["W1", "b1", "W2", "b2"]) {
        assert.deepEqual(again.get(name), whole.get(name));
      }
      // The run says what it is of; weights alone want to be told, and the data say their shape.
      const evaluate = ["evaluate", "--data", "digits", ...CPU, "--json", "--weights"];
      const kept = JSON.parse((await run(...evaluate, file("whole"))).stdout);
      const bare = new Map([...whole].filter(([name]) => /^[Wb]\d$/.test(name)));
      await Deno.writeFile(file("bare"), await writeTensors(bare, file("bare")));
      const told = JSON.parse((await run(...evaluate, file("bare"), "--network", TYPED)).stdout);
      assert.deepEqual([told.accuracy, told.loss], [kept.accuracy, kept.loss]);
      for (
        const [message, ...args] of [
          [
            /W1 \[2,1,5,5\] is no matrix.* a convolution's: say the network/,
            ...evaluate,
            file("bare"),
          ],
          [
            /W1 is 2x1x5x5 where W1 of conv 1: 1x28x28 to 3x8x8 is 3x1x5x5/,
            ...[...evaluate, file("bare"), "--network", "conv 3x5 stride 3, maxpool 2"],
          ],
          [
            /W2 is 32x10 where W2 of dense 1: 36 to 10 is 36x10/,
            ...["train", "--resume", file("part"), "--input-shape", "1x14x56", ...CPU],
          ],
          [
            /--hidden with .*its network is "conv 2x5/,
            "train",
            "--resume",
            file("part"),
            "--hidden",
            "3",
          ],
        ] as [RegExp, ...string[]][]
      ) {
        const { code, stderr } = await cli(...args);
        assert.equal(code, 2, stderr);
        assert.match(stderr, message);
      }
    }
    const { stdout } = await run("train", ...TRAIN, "--network", TYPED, "--plan");
    assert.match(stdout, /^W1, b1 +maps +directions, relu +520 /m);
    assert.match(stdout, /^W1, b1 +maps +directions, maxpool 1: 2x8x8 to 2x4x4 +520 /m);
  });
});

Deno.test("a small convolutional network learns digits by exact changes alone", async () => {
  const { code, stdout, stderr } = await cli(
    ...["train", "--data", "digits", "--network", "conv 8x5 stride 2, relu, maxpool 2", "--json"],
    ...["--optimizer", "adam", "--lr", "0.01", "--init", "he", "--steps", "40", "--batch", "50"],
    ...CPU,
  );
  assert.equal(code, 0, stderr);
  const { accuracy, engine } = JSON.parse(stdout);
  assert.equal(engine, "differences");
  assert.ok(accuracy >= 0.85, `${accuracy}`); // a tenth is what guessing gives
});

Deno.test("gradcheck: maps that share against maps that do not, and whole copies", async () => {
  for (const args of [["--no-sharing"], ["--engine", "copies", "--h", "1e-2"]]) {
    const { code, stdout, stderr } = await cli(
      ...["gradcheck", ...TRAIN, "--network", "conv 2x5 stride 6, relu, maxpool 2, dense 3, clip"],
      ...[...args, "--init", "he", "--rtol", "1e-9", "--json"],
    );
    assert.equal(code, 0, stderr + stdout);
    const { tensors } = JSON.parse(stdout);
    assert.deepEqual(tensors[0].shape, [2, 1, 5, 5]);
    assert.ok(tensors[0].relativeError > 0, "the same bits");
  }
});

/** A batch of maps for `small`, as NumPy has it, and its gradient by backpropagation. */
async function problem() {
  const samples = randomSamples(4, small), x = Float64Array.from(samples.x as Float32Array);
  using cpu = new CpuEngine(engineOptions(small, samples, 4, { method: "backprop" }));
  cpu.setParameters(parameters);
  const { gradient } = await cpu.gradient(Uint32Array.of(0, 1, 2, 3));
  const t = { shape: [4], data: Float64Array.from(samples.labels) };
  return { x, t, gradient };
}

const NETWORK = ["--network", textOfNodes(small.nodes), "--epsilon", "0"];

Deno.test("gradient: batches of maps, flat ones that are told their shape, and R's", async () => {
  const { x, t, gradient } = await problem();
  const check = (layout: "numpy" | "r") =>
    [...asTensors(small, gradient, layout)].map(([name, tensor]) => [`GB${name}`, tensor] as const);
  const turned = (shape: number[]) => { // x as R stores it: its dimensions turned around
    const strides = shape.map((_, d) => shape.slice(0, d).reduce((a, b) => a * b, 1));
    const data = new Float64Array(x.length);
    x.forEach((value, i) => {
      let rest = i, to = 0;
      for (let d = shape.length - 1; d >= 0; d--) {
        to += rest % shape[d] * strides[d];
        rest = Math.floor(rest / shape[d]);
      }
      data[to] = value;
    });
    return { shape: shape.toReversed(), data };
  };
  await inFolder(async (folder) => {
    const cases = [
      ["maps", "numpy", { shape: [4, 2, 5, 4], data: x }, []],
      ["flat", "numpy", { shape: [4, 40], data: x }, ["--input-shape", "2x5x4"]],
      ["r", "r", turned([4, 2, 5, 4]), []],
      ["flat_r", "r", turned([4, 40]), ["--input-shape", "2x5x4"]],
    ] as const;
    for (const ending of ["h5", "safetensors"]) {
      for (const [name, layout, xs, options] of cases) {
        const input = `${folder}/${name}.${ending}`, out = `${folder}/out_${name}.${ending}`;
        const tensors: Tensors = new Map([
          ...asTensors(small, parameters, layout),
          ...check(layout),
          ["x", xs],
          ["t", t],
        ]);
        await Deno.writeFile(input, await writeTensors(tensors, input));
        const { code, stdout, stderr } = await cli(
          ...["gradient", "--input", input, "--out", out, ...CPU, ...NETWORK, ...options],
          ...["--h", "1e-7", "--rtol", "1e-9"],
        );
        assert.equal(code, 0, stderr + stdout);
        const ours = await readTensors(await Deno.readFile(out), out);
        const expected = asTensors(small, gradient, layout);
        for (const [name, { shape, data }] of expected) {
          assert.deepEqual(ours.get(name)!.shape, shape);
          assertClose(ours.get(name)!.data, data, 1e-7, 1e-10);
        }
      }
    }
    const read = batchIn(new Map([["x", turned([4, 2, 5, 4])], ["t", t]]), "r", small);
    assert.deepEqual(read.x, x);
  });
});

Deno.test("NumPy reads our convolutions, and we read its: [out, in, height, width]", async () => {
  if (!PYTHON) return;
  await inFolder(async (folder) => {
    const ours = `${folder}/ours.h5`, theirs = `${folder}/theirs.h5`;
    const { x, t, gradient } = await problem();
    const tensors = new Map(
      [...asTensors(small, parameters, "numpy"), ["x", {
        shape: [4, 2, 5, 4],
        data: x,
      }], ["t", t]] as const,
    );
    await Deno.writeFile(ours, await writeTensors(tensors, ours));
    // The first convolution by its definition, in NumPy, to see that the indices mean what they say.
    await python(`
with h5py.File("${ours}") as f:
    W, b, x = f["W1"][:], f["b1"][:], f["x"][:]
    everything = {name: f[name][:] for name in f}
assert W.shape == (4, 1, 3, 2), W.shape
z = np.zeros((4, 4, 3, 3))
for n in range(4):
    for c in range(4):
        for y in range(3):
            for v in range(3):
                z[n, c, y, v] = b[c] + (W[c, 0] * x[n, c // 2, y:y + 3, v:v + 2]).sum()
with h5py.File("${theirs}", "w") as f:
    for name, value in everything.items():
        f[name] = value
    f["z"] = z`);
    const read = await readTensors(await Deno.readFile(theirs), theirs);
    assert.deepEqual(parametersIn(read, small, "numpy"), parameters);
    const { forward, gather } = await import("../src/cpu/forward.ts");
    const samples = batchIn(read, "numpy", small);
    const trace = forward(small, parameters, gather(samples, Uint32Array.of(0, 1, 2, 3)));
    // Sums of 7 terms of up to 1 or so.
    assertClose(trace.inputs[0], read.get("z")!.data, 0, 2e-15);
    const { code, stderr } = await cli(
      ...["gradient", "--input", theirs, "--out", `${folder}/out.h5`, ...CPU, ...NETWORK],
    );
    assert.equal(code, 0, stderr);
    const out = await readTensors(await Deno.readFile(`${folder}/out.h5`), "out.h5");
    assertClose(out.get("W1")!.data, asTensors(small, gradient, "numpy").get("W1")!.data, 0, 1e-6);
  });
});

Deno.test("bad input is one line, with node and shapes, and nothing is written", async () => {
  await inFolder(async (folder) => {
    const save = `${folder}/run.h5`;
    for (
      const [message, network, ...more] of [
        [
          /Cannot build "conv 30x50": the kernel, 50, is larger than its input, 28x28/,
          "conv 30x50",
        ],
        [/Cannot build "maxpool 29"/, "maxpool 29"],
        [/"conv 3x31 pad 1": .*larger than its padded input, 30/, "conv 3x31 pad 1"],
        [
          /Cannot build "conv 4x3": it takes maps, .* gets a row of 9 values/,
          "dense 9, relu, conv 4x3",
        ],
        [/its 2 groups do not divide its 1 channels and its 4 filters/, "conv 4x3 groups 2"],
        [/operation 2, "maxpool": maxpool takes a size/, "conv 4x3, maxpool"],
        [/operation 1, "conv 4": conv takes output channels and kernel/, "conv 4"],
        [/operation 1, "conv 4x3 strid 2": there is no strid/, "conv 4x3 strid 2"],
        [
          /Cannot take 784 values a sample as 1x20x20: that is 400/,
          "conv 4x3",
          "--input-shape",
          "1x20x20",
        ],
        [/--input-shape.*give channels, height and width/, "conv 4x3", "--input-shape", "28x28"],
      ] as [RegExp, string, ...string[]][]
    ) {
      const { code, stdout, stderr } = await cli(
        ...["train", ...TRAIN, "--network", network, "--save", save, ...more],
      );
      assert.equal(code, 2, stdout + stderr);
      assert.match(stderr, message);
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
      assert.deepEqual([...Deno.readDirSync(folder)], []);
    }
    const { x, t } = await problem(), input = `${folder}/in.h5`, out = `${folder}/out.h5`;
    const whole = asTensors(small, parameters, "numpy");
    for (
      const [message, shape, ...more] of [
        [/nothing says the shape of a sample; give --input-shape/, [4, 40]],
        [/x's samples of 1x8x5 do not go through "conv 4x3x2 groups 2": its 2 groups/, [
          4,
          1,
          8,
          5,
        ]],
        [/W3 is 4x3 where W3 of dense 1: 8 to 3, tanh is 8x3/, [4, 2, 4, 5]],
        [
          /x has samples of 2x4x5 where the network takes 2x5x4/,
          [4, 2, 4, 5],
          "--input-shape",
          "2x5x4",
        ],
      ] as [RegExp, number[], ...string[]][]
    ) {
      const tensors: Tensors = new Map([...whole, ["x", { shape, data: x }], ["t", t]]);
      await Deno.writeFile(input, await writeTensors(tensors, input));
      const { code, stderr } = await cli(
        ...["gradient", "--input", input, "--out", out, ...CPU, ...NETWORK, ...more],
      );
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
      await assert.rejects(Deno.stat(out));
    }
  });
});

Deno.test("R writes a convolution's weights as an array, and reads them back", async () => {
  if (!hasR()) return;
  await inFolder(async (folder) => {
    // What R's HDF5 library stores of an array is its numbers as they lie, its dimensions turned.
    const program = `${folder}/array.R`, file = `${folder}/numbers.txt`;
    await Deno.writeTextFile(
      program,
      `W <- array(0, c(4, 1, 3, 2))
       for (o in 1:4) for (y in 1:3) for (x in 1:2) W[o, 1, y, x] <- 100 * o + 10 * y + x
       writeLines(as.character(as.vector(W)), "${file}")`,
    );
    await rscript(program);
    const data = Float64Array.from((await Deno.readTextFile(file)).trim().split("\n"), Number);
    const tensors: Tensors = new Map(asTensors(small, parameters, "r"));
    tensors.set("W1", { shape: [2, 3, 1, 4], data });
    const { value } = inLayout("r.h5", undefined, (layout) => parametersIn(tensors, small, layout));
    const expected = [1, 2, 3, 4].flatMap((o) =>
      [1, 2, 3].flatMap((y) => [1, 2].map((x) => 100 * o + 10 * y + x))
    );
    assert.deepEqual([...value.subarray(0, 24)], expected);
    const stored = asTensors(small, value, "r").get("W1")!;
    assert.deepEqual(stored, { shape: [2, 3, 1, 4], data });
  });
});
