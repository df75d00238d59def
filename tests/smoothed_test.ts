import assert from "node:assert/strict";
import {
  checkFloat32,
  createEstimator,
  lossEvaluations,
  MOST_POINTS,
  SMOOTHING_KERNELS,
  type SmoothingKernel,
  stencilOf,
} from "../src/core/estimator.ts";
import { connect, createNetwork, parseNodes } from "../src/core/network.ts";
import { copiesErrorBound } from "../src/method/bounds.ts";
import { onDevice } from "../src/method/parity.ts";
import {
  all,
  assertClose,
  cli,
  engineOptions,
  freshParameters,
  gpuTest,
  gradientOn,
  gradientOnCpu,
  randomSamples,
} from "./support.ts";

const smoothed = (kernel: SmoothingKernel, points: number, h = 1) =>
  createEstimator("smoothed", h, 1, { kernel, points });

/** The kernels themselves, of the scale 1. */
const DENSITIES: Record<SmoothingKernel, (x: number) => number> = {
  triangle: (x) => Math.max(0, 1 - Math.abs(x)),
  exponential: (x) => Math.exp(-Math.abs(x)) / 2,
  logistic: (x) => 1 / (4 * Math.cosh(x / 2) ** 2),
};

Deno.test("a smoothed difference by hand: two points of a triangle", () => {
  // (f(w+h/2) - f(w-h/2) + f(w+h) - f(w-h)) c, and of f(w) = w it is (1 + 2) c = 1.
  assert.deepEqual(stencilOf(smoothed("triangle", 2)), [
    { offset: 0.5, coefficient: 1 / 3 },
    { offset: -0.5, coefficient: -1 / 3 },
    { offset: 1, coefficient: 1 / 3 },
    { offset: -1, coefficient: -1 / 3 },
  ]);
  // 2 x 3 weights of step units and their biases take four points each, the 3 x 2 + 2 of the outputs two.
  const network = createNetwork({ inputs: 2, hidden: [3], classes: 2, activation: "step" });
  assert.equal(lossEvaluations(smoothed("triangle", 2), network), 9 * 4 + 8 * 2);
  const one = stencilOf(smoothed("exponential", 1));
  assertClose(one.map(({ offset, coefficient }) => offset * coefficient), [0.5, 0.5], 1e-15);
});

Deno.test("smoothed differences are exact where a loss is linear, and see a jump as the kernel does", () => {
  for (const kernel of SMOOTHING_KERNELS) {
    for (const points of [1, 3, 16, MOST_POINTS]) {
      const stencil = stencilOf(smoothed(kernel, points));
      const of = (f: (x: number) => number) =>
        stencil.reduce((sum, { offset, coefficient }) => sum + coefficient * f(offset), 0);
      assertClose([of((x) => 3 * x), of((x) => x * x)], [3, 0], 1e-14, 1e-14);
      if (points < 16) continue;
      const spacing = stencil[0].offset, end = stencil.at(-2)!.offset;
      for (let t = 0.05; t < end; t += 0.2) {
        const jump = of((x) => (x > t ? 1 : 0)), density = DENSITIES[kernel];
        // A sum over points for the integral: off by a point's share, and by what lies beyond the last
        // (a hundredth of G(0), in the sum and in what it is divided by: up to 6.4 times that).
        const bound = spacing * 0.5 + 0.065;
        assert.ok(Math.abs(jump - density(t)) <= bound, `${kernel} at ${t}: ${jump}`);
      }
    }
  }
});

Deno.test("points and kernels that are none are refused", async () => {
  for (const points of [0, -1, 1.5, NaN, MOST_POINTS + 1]) {
    assert.throws(() => smoothed("logistic", points), /^RangeError: Cannot take .* points/);
  }
  assert.throws(() => checkFloat32(smoothed("logistic", 16, 1e38), 100), /float32 has room/);
  checkFloat32(smoothed("logistic", 16, 1e-6), 100);
  const { code, stderr } = await cli("train", "--kernel", "logistc");
  assert.equal(code, 2);
  assert.match(stderr, /did you mean logistic\?/);
});

