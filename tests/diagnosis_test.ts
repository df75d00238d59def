/** Mistakes that people make in backward passes: each is planted, found, and named. */

import assert from "node:assert/strict";
import { type Activation, connect, type Network, parameterTensors } from "../src/core/network.ts";
import { parseNodes } from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import type { Samples } from "../src/data/samples.ts";
import { examine } from "../src/method/checked.ts";
import { placesByName } from "../src/method/values.ts";
import { foreignGradient, type Gradients, type Mistake } from "./foreign.ts";
import { freshParameters, randomSamples } from "./support.ts";

const BATCH = 6, NETWORKS = 10;

/** A network, weights and a batch on which a mistake can be made. */
interface Case {
  readonly network: Network;
  readonly parameters: Float64Array;
  readonly samples: Samples;
  readonly random: Xoshiro;
}

type Build = (seed: number) => Case;

/** Whole numbers from one to another. */
const between = (random: Xoshiro, least: number, most: number) =>
  least + Math.floor(random.uniform() * (most + 1 - least));

/** Networks that are typed, with widths and activations drawn. */
const networks = (
  type: (draw: (least: number, most: number) => number, activation: () => string) => string,
  activations: readonly Activation[],
  isOfMaps = false,
): Build =>
(seed) => {
  const random = new Xoshiro(1000 + seed), draw = (a: number, b: number) => between(random, a, b);
  const activation = () => activations[draw(0, activations.length - 1)];
  const side = draw(6, 8), inputs = isOfMaps ? side * side : draw(6, 12);
  const network = connect({
    inputs,
    ...(isOfMaps && { inputShape: [1, side, side] as const }),
    classes: draw(3, 5),
    nodes: parseNodes(type(draw, activation)),
    epsilon: 0,
  });
  const samples = randomSamples(BATCH, network, false, seed);
  return { network, parameters: freshParameters(network, "xavier", seed), samples, random };
};

const ANY = ["relu", "sigmoid", "tanh", "leaky-relu", "elu"] as const;
const dense = networks((n, f) => `dense ${n(5, 9)}, ${f()}, dense ${n(5, 9)}, ${f()}`, ANY);
const denseOf = (activation: Activation) =>
  networks((n, f) => `dense ${n(5, 9)}, ${f()}, dense ${n(5, 9)}, ${f()}`, [activation]);
const square = networks((_, f) => `dense 6, ${f()}, dense 6, ${f()}`, ANY);
const conv = networks(
  (n, f) => `conv ${n(2, 3)}x3, ${f()}, conv ${n(2, 3)}x2, ${f()}, dense ${n(4, 6)}, ${f()}`,
  ANY,
  true,
);
const maxpool = networks(
  (n, f) => `conv ${n(2, 3)}x3, ${f()}, maxpool 2, dense 5, tanh`,
  ANY,
  true,
);
const avgpool = networks(
  (n, f) => `conv ${n(2, 3)}x3, ${f()}, avgpool 2, dense 5, tanh`,
  ANY,
  true,
);

/** A sum of two branches, each with weights of its own. */
const residual: Build = (seed) => {
  const random = new Xoshiro(2000 + seed), width = between(random, 4, 7);
  const network = connect({
    inputs: between(random, 5, 9),
    classes: 3,
    epsilon: 0,
    nodes: [
      { operation: "dense", width },
      { operation: "tanh" },
      { operation: "dense", width },
      { operation: "sigmoid" },
      { operation: "add", from: [3, 1] },
    ],
  });
  const samples = randomSamples(BATCH, network, false, seed);
  return { network, parameters: freshParameters(network, "xavier", seed), samples, random };
};

/** Changes one tensor of a right gradient, in place or by what is returned. */
const inTensor = (
  name: string,
  change: (data: Float64Array, shape: readonly number[], one: Case) => Float64Array,
) =>
(one: Case): Gradients => {
  const right = foreignGradient(one.network, one.parameters, one.samples);
  const { offset, size, shape } = parameterTensors(one.network).find((t) => t.name === name)!;
  const gradient = right.gradient.slice();
  gradient.set(change(gradient.slice(offset, offset + size), shape, one), offset);
  return { ...right, gradient };
};

/** All of a right gradient, changed. */
const inAll = (change: (value: number, one: Case) => number) => (one: Case): Gradients => {
  const right = foreignGradient(one.network, one.parameters, one.samples);
  return { ...right, gradient: right.gradient.map((value) => change(value, one)) };
};

/** A mistake in the pass itself. */
const inPass = (mistake: Mistake, at?: number) => (one: Case): Gradients =>
  foreignGradient(one.network, one.parameters, one.samples, { mistake, at });

const row = (data: Float64Array, width: number, i: number) =>
  data.subarray(i * width, (i + 1) * width);

