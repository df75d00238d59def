import assert from "node:assert/strict";
import { CpuEngine } from "../src/cpu/engine.ts";
import { connect, createNetwork, parseNodes } from "../src/core/network.ts";
import { type Surrogate, SURROGATES, surrogateSlope } from "../src/core/surrogate.ts";
import { activationOf } from "../src/operations/registry.ts";
import {
  assertClose,
  cli,
  engineOptions,
  freshParameters,
  gpuTest,
  gradientOn,
  gradientOnCpu,
  randomSamples,
} from "./support.ts";

const slopeOf = (activation: string, name: Surrogate["name"], width: number) =>
  surrogateSlope(activationOf(activation).states!, { name, width });

Deno.test("surrogates of step, sign and round, by hand", () => {
  const at = (slope: (z: number) => number, ...places: number[]) => places.map(slope);
  for (const name of ["step", "sign", "round 4"]) {
    assert.deepEqual(at(slopeOf(name, "identity", 1), -9, 0, 0.5, 9), [1, 1, 1, 1]);
  }
  assert.deepEqual(at(slopeOf("step", "clipped", 1), -1.01, -1, 0, 1, 1.01), [0, 1, 1, 1, 0]);
  assert.deepEqual(at(slopeOf("sign", "clipped", 2), -2.1, -2, 2, 2.1), [0, 1, 1, 0]);
  // Thresholds at 1/6, 1/2 and 5/6.
  assert.deepEqual(at(slopeOf("round 4", "clipped", 0.5), -0.4, -0.3, 1.3, 1.4), [0, 1, 1, 0]);
  // A logistic density of scale w is 1 / 4w at its middle; e / (1 + e)^2 / w at w from it.
  const aside = Math.E / (1 + Math.E) ** 2;
  assertClose(at(slopeOf("step", "sigmoid", 2), 0, 2, -2), [1 / 8, aside / 2, aside / 2], 1e-14);
  assertClose(at(slopeOf("sign", "sigmoid", 1), 0, 1), [2 / 4, 2 * aside], 1e-14);
  const third = (z: number) => slopeOf("step", "sigmoid", 0.25)(z) / 3;
  assertClose(
    at(slopeOf("round 4", "sigmoid", 0.25), 0.5, 0.2),
    [0.5, 0.2].map((z) => third(z - 1 / 6) + third(z - 1 / 2) + third(z - 5 / 6)),
    1e-13,
  );
});

Deno.test("a sigmoid surrogate integrates to the steps, whatever its width", () => {
  for (const [activation, height] of [["step", 1], ["sign", 2], ["round 4", 1]] as const) {
    const slope = slopeOf(activation, "sigmoid", 0.5);
    let sum = 0;
    for (let z = -20; z < 20; z += 0.01) sum += 0.01 * slope(z + 0.005);
    assertClose([sum], [height], 1e-9);
  }
});

Deno.test("a gradient by surrogates, by hand", async () => {
  // 1-1-2 with squared error: z = 2 x - 1 = 0.5 at x = 0.75, a = 1, logits (0.3, -0.2), target 0.
  const network = createNetwork({
    inputs: 1,
    hidden: [1],
    classes: 2,
    activation: "step",
    loss: "squared-error",
  });
  const samples = { count: 1, inputs: 1, x: Float32Array.of(0.75), labels: Uint8Array.of(0) };
  const parameters = Float64Array.of(2, -1, 0.3, -0.2, 0, 0);
  const behind = (0.3 - 1) * 0.3 + -0.2 * -0.2; // dL/da
  const s = 1 / (1 + Math.exp(-1)); // of 0.5 / 0.5
  const slopes = { identity: 1, clipped: 1, sigmoid: s * (1 - s) / 0.5 };
  for (const name of SURROGATES) {
    const options = engineOptions(network, samples, 1, { method: "backprop" });
    const gradient = await gradientOnCpu(
      { ...options, surrogate: { name, width: 0.5 } },
      parameters,
    );
    const dz = behind * slopes[name];
    assertClose(gradient, [dz * 0.75, dz, -0.7, -0.2, -0.7, -0.2], 1e-12);
  }
});

