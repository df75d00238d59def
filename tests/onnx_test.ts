/** ONNX files: networks there and back, what is refused, commands on them, names, and .npz files. */

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { ACTIVATIONS, connect, type Network, parseNodes } from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import { initialParameters } from "../src/core/initialization.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { type OnnxNode, type OnnxValue, readOnnx, writeOnnx } from "../src/data/onnx.ts";
import { networkOfOnnx } from "../src/data/onnx_network.ts";
import { onnxOf } from "../src/data/onnx_writer.ts";
import { readTensors, type Tensor, type Tensors, writeTensors } from "../src/data/tensors.ts";
import { asTensors, namesOf, type Naming } from "../src/data/weights.ts";
import { RELATIVES } from "./definitions.ts";
import {
  cli,
  engineOptions,
  freshParameters,
  gradientOnCpu,
  inFolder,
  randomMaps,
  randomNetwork,
  randomSamples,
} from "./support.ts";
import { hasOnnx, onnxPython, PYTHON, python } from "./tools.ts";

const single = (values: Float64Array) => values.map(Math.fround);

/** What ONNX writes: round has no operator there, and gelu one that few know. */
const WRITTEN = [...ACTIVATIONS, ...RELATIVES]
  .filter((name) => !name.startsWith("gelu") && !name.startsWith("round"));

const logitsOf = async (network: Network, parameters: Float64Array) => {
  const samples = randomSamples(5, network);
  using engine = new CpuEngine(engineOptions(network, samples, 1, { method: "backprop" }), 1);
  engine.setParameters(parameters);
  return await engine.logits(samples);
};

/** Written and read again: the same network, to the last bit of its logits, under the same names. */
async function assertReturns(network: Network, parameters: Float64Array): Promise<Uint8Array> {
  const bytes = onnxOf(network, parameters, "a.onnx");
  const back = networkOfOnnx(readOnnx(bytes, "a.onnx"), "a.onnx");
  assert.equal(back.closed, undefined);
  assert.deepEqual([...back.names], [...namesOf(network)]);
  assert.deepEqual(back.parameters, parameters);
  const kinds = ({ layers }: Network) =>
    layers.map(({ kind, from, activation, inputs, outputs, window, offset }) => ({
      ...{ kind, from, activation, inputs, outputs, offset },
      window: window && { ...window, kernel: [...window.kernel] },
    }));
  assert.deepEqual(kinds(back.network), kinds(network));
  assert.deepEqual(
    await logitsOf(back.network, back.parameters),
    await logitsOf(network, parameters),
  );
  return bytes;
}

const everyActivation = connect({
  inputs: 6,
  classes: 3,
  nodes: ACTIVATIONS.flatMap((operation) => [
    { operation: "dense", width: 4 } as const,
    { operation },
  ]).filter(({ operation }) => !operation.startsWith("round")),
});

Deno.test("networks written as ONNX come back as they were, and ONNX's checker takes them", async () => {
  const files: Uint8Array[] = [];
  for (let seed = 1; seed <= 40; seed++) {
    for (const random of [randomNetwork, randomMaps]) {
      const network = random(seed, { activations: WRITTEN });
      files.push(await assertReturns(network, single(freshParameters(network))));
    }
  }
  await assertReturns(everyActivation, single(freshParameters(everyActivation)));
  if (!hasOnnx()) return;
  await inFolder(async (folder) => {
    for (const [i, bytes] of files.entries()) await Deno.writeFile(`${folder}/${i}.onnx`, bytes);
    const said = await onnxPython(
      `import glob, onnx, sys
for path in glob.glob(sys.argv[1] + "/*.onnx"):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    print("right")`,
      folder,
    );
    assert.equal(said.trim().split("\n").length, files.length);
  });
});

const tensor = (shape: number[], seed = 1): Tensor => ({
  shape,
  data: single(
    new Float64Array(shape.reduce((a, b) => a * b, 1)).map(() => 0).map(
      ((random) => () => random.normal())(new Xoshiro(seed)),
    ),
  ),
});