/** Every mistake: on which networks, how it is made, and what it is to be called. */
const MISTAKES: [name: string, Build, (one: Case) => Gradients, kind: string, says: RegExp][] = [
  ["summed over the batch", dense, inAll((g) => BATCH * g), "factor", /the sum over the batch/],
  ["divided by the batch twice", conv, inAll((g) => g / BATCH), "factor", /the batch twice/],
  ["a square's 2", dense, inAll((g) => 2 * g), "factor", /2 times what it should be/],
  ["the sign", maxpool, inAll((g) => -g), "factor", /the sign is lost/],
  ["a constant", dense, inTensor("W2", (g) => g.map((v) => 0.1 * v)), "factor", /0\.1 times/],
  [
    "transposed",
    square,
    inTensor("W2", (g) => g.map((_, i) => g[i % 6 * 6 + Math.floor(i / 6)])),
    "transposed",
    /transposed/,
  ],
  [
    "kernel's axes swapped",
    conv,
    inTensor("W1", (g) =>
      g.map((_, i) => {
        const cell = i % 9;
        return g[i - cell + cell % 3 * 3 + Math.floor(cell / 3)];
      })),
    "axes swapped",
    /axes are in the order 0, 1, 3, 2/,
  ],
  [
    "kernel turned",
    conv,
    inTensor("W1", (g) => g.map((_, i) => g[i - i % 9 + 8 - i % 9])),
    "turned",
    /backwards along axes 2 and 3/,
  ],
  [
    "shifted by one",
    dense,
    inTensor("W1", (g, [rows, width]) => g.map((_, i) => g[(i - width + rows * width) % g.length])),
    "shifted",
    /shifted by 1 along axis 0/,
  ],
  [
    "rows shuffled",
    dense,
    inTensor("W1", (g, [rows, width], { random }) => {
      let order = random.sample(rows, rows);
      while (order.every((from, to) => (from - to + rows) % rows === (order[0] + rows) % rows)) {
        order = random.sample(rows, rows);
      }
      return Float64Array.from([...order].flatMap((from) => [...row(g, width, from)]));
    }),
    "shuffled",
    /another order along axis 0/,
  ],
  ["never written", conv, inTensor("b2", (g) => g.fill(0)), "zero", /It is 0/],
  ["signs lost", dense, inTensor("W2", (g) => g.map(Math.abs)), "signs lost", /signs are lost/],
  [
    "clipped",
    dense,
    inTensor("W2", (g) => {
      const limit = g.map(Math.abs).sort()[Math.floor(0.6 * g.length)];
      return g.map((v) => Math.max(-limit, Math.min(v, limit)));
    }),
    "clipped",
    /clipped to/,
  ],
  [
    "weight decay",
    dense,
    inTensor("W1", (g, _, { parameters }) => g.map((v, i) => v + 0.01 * parameters[i])),
    "decay",
    /0\.01 times the weights/,
  ],
  [
    "a bias of the last sample alone",
    dense,
    (one) => {
      const right = foreignGradient(one.network, one.parameters, one.samples);
      const { offset, size } = parameterTensors(one.network).find(({ name }) => name === "b2")!;
      const gradient = right.gradient.slice();
      gradient.set(right.inputs[1].subarray((BATCH - 1) * size, BATCH * size), offset);
      return { ...right, gradient };
    },
    "sample alone",
    /sample 5 alone/,
  ],
  [
    "a filter's bias as a mean",
    conv,
    inTensor("b1", (g, _, { network }) => {
      const [, height, width] = network.layers[0].window!.output;
      return g.map((v) => v / height / width);
    }),
    "factor",
    /the mean over a filter's places/,
  ],
  ["targets missing", dense, inPass("targets missing"), "targets missing", /less the targets/],
  ["softmax missing", dense, inPass("softmax missing"), "softmax missing", /softmax is not/],
  ["softmax twice", dense, inPass("softmax twice"), "softmax twice", /differentiated twice/],
  ["labels shifted", conv, inPass("labels shifted"), "labels shifted", /one class off/],
  ["one sample", dense, inPass("one sample"), "one sample", /Only sample 5 counts/],
  [
    "mask missing",
    denseOf("relu"),
    inPass("mask missing", 0),
    "mask missing",
    /^dense 1: .*relu: .*its mask is missing/,
  ],
  [
    "mask inverted",
    denseOf("relu"),
    inPass("mask inverted", 1),
    "mask inverted",
    /^dense 2: .*its mask is inverted/,
  ],
  [
    "slope at the value",
    denseOf("sigmoid"),
    inPass("slope at value", 1),
    "slope at value",
    /^dense 2: .*taken at its value/,
  ],
  [
    "slope of the input",
    denseOf("tanh"),
    inPass("slope of input", 0),
    "slope of input",
    /^dense 1: .*its input as if/,
  ],
  [
    "another's slope",
    denseOf("leaky-relu"),
    inPass("slope of relu", 1),
    "slope of relu",
    /^dense 2: .*that of relu/,
  ],
  [
    "slope missing in weights",
    denseOf("sigmoid"),
    inPass("slope missing in weights", 1),
    "slope missing in weights",
    /^dense 2: .*its weights' gradient/,
  ],
  ["pool to all", maxpool, inPass("pool to all", 1), "pool to all", /^maxpool 1: .*every cell/],
  ["pool to first", maxpool, inPass("pool to first", 1), "pool to first", /first cell/],
  ["pool shared", maxpool, inPass("pool shared", 1), "pool shared", /shared among/],
  ["mean undivided", avgpool, inPass("mean undivided", 1), "mean undivided", /not divided/],
  ["branch missing", residual, inPass("branch missing", 2), "branch missing", /back into dense 2/],
  [
    "input before activation",
    dense,
    inPass("input before activation", 1),
    "input before activation",
    /^dense 2: .*before the activation/,
  ],
  [
    "filters unturned",
    conv,
    inPass("filters unturned", 1),
    "filters unturned",
    /^conv 2: .*not turned around/,
  ],
  [
    "matrix untransposed",
    square,
    inPass("matrix untransposed", 1),
    "matrix untransposed",
    /^dense 2: .*not through its transpose/,
  ],
  ["nothing passed", dense, inPass("nothing passed", 1), "nothing passed", /^dense 2: .*no error/],
];