const NETWORKS = [
  "dense 9, step",
  "dense 9, sign, dense 7, step, dense 6, round 4",
  "dense 8, round 200, dense 5, relu",
  "conv 3x3, sign, maxpool 2, conv 4x2 pad 1, round 4, dense 6, step",
  "maxpool 2, step, avgpool 2, scale, sign",
];
for (const text of NETWORKS) {
  gpuTest(`surrogates against float64: ${text}`, async (open) => {
    const network = connect({
      inputs: 64,
      inputShape: [1, 8, 8],
      classes: 4,
      nodes: parseNodes(text),
    });
    const samples = randomSamples(6, network, false), parameters = freshParameters(network);
    for (const name of SURROGATES) {
      using gpu = await open();
      const options = {
        ...engineOptions(network, samples, 6, { method: "backprop" }),
        surrogate: { name, width: 0.7 },
      };
      const expected = await gradientOnCpu(options, parameters);
      const actual = await gradientOn(gpu, options, parameters);
      const most = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
      assert.ok(most > 1e-3, `${most}`); // what stands before the steps learns, too
      // Sums of up to 64 products through up to 5 layers, each some roundings of its largest terms.
      assertClose(actual, expected, 0, 1e-5 * most);
      const first = expected.subarray(0, network.layers.find((l) => l.tensors.length)!.outputs);
      assert.ok(first.some((value) => value !== 0));
    }
  });
}

Deno.test("a surrogate is refused where it is of no use, in one line", async () => {
  const make = (
    surrogate: Surrogate,
    activation: "step" | "relu",
    method: "backprop" | "copies",
  ) => {
    const network = createNetwork({ inputs: 2, hidden: [2], classes: 2, activation });
    const samples = randomSamples(2, network);
    return () => new CpuEngine({ ...engineOptions(network, samples, 1, { method }), surrogate });
  };
  const clipped = { name: "clipped", width: 1 } as const;
  make(clipped, "step", "backprop")()[Symbol.dispose]();
  assert.throws(make(clipped, "step", "copies"), /with the engine copies: only backprop/);
  assert.throws(make(clipped, "relu", "backprop"), /no unit of the network has steps/);
  for (const width of [0, -1, NaN, Infinity]) {
    assert.throws(make({ ...clipped, width }, "step", "backprop"), /of width/);
  }
  const base = ["train", "--data", "digits", "--hidden", "3", "--steps", "1", "--backend", "cpu"];
  for (
    const [args, message] of [
      [
        ["--activation", "step", "--surrogate", "clipped"],
        /^Cannot use the surrogate clipped with/,
      ],
      [["--engine", "backprop", "--surrogate", "clipped"], /^Cannot use the surrogate clipped: no/],
      [["--surrogate-width", "2"], /^Cannot use --surrogate-width: there is no surrogate/],
      [["--surrogate", "cliped"], /did you mean clipped\?/],
    ] as const
  ) {
    const { code, stderr } = await cli(...base, ...args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }
});

Deno.test("a run by surrogates is saved and gone on with", async () => {
  const folder = await Deno.makeTempDir(), file = `${folder}/run.h5`;
  const base = ["train", "--data", "digits", "--hidden", "4", "--activation", "step", "--json"];
  const more = ["--backend", "cpu", "--batch", "5"];
  const surrogate = ["--engine", "backprop", "--surrogate", "sigmoid", "--surrogate-width", "0.5"];
  const whole = await cli(...base, ...more, ...surrogate, "--steps", "4");
  await cli(...base, ...more, ...surrogate, "--steps", "2", "--save", file);
  const rest = await cli("train", "--resume", file, "--steps", "4", "--json", "--backend", "cpu");
  await Deno.remove(folder, { recursive: true });
  assert.equal(JSON.parse(rest.stdout).weights, JSON.parse(whole.stdout).weights);
});
