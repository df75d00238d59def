/** What networks are: operations in order and in joins, as people type them, as files keep them. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { checkFit } from "../src/core/fit.ts";
import { initialParameters } from "../src/core/initialization.ts";
import {
  ACTIVATIONS,
  connect,
  createNetwork,
  DATA,
  layerName,
  layersBehind,
  type Node,
  parameterTensors,
  parseNodes,
  shapeOf,
  textOfNodes,
} from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import { readTensors } from "../src/data/tensors.ts";
import { cli, inFolder, randomNetwork } from "./support.ts";

const DIGITS = ["--data", "digits", "--batch", "10", "--backend", "cpu"];

Deno.test("activations fold into the layer before them, unless something else takes that, too", () => {
  const layersOf = (...nodes: Node[]) =>
    connect({ inputs: 4, classes: 2, nodes }).layers.map(({ kind, from, activation }) =>
      `${kind} of ${from}, ${activation}`
    );
  assert.deepEqual(
    layersOf({ operation: "dense", width: 3 }, { operation: "relu" }, { operation: "tanh" }),
    ["dense of -1, relu", "sum of 0, tanh", "dense of 1, identity"],
  );
  assert.deepEqual(
    layersOf(
      { operation: "dense", width: 4 },
      { operation: "relu" },
      { operation: "add", from: [0, 1] },
      { operation: "step" },
    ),
    ["dense of -1, identity", "sum of 0, relu", "sum of 0,1, step", "dense of 2, identity"],
  );
  assert.deepEqual(layersOf({ operation: "gelu" }), ["sum of -1, gelu", "dense of 0, identity"]);
});

Deno.test("a network that makes no sense is refused, by the operation that is wrong", () => {
  const cases: [RegExp, Node[]][] = [
    [/build "dense 0": it is 0 wide, and a width is a whole/, [{ operation: "dense", width: 0 }]],
    [/build "dense 1.5": it is 1.5 wide/, [{ operation: "dense", width: 1.5 }]],
    [
      /build "add": it adds what is 3 and 4 wide; give them one width/,
      [{ operation: "dense", width: 3 }, { operation: "add", from: [0, DATA] }],
    ],
    [/build "add": it takes 1 values, not two or more/, [{ operation: "add", from: [DATA] }]],
    [/build "add": it takes 1 values/, [{ operation: "add" }]],
    [/build "relu": it takes 2 values, not one/, [{ operation: "relu", from: [DATA, DATA] }]],
    [/build "relu": it takes node 0, which is not before it/, [{ operation: "relu", from: [0] }]],
    [
      /nothing takes "relu"/,
      [{ operation: "relu" }, { operation: "dense", width: 2, from: [DATA] }],
    ],
  ];
  for (const [message, nodes] of cases) {
    assert.throws(() => connect({ inputs: 4, classes: 2, nodes }), (error) => {
      assert.ok(error instanceof RangeError);
      assert.match(error.message, message);
      assert.match(error.message, /^Cannot build /);
      return true;
    });
  }
  assert.throws(
    () => createNetwork({ inputs: 4, hidden: [2], classes: 0 }),
    /^RangeError: Cannot build/,
  );
});

Deno.test("text and operations are one another's inverse", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(
        fc.record({
          operation: fc.constant("dense" as const),
          width: fc.integer({ min: 1, max: 9999 }),
        }),
        fc.record({ operation: fc.constantFrom(...ACTIVATIONS) }),
      )),
      (drawn) => {
        const nodes = drawn.map((node) => ({ ...node }));
        assert.deepEqual(parseNodes(textOfNodes(nodes)), nodes);
      },
    ),
  );
  assert.deepEqual(parseNodes("  dense 7,relu  "), [
    { operation: "dense", width: 7 },
    { operation: "relu" },
  ]);
});

Deno.test("parameters lie behind one another, whatever joins", () => {
  for (let seed = 0; seed < 50; seed++) {
    const network = randomNetwork(seed);
    let end = 0;
    for (const { offset, shape, size } of parameterTensors(network)) {
      assert.equal(offset, end);
      assert.equal(size, shape.reduce((product, length) => product * length, 1));
      end += size;
    }
    assert.equal(end, network.parameters);
    assert.equal(initialParameters(network, 1, new Xoshiro(1)).length, end);
  }
});

Deno.test("layers are named, and know what is behind them", () => {
  const network = connect({
    inputs: 5,
    classes: 3,
    nodes: [
      { operation: "dense", width: 4 },
      { operation: "relu" },
      { operation: "dense", width: 4 },
      { operation: "add", from: [1, 2] },
      { operation: "tanh" },
    ],
  });
  assert.deepEqual(network.layers.map((_, l) => layerName(network, l)), [
    "dense 1: 5 to 4, relu",
    "dense 2: 4 to 4",
    "sum 1: 4, tanh",
    "dense 3: 4 to 3",
  ]);
  assert.deepEqual(layersBehind(network.layers, 0), [1, 2, 3]);
  assert.deepEqual(layersBehind(network.layers, 1), [2, 3]);
  assert.equal(shapeOf(network), "5-4-4-3");
});

Deno.test("a network that does not fit is mended by a narrower one, where there is one", () => {
  const arrays = ({ parameters }: { parameters: number }) => ({ weights: parameters });
  const chain = createNetwork({ inputs: 10, hidden: [100], classes: 2 });
  assert.throws(() => checkFit(chain, arrays, 500, "it"), /10-\d+-2 would fit/);
  const nodes: Node[] = [{ operation: "dense", width: 10 }, { operation: "add", from: [0, DATA] }];
  const residual = connect({ inputs: 10, classes: 2, nodes });
  assert.throws(() => checkFit(residual, arrays, 50, "it"), /use a smaller batch or fewer inputs/);
});

Deno.test("--network trains, is kept with the run, and is what it goes on with", async () => {
  await inFolder(async (folder) => {
    const typed = "dense 9, leaky-relu, dense 7, gelu";
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await cli("train", ...args, "--eval-every", "100");
      assert.equal(code, 0, stderr);
      return stdout;
    };
    const weights = async (name: string) =>
      (await readTensors(await Deno.readFile(`${folder}/${name}`), name)).get("W2")!;
    const file = (name: string) => `${folder}/${name}`;
    await run(...DIGITS, "--network", typed, "--steps", "6", "--save", file("whole.h5"));
    await run(...DIGITS, "--network", typed, "--steps", "2", "--save", file("part.h5"));
    const stdout = await run(
      "--resume",
      file("part.h5"),
      "--steps",
      "6",
      "--save",
      file("again.h5"),
      "--backend",
      "cpu",
    );
    assert.match(
      stdout,
      /^Training 784-9-7-10 .*engine differences with h = 0.0001 at the learning rate 0.1 on CPU/m,
    );
    assert.deepEqual((await weights("whole.h5")).shape, [9, 7]);
    assert.deepEqual(await weights("again.h5"), await weights("whole.h5"));
    const evaluated = await cli(
      ...["evaluate", "--weights", file("whole.h5"), "--data", "digits", "--backend", "cpu"],
    );
    assert.match(evaluated.stdout, /784-9-7-10/);
    for (
      const [message, command, ...args] of [
        [
          /--hidden with .*its network is "dense 9, leaky-relu, dense 7, gelu"/,
          "train",
          "--resume",
          "--hidden",
          "9",
        ],
        [
          /that is 784-9-10, and its weights are 784-9-7-10/,
          "train",
          "--resume",
          "--network",
          "dense 9, relu",
        ],
        [
          /--network dense 9, leaky-relu, dense 7, gelu, and dense 9, relu, dense 7, gelu/,
          "train",
          "--resume",
          "--network",
          "dense 9, relu, dense 7, gelu",
        ],
        [/--activation with/, "evaluate", "--weights", "--activation", "tanh"],
      ] as [RegExp, ...string[]][]
    ) {
      const [flag, ...more] = args;
      const { code, stderr } = await cli(
        command,
        flag,
        file("part.h5"),
        "--backend",
        "cpu",
        "--data",
        "digits",
        ...more,
      );
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
    // A run in the short form is the same as its long one.
    await run(
      ...DIGITS,
      "--hidden",
      "6",
      "--activation",
      "tanh",
      "--steps",
      "1",
      "--save",
      file("short.h5"),
    );
    await run(
      "--resume",
      file("short.h5"),
      "--steps",
      "2",
      "--network",
      "dense 6, tanh",
      "--backend",
      "cpu",
    );
  });
});

Deno.test("nudges are as large as a network needs", async () => {
  const first = async (...args: string[]) => {
    const { code, stdout, stderr } = await cli("train", ...DIGITS, "--steps", "1", ...args);
    assert.equal(code, 0, stderr);
    return stdout.split("\n").find((line) => line.startsWith("Training"))!;
  };
  assert.match(await first("--hidden", "4"), /with h = 0.0001 at the learning rate (0\.1|0\.5) on/);
  assert.match(
    await first("--hidden", "4", "--activation", "step"),
    /with h = 1 at the learning rate (0\.1|0\.5) on/,
  );
  assert.match(
    await first("--network", "dense 4, relu, dense 3, sign"),
    /with h = 1 at the learning rate (0\.1|0\.5) on/,
  );
  assert.match(
    await first("--network", "dense 4, sign", "--h", "0.5"),
    /with h = 0.5 at the learning rate (0\.1|0\.5) on/,
  );
  assert.doesNotMatch(await first("--hidden", "4", "--engine", "backprop"), /h =/);
});

Deno.test("train --plan says what a step costs, and takes none", async () => {
  await inFolder(async (folder) => {
    const args = ["train", "--data", "digits", "--network", "dense 5, relu, dense 4, relu"];
    const save = `${folder}/run.h5`;
    const people = await cli(...args, "--plan", "--save", save);
    assert.equal(people.code, 0, people.stderr);
    assert.match(people.stdout, /^A step of 784-5-4-10 over 100 samples, .* multiply-adds$/m);
    assert.match(people.stdout, /^W1, b1 +straight +directions, dense 2: 5 to 4, relu +500 /m);
    assert.match(people.stdout, /^W3, b3 +logit +cross-entropy /m);
    await assert.rejects(Deno.stat(save));
    const { stdout } = await cli(...args, "--plan", "--json");
    const plan = JSON.parse(stdout);
    assert.deepEqual(plan.gradient.map(({ way }: { way: string }) => way), [
      "straight",
      "direct",
      "logit",
    ]);
    assert.ok(plan.distinct < plan.nonzeros && plan.multiplyAdds > 0);
  });
});

Deno.test("gradcheck compares copies that share with copies that do not", async () => {
  const { code, stdout, stderr } = await cli(
    ...["gradcheck", ...DIGITS, "--network", "dense 6, relu, dense 5, clip", "--no-sharing"],
    ...["--rtol", "1e-12", "--json"],
  );
  assert.equal(code, 0, stderr);
  const { tensors } = JSON.parse(stdout);
  assert.equal(tensors.length, 6);
  assert.ok(
    tensors.some((t: { relativeError: number }) => t.relativeError > 0),
    "all the same bits",
  );
});