/** Tensors by name. */
const byName = (network: Network, gradient: Float64Array) =>
  new Map(
    parameterTensors(network).map(({ name, offset, size }) =>
      [name, gradient.slice(offset, offset + size)] as const
    ),
  );

Deno.test("there are more than 20 kinds of mistakes", () => {
  assert.ok(new Set(MISTAKES.map(([, , , kind]) => kind)).size > 20);
});

for (const [name, build, plant, kind, says] of MISTAKES) {
  Deno.test(`found and named: ${name}`, async () => {
    for (let seed = 1; seed <= NETWORKS; seed++) {
      const one = build(seed), { network, parameters, samples } = one;
      const problem = { network, parameters, samples };
      const right = foreignGradient(network, parameters, samples).gradient;
      const before = await examine({ ...problem, gradients: byName(network, right) });
      assert.ok(before.ok, `network ${seed}, without the mistake:\n${before.text()}`);
      const { gradient } = plant(one);
      const report = await examine({ ...problem, gradients: byName(network, gradient) });
      assert.ok(!report.ok, `network ${seed}: the mistake is not found\n${report.text()}`);
      const [diagnosis, ...others] = report.diagnoses;
      assert.equal(diagnosis.kind, kind, `network ${seed}:\n${report.text()}`);
      assert.match(diagnosis.text, says, `network ${seed}`);
      assert.equal(others.length, 0, `network ${seed}:\n${report.text()}`);
      assert.throws(() => report.assertRight(), {
        name: "WrongGradient",
        message: says.multiline ? says : new RegExp(says.source.replace("^", "")),
      });
    }
  });
}

Deno.test("gradients of values inside say at which operation it goes wrong", async () => {
  const one = denseOf("sigmoid")(3), { network, parameters, samples } = one;
  const names = placesByName(network);
  const examined = async (pass: Gradients, ...given: string[]) => {
    const values = new Map(given.map((name) => {
      const place = names.get(name)!;
      return [`d.${name}`, { place, data: pass[place.side][place.layer] }] as const;
    }));
    const gradients = byName(network, pass.gradient);
    return await examine({ network, parameters, samples, gradients, values });
  };
  const all = ["logits", "a2", "z2", "a1", "z1"];
  const right = await examined(foreignGradient(network, parameters, samples), ...all);
  assert.ok(right.ok, right.text());
  assert.deepEqual(right.values.map(({ name }) => name), [
    "d.z1",
    "d.a1",
    "d.z2",
    "d.a2",
    "d.logits",
  ]);
  for (
    const [mistake, at, verdicts, says] of [
      ["slope at value", 1, "off off off right right", /activation of dense 2: .*: d\.z2 is off/],
      ["slope at value", 0, "off right right right right", /activation of dense 1: .*: d\.z1/],
      ["targets missing", undefined, "off off off off off", /the loss, cross-entropy: d\.logits/],
    ] as const
  ) {
    const report = await examined(
      foreignGradient(network, parameters, samples, { mistake, at }),
      ...all,
    );
    assert.equal(report.values.map(({ verdict }) => verdict).join(" "), verdicts);
    assert.match(report.diagnoses[0].text, says);
  }
});