const NETWORKS = [
  "dense 9, step",
  "dense 9, sign, dense 7, step, dense 6, round 4",
  "dense 8, round 30, dense 5, relu",
  "dense 7, relu, dense 6, round 3, dense 5, step", // inputs without a bound
  "dense 7, tanh, dense 6, relu, dense 5, silu, dense 4, step",
  "conv 3x3, sign, maxpool 2, dense 6, step",
];
for (const text of NETWORKS) {
  gpuTest(`smoothed differences against float64: ${text}`, async (open) => {
    const network = connect({
      inputs: 36,
      inputShape: [1, 6, 6],
      classes: 4,
      nodes: parseNodes(text),
    });
    const parameters = freshParameters(network);
    for (
      const [kernel, points, bytes] of [["logistic", 16, true], ["triangle", 3, false]] as const
    ) {
      const samples = randomSamples(5, network, bytes);
      const options = {
        ...engineOptions(network, samples, 5),
        estimator: smoothed(kernel, points, 0.4),
      };
      const copies = await gradientOnCpu({ ...options, method: "copies" }, parameters);
      const expected = await gradientOnCpu(options, parameters);
      const most = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
      assert.ok(most > 1e-3, `${most}`);
      // Losses of about 2, each rounded some 8 times, are subtracted and divided by 1e-4.
      assertClose(expected, copies, 0, 8 * 2 * 2 ** -53 / 1e-4);
      for (const sharing of [true, false]) {
        using gpu = await open();
        const actual = await gradientOn(gpu, { ...options, sharing }, parameters);
        assertClose(actual, expected, 0, 4e-6 * most); // roundings of sums of some 32 terms
      }
      if (bytes) continue; // once is enough of these
      using gpu = await open();
      const elements = Uint32Array.from({ length: network.parameters }, (_, i) => i)
        .filter((i) => i % 3 === 0).reverse();
      const some = await onDevice(gpu, options, parameters, async (engine) => {
        return (await engine.gradient(all(options.batch), elements)).gradient;
      });
      assertClose(some, Float64Array.from(elements, (i) => expected[i]), 0, 4e-6 * most);
      // By whole copies, losses of float32 are subtracted: what counts is divided by 0.4, or by 1e-4.
      const whole = await gradientOn(gpu, { ...options, method: "copies" }, parameters);
      const { offset } = network.layers.at(-1)!;
      const bound = copiesErrorBound(options, parameters);
      assertClose(whole.subarray(0, offset), expected.subarray(0, offset), 0, bound);
      assertClose(whole.subarray(offset), expected.subarray(offset), 0, bound * 0.4 / 1e-4);
    }
  });
}

gpuTest(
  "points that are found by division are those that evaluation crosses with",
  async (open) => {
    // One step unit, a batch of one: the gradient of W[i] is the response times a sum of coefficients.
    const network = connect({ inputs: 400, classes: 2, nodes: parseNodes("dense 1, step") });
    // Products with the points are exact, so that ties are.
    const x = Float32Array.from({ length: 400 }, (_, i) => (i + 1) / 512);
    const samples = { count: 1, inputs: 400, x, labels: Uint8Array.of(0) };
    using gpu = await open();
    for (const z of [-0.25, 0.25, 0, -1 / 1024]) {
      const parameters = new Float64Array(network.parameters);
      parameters.set([z, 0.7, -0.4], 400); // the unit's bias, and its row
      const estimator = smoothed("triangle", 16, 1); // points at multiples of 1/16
      const options = { ...engineOptions(network, samples, 1), estimator };
      const expected = await gradientOnCpu(options, parameters);
      const actual = await gradientOn(gpu, options, parameters);
      const distinct = new Set(expected.subarray(0, 400).map((value) => Number(value.toFixed(9))));
      assert.ok(distinct.size > 3 || z === 0, `${distinct.size}`); // at 0 any nudge ahead flips it
      // Ties, z + h x = 0, fall as they do in evaluation: one point is a sixteenth of all.
      assertClose(actual, expected, 0, 1e-6);
    }
  },
);