/** A model of one chain of nodes, from x to y. */
function modelOf(
  nodes: (readonly [string, string[], string, [string, number | string | number[]][]?])[],
  initializers: Record<string, Tensor>,
  { x = ["batch", 4], y = ["batch", 3], opset = 13, listed = false }: {
    x?: (number | string)[];
    y?: (number | string)[];
    opset?: number;
    listed?: boolean;
  } = {},
): Uint8Array {
  const value = (name: string, shape: (number | string)[]): OnnxValue => ({
    name,
    shape,
    isFloat: true,
  });
  return writeOnnx({
    opset,
    nodes: nodes.map(([operator, inputs, output, attributes = []], i): OnnxNode => ({
      ...{ name: `n${i}`, operator, inputs, outputs: [output] },
      attributes: new Map(attributes),
    })),
    initializers: new Map(Object.entries(initializers)),
    inputs: [
      value("x", x),
      ...listed
        ? Object.entries(initializers).map(([name, { shape }]) => value(name, [...shape]))
        : [],
    ],
    outputs: [value("y", y)],
    stored: new Map(),
    description: "",
  }, "a.onnx");
}

const read = (bytes: Uint8Array) => networkOfOnnx(readOnnx(bytes, "a.onnx"), "a.onnx");

Deno.test("old files, with initializers among the inputs and a batch of 1, and what is folded", () => {
  const W = tensor([4, 3]), b = tensor([3], 2);
  const { network, parameters, names } = read(modelOf(
    [
      ["Identity", ["x"], "i"],
      ["MatMul", ["i", "fc.weight"], "m"],
      ["Add", ["m", "fc.bias"], "a"],
      ["Softmax", ["a"], "y", [["axis", 1]]],
    ],
    { "fc.weight": W, "fc.bias": b },
    { x: [1, 4], y: [1, 3], opset: 9, listed: true },
  ));
  assert.deepEqual(network.layers.map(({ kind }) => kind), ["dense"]);
  assert.deepEqual(parameters, Float64Array.of(...W.data, ...b.data));
  assert.deepEqual([...names].map(([ours, { name }]) => [ours, name]), [
    ["W1", "fc.weight"],
    ["b1", "fc.bias"],
  ]);
});

Deno.test("a Gemm with transB: [outputs, inputs], as PyTorch writes it", () => {
  const W = tensor([3, 4]),
    { parameters, names } = read(modelOf(
      [["Gemm", ["x", "w", "b"], "y", [["transB", 1]]]],
      { w: W, b: tensor([3], 2) },
    ));
  assert.equal(parameters[1], W.data[4]);
  assert.deepEqual(names.get("W1"), { name: "w", shape: [3, 4], turned: true });
});

const REFUSED: [why: RegExp, bytes: () => Uint8Array][] = [
  [/Erf node "n0" is not known here; known are .*Conv/, () => modelOf([["Erf", ["x"], "y"]], {})],
  [
    /LeakyRelu node "n0" has -0.5; here leaky-relu takes its slope below 0, a number from 0/,
    () => modelOf([["LeakyRelu", ["x"], "y", [["alpha", -0.5]]]], {}),
  ],
  [
    /its input "x" is \[batch,1,h\]; only the batch/,
    () => modelOf([["Relu", ["x"], "y"]], {}, { x: ["batch", 1, "h"] }),
  ],
  [
    /takes "later", which nothing before it gives/,
    () => modelOf([["Relu", ["later"], "y"], ["Relu", ["x"], "later"]], {}),
  ],
  [
    /gives "y", which is there already/,
    () => modelOf([["Relu", ["x"], "y"], ["Relu", ["x"], "y"]], {}),
  ],
  [
    /multiplies two computed values/,
    () => modelOf([["Tanh", ["x"], "a"], ["Mul", ["x", "a"], "y"]], {}),
  ],
  [
    /initializer "w" is the weights of two layers/,
    () =>
      modelOf([["MatMul", ["x", "w"], "a"], ["MatMul", ["a", "w"], "y"]], { w: tensor([4, 4]) }),
  ],
  [
    /moves values/,
    () => modelOf([["Transpose", ["x"], "y", [["perm", [0, 2, 1]]]]], {}, { x: ["batch", 2, 3] }),
  ],
  [
    /comes behind a Softmax/,
    () => modelOf([["Softmax", ["x"], "a"], ["Gemm", ["a", "w"], "y"]], { w: tensor([4, 3]) }),
  ],
  [/has the attribute "strange"/, () => modelOf([["Relu", ["x"], "y", [["strange", 1]]]], {})],
  [
    /moves over 3 dimensions/,
    () =>
      modelOf([["MaxPool", ["x"], "y", [["kernel_shape", [2, 2, 2]]]]], {}, { x: [1, 1, 4, 4, 4] }),
  ],
  [/it holds no graph/, () => new Uint8Array(0)],
  [/no ONNX model/, () => new Uint8Array(gzipSync(new Uint8Array(100)))],
];

Deno.test("what is not known is refused in one line that names it", () => {
  for (const [why, bytes] of REFUSED) {
    assert.throws(() => read(bytes()), (error: Error) => {
      assert.ok(error instanceof SyntaxError, `${error}`);
      assert.match(error.message, why);
      assert.match(error.message, /^Cannot [^\n]*; [^\n]*$/);
      return true;
    });
  }
});

Deno.test("external data is refused in one line", async () => {
  if (!hasOnnx()) return;
  await inFolder(async (folder) => {
    await onnxPython(
      `import numpy as np, onnx, sys
from onnx import helper, numpy_helper, TensorProto
w = numpy_helper.from_array(np.zeros((4, 3), "f4"), "w")
x, y = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b", k]) for n, k in [("x", 4), ("y", 3)]]
g = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [w])
onnx.save(helper.make_model(g), sys.argv[1] + "/a.onnx", save_as_external_data=True, size_threshold=0, location="a.data")`,
      folder,
    );
    const bytes = await Deno.readFile(`${folder}/a.onnx`);
    assert.throws(() => readOnnx(bytes, "a.onnx"), /tensor "w" lies in another file \(external/);
    const { code, stderr } = await cli(
      "evaluate",
      "--model",
      `${folder}/a.onnx`,
      "--data",
      "digits",
    );
    assert.equal(code, 2);
    assert.match(stderr, /Cannot read .*external data/);
  });
});

const SMALL = ["--data", "digits", "--network", "conv 2x5 stride 4, relu, dense 6, step"];

Deno.test("a run in an .onnx file goes on to the same bits, and is no other network's", async () => {
  await inFolder(async (folder) => {
    const file = `${folder}/a.onnx`, more = ["--steps", "4", "--json"];
    for (const backend of [[], ["--backend", "cpu"]]) {
      const first = await cli("train", ...SMALL, ...backend, "--steps", "2", "--save", file);
      assert.equal(first.code, 0, first.stderr);
      const whole = await cli("train", ...SMALL, ...backend, ...more);
      const resumed = await cli("train", "--resume", file, ...backend, ...more, "--save", file);
      assert.equal(resumed.code, 0, resumed.stderr);
      assert.equal(JSON.parse(resumed.stdout).weights, JSON.parse(whole.stdout).weights);
    }
    const evaluated = await cli("evaluate", "--model", file, "--data", "digits", "--json");
    assert.equal(evaluated.code, 0, evaluated.stderr);
    for (
      const [why, ...args] of [
        [/Cannot use --hidden with --model/, "train", "--model", file, "--hidden", "5"],
        [/Cannot use --weights with --model/, "evaluate", "--model", file, "--weights", file],
        [/Cannot use --network with/, "train", "--resume", file, "--network", "none"],
        [/only .onnx holds it/, "train", "--model", file, "--save", `${folder}/a.h5`],
      ] as [RegExp, ...string[]][]
    ) {
      const { code, stderr } = await cli(...args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, why);
    }
  });
});

/** A network of maps, its weights, a batch, and its gradients, as PyTorch names and stores them. */
async function asPyTorch(gradient: (name: string) => string) {
  const network = connect({
    inputs: 72,
    inputShape: [2, 6, 6],
    classes: 3,
    nodes: parseNodes("conv 3x3, relu, maxpool 2, dense 5, tanh, dense 5, tanh"),
    epsilon: 0,
  });
  const parameters = initialParameters(network, "xavier", new Xoshiro(3));
  const names = new Map(
    ["conv1", "fc2", "fc10", "fc11"].flatMap((module, l) =>
      [["W", "weight"], ["b", "bias"]].map(([letter, kind]) => {
        const { shape } = [...namesOf(network)].find(([ours]) => ours === `${letter}${l + 1}`)![1];
        const turned = l > 0 && letter === "W";
        const stored = turned ? shape.toReversed() : shape;
        return [`${letter}${l + 1}`, { name: `${module}.${kind}`, shape: stored, turned }] as const;
      })
    ),
  );
  const samples = randomSamples(6, network);
  const exact = await gradientOnCpu(
    engineOptions(network, samples, 6, { method: "backprop" }),
    parameters,
  );
  const theirs = asTensors(network, exact, "numpy", undefined, names);
  const tensors: Tensors = new Map([
    ...[...asTensors(network, parameters, "numpy", undefined, names)].toReversed(),
    ["x", { shape: [6, 2, 6, 6], data: Float64Array.from(samples.x) }],
    ["t", { shape: [6], data: Float64Array.from(samples.labels) }],
    ...[...theirs].map(([name, value]) => [gradient(name), value] as const),
  ]);
  return { network, parameters, names, tensors };
}

Deno.test("PyTorch's names: matched by order and shape, gradients behind .grad or any prefix", async () => {
  await inFolder(async (folder) => {
    const file = `${folder}/a.safetensors`, model = `${folder}/a.onnx`;
    const network = ["--network", "conv 3x3, relu, maxpool 2, dense 5, tanh, dense 5, tanh"];
    for (
      const [gradient, ...check] of [
        [(name: string) => `${name}.grad`],
        [(name: string) => `grad.${name}`, "--check", "grad."],
        [(name: string) => `GB${name}`],
      ] as [(name: string) => string, ...string[]][]
    ) {
      const { tensors, ...whole } = await asPyTorch(gradient);
      await Deno.writeFile(file, await writeTensors(tensors, file));
      const args = [
        "gradient",
        "--input",
        file,
        "--epsilon",
        "0",
        "--json",
        "--h",
        "1e-6",
        ...check,
      ];
      const byName = await cli(...args, ...network);
      assert.equal(byName.code, 0, byName.stderr);
      const { tensors: rows } = JSON.parse(byName.stdout);
      assert.equal(rows.length, 8);
      assert.deepEqual(rows.map(({ name }: { name: string }) => name).slice(2, 4), [
        gradient("fc2.weight"),
        gradient("fc2.bias"),
      ]);
      assert.match(byName.stderr, /fc10.weight is W3/);
      // The same with the network from ONNX, where the names are the initializers'.
      await Deno.writeFile(model, onnxOf(whole.network, whole.parameters, model, whole));
      const byModel = await cli(...args, "--model", model, "--out", `${folder}/out.h5`);
      assert.equal(byModel.code, 0, byModel.stderr);
      const out = await readTensors(await Deno.readFile(`${folder}/out.h5`), "out.h5");
      assert.deepEqual(out.get("fc2.weight")!.shape, tensors.get("fc2.weight")!.shape);
      // One of them wrong: it is found, where it is in the file.
      const wrong = tensors.get(gradient("fc10.weight"))!;
      wrong.data[7] += 1;
      await Deno.writeFile(file, await writeTensors(tensors, file));
      const off = await cli(...args, ...network);
      assert.equal(off.code, 1, off.stderr);
      const [row] = JSON.parse(off.stdout).tensors.filter((row: { relativeError: number }) =>
        row.relativeError > 1e-3
      );
      assert.deepEqual([row.name, row.at], [gradient("fc10.weight"), [1, 2]]);
    }
    // Two layers of one shape whose names say no order.
    const { tensors } = await asPyTorch((name) => `${name}.grad`);
    const renamed = new Map(
      [...tensors].map(([name, value]) =>
        [
          name.replace("fc2", "alpha").replace("fc10", "beta").replace("fc11", "gamma"),
          value,
        ] as const
      ),
    );
    const square: Tensors = new Map(
      [...renamed].map(([name, value]) =>
        name === "alpha.weight"
          ? [name, { shape: [5, 12], data: value.data }] as const
          : [name, value]
      ),
    );
    await Deno.writeFile(file, await writeTensors(square, file));
    const { code } = await cli("gradient", "--input", file, ...network);
    assert.equal(code, 0); // shapes alone tell these
    const dense = connect({
      inputs: 4,
      classes: 4,
      nodes: parseNodes("dense 4, tanh, dense 4, tanh"),
    });
    const modules = ["alpha", "beta", "gamma"];
    const said = new Map(
      modules.flatMap((module, l): [string, Naming][] => [
        [`W${l + 1}`, { name: `${module}.weight`, shape: [4, 4], turned: true }],
        [`b${l + 1}`, { name: `${module}.bias`, shape: [4], turned: false }],
      ]),
    );
    const weights = asTensors(dense, freshParameters(dense), "numpy", undefined, said);
    weights.set("x", tensor([2, 4]));
    weights.set("t", { shape: [2], data: Float64Array.of(0, 1) });
    await Deno.writeFile(file, await writeTensors(weights, file));
    const ambiguous = await cli("gradient", "--input", file, "--out", `${folder}/o.h5`);
    assert.equal(ambiguous.code, 2);
    assert.match(ambiguous.stderr, /in more than one order, and their names tell none/);
  });
});

Deno.test(".npz files: types, orders of bytes and dimensions, compressed or not", async () => {
  if (!PYTHON) return console.log("SKIPPED: no Python with NumPy was found");
  for (const save of ["savez", "savez_compressed"]) {
    const bytes = await python(`
a = np.arange(24).reshape(2, 3, 4)
file = io.BytesIO()
np.${save}(file, **{"f8": a.astype("<f8"), "big": a.astype(">f4"), "turned": np.asfortranarray(a.astype("f4")),
  "i8": a.astype("i8"), "u1": a.astype("u1"), "i2": a.astype(">i2"), "f2": a.astype("f2"), "b": a % 2 == 0,
  "fc1.weight": a[0], "scalar": np.float32(2.5), "empty": np.zeros((0, 3))})
sys.stdout.buffer.write(file.getvalue())`);
    const tensors = await readTensors(bytes, "a.npz");
    const expected = Float64Array.from({ length: 24 }, (_, i) => i);
    for (const name of ["f8", "big", "turned", "i8", "u1", "i2", "f2"]) {
      assert.deepEqual(tensors.get(name), { shape: [2, 3, 4], data: expected }, name);
    }
    assert.deepEqual(tensors.get("b")!.data, expected.map((i) => (i + 1) % 2));
    assert.deepEqual(tensors.get("fc1.weight")!.shape, [3, 4]);
    assert.deepEqual(tensors.get("scalar"), { shape: [], data: Float64Array.of(2.5) });
    assert.deepEqual(tensors.get("empty")!.shape, [0, 3]);
    await assert.rejects(
      readTensors(bytes.subarray(0, 200), "a.npz"),
      /^SyntaxError: Cannot read a/,
    );
  }
  const objects = await python(`
file = io.BytesIO()
np.savez(file, a=np.array([None, "x"], dtype=object))
sys.stdout.buffer.write(file.getvalue())`);
  await assert.rejects(readTensors(objects, "a.npz"), /array "a" holds "\|O", not numbers/);
});
