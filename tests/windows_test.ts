/**
 * Networks of maps in float64: convolutions and pools as they are defined, and every way to a
 * gradient against whole copies by that definition.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { stencilOf } from "../src/core/estimator.ts";
import {
  type Activation,
  ACTIVATIONS,
  connect,
  DATA,
  type Layer,
  LOSSES,
  type Network,
  parameterTensors,
  parseNodes,
} from "../src/core/network.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { forward, gather } from "../src/cpu/forward.ts";
import type { Samples } from "../src/data/samples.ts";
import type { EngineOptions } from "../src/engine.ts";
import { activationOf } from "../src/operations/registry.ts";
import { tapCount, tapsOf } from "../src/operations/window.ts";
import {
  assertClose,
  assertOtherWays,
  engineOptions,
  freshParameters,
  gradientOnCpu,
  randomMaps,
  randomSamples,
  TWICE_SMOOTH,
} from "./support.ts";

const UNIT = 2 ** -53;
const all = (count: number) => Uint32Array.from({ length: count }, (_, n) => n);

/** Numbers, and how far each may be from what it were without rounding. */
interface Rounded {
  readonly values: number[];
  readonly errors: number[];
}

/** What each output of a window looks at, by its definition: its channel's or group's values. */
function* looks({ window }: Layer, c: number, y: number, x: number) {
  const { input: [channels, height, width], output, kernel, stride, dilation, pad, groups } =
    window!;
  const taken = channels / groups, group = Math.floor(c / (output[0] / groups));
  for (let i = 0; i < taken; i++) {
    for (let dy = 0; dy < kernel[0]; dy++) {
      for (let dx = 0; dx < kernel[1]; dx++) {
        const row = y * stride[0] - pad[0] + dy * dilation[0];
        const column = x * stride[1] - pad[1] + dx * dilation[1];
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        yield {
          at: ((group * taken + i) * height + row) * width + column,
          weight: ((c * taken + i) * kernel[0] + dy) * kernel[1] + dx,
        };
      }
    }
  }
}

/**
 * One sample's logits by definition, with a bound of their rounding (running error analysis: Higham,
 * "Accuracy and Stability of Numerical Algorithms", 2002, chapter 3): a sum of k products is off by
 * k + 1 units of the sum of their magnitudes, in whatever order, and passes on errors of what it takes
 * by the magnitudes of its weights; an activation passes them on by its steepest slope, and is itself
 * right to some 8 units.
 */
function logitsOf(network: Network, parameters: Float64Array, sample: ArrayLike<number>): Rounded {
  const known = new Map<number, Rounded>();
  known.set(DATA, { values: Array.from(sample), errors: Array.from(sample, () => 0) });
  network.layers.forEach((layer, l) => {
    const { kind, from, inputs, outputs, offset, window, activation } = layer;
    const { activate, steepest } = activationOf(activation);
    const taken = from.map((source) => known.get(source)!), [{ values: x, errors: e }] = taken;
    const values: number[] = [], errors: number[] = [];
    for (let k = 0; k < outputs; k++) {
      const terms: { value: number; error: number; weight: number }[] = [];
      const term = (at: number, weight: number) =>
        terms.push({ value: x[at], error: e[at], weight });
      let z = 0, error = 0;
      if (kind === "sum") {
        for (const { values, errors } of taken) {
          terms.push({ value: values[k], error: errors[k], weight: 1 });
        }
      } else if (kind === "dense") {
        for (let i = 0; i < inputs; i++) term(i, parameters[offset + i * outputs + k]);
        terms.push({ value: 1, error: 0, weight: parameters[offset + inputs * outputs + k] });
      } else {
        const [channels, height, width] = window!.output, c = Math.floor(k / (height * width));
        const place = k % (height * width), y = Math.floor(place / width);
        const seen = [...looks(layer, c, y, place % width)];
        if (kind === "conv") {
          const biases = offset + channels * window!.input[0] / window!.groups *
              window!.kernel[0] * window!.kernel[1];
          for (const { at, weight } of seen) term(at, parameters[offset + weight]);
          terms.push({ value: 1, error: 0, weight: parameters[biases + c] });
        } else if (kind === "avgpool") { for (const { at } of seen) term(at, 1 / seen.length); }
        else {
          z = Math.max(...seen.map(({ at }) => x[at]));
          error = Math.max(...seen.map(({ at }) => e[at]));
        }
      }
      for (const { value, weight } of terms) z += value * weight;
      for (const { value, error: before, weight } of terms) {
        error += Math.abs(weight) * (before + (terms.length + 2) * UNIT * Math.abs(value));
      }
      values.push(activate(z));
      errors.push(steepest * error + 8 * UNIT * (Math.abs(activate(z)) + Math.abs(z)));
    }
    known.set(l, { values, errors });
  });
  return known.get(network.layers.length - 1)!;
}

/** A batch's mean loss by definition, and how far it may be off. */
function lossOf(network: Network, parameters: Float64Array, { count, inputs, x, labels }: Samples) {
  const { classes, epsilon } = network;
  let loss = 0, error = 0;
  for (let n = 0; n < count; n++) {
    const sample = Array.from(x.subarray(n * inputs, (n + 1) * inputs));
    const { values, errors } = logitsOf(network, parameters, sample);
    const most = Math.max(...errors), label = labels[n];
    if (network.loss === "squared-error") {
      const residuals = values.map((value, k) => value - (k === label ? 1 : 0));
      const each = residuals.reduce((sum, r) => sum + r * r, 0) / 2;
      loss += each / count;
      error += residuals.reduce((sum, r) => sum + Math.abs(r), 0) * most + classes * most ** 2 +
        (classes + 4) * UNIT * each;
    } else {
      const largest = Math.max(...values);
      const total = values.reduce((sum, value) => sum + Math.exp(value - largest), 0);
      const gap = values[label] - largest - Math.log(total);
      const each = epsilon === 0 ? -gap : -Math.log(Math.exp(gap) + epsilon);
      loss += each / count;
      // It is as steep as 2 in the largest change; exp and log round by what they are of.
      const spread = largest - Math.min(...values);
      error += 2 * most + 4 * UNIT * (classes + 2 + 2 * spread + Math.abs(each));
    }
  }
  return { loss, error: error / count + 2 * count * UNIT * Math.abs(loss) };
}

/** The gradient by whole copies as they are defined, and how far each element may be off. */
function copiesOf(
  { network, estimator: { h }, estimator, samples }: EngineOptions,
  parameters: Float64Array,
) {
  const centre = lossOf(network, parameters, samples), copy = parameters.slice();
  const gradient = new Float64Array(parameters.length),
    errors = new Float64Array(parameters.length);
  parameters.forEach((weight, index) => {
    for (const { offset, coefficient } of stencilOf(estimator)) {
      copy[index] = weight + offset * h;
      const { loss, error } = lossOf(network, copy, samples);
      // The nudged weight itself is rounded, which an exact change does not see.
      const rounding = UNIT * (Math.abs(weight) + h) / h * Math.abs(loss - centre.loss);
      gradient[index] += coefficient * (loss - centre.loss) / h;
      errors[index] += Math.abs(coefficient) * (error + centre.error + rounding) / h;
    }
    copy[index] = weight;
  });
  return { gradient, errors };
}

/** Fails with the tensor, the largest excess and its place. */
function assertWithin(
  network: Network,
  actual: Float64Array,
  { gradient, errors }: ReturnType<typeof copiesOf>,
  about: string,
) {
  for (const { name, shape, offset, size } of parameterTensors(network)) {
    let worst = offset, excess = 0;
    for (let i = offset; i < offset + size; i++) {
      // Changes are rounded as values are, and no larger than those of both copies together.
      const each = Math.abs(actual[i] - gradient[i]) / (2 * errors[i]);
      if (!(each <= excess)) [worst, excess] = [i, each];
    }
    assert.ok(
      excess <= 1,
      `${about}: ${name} [${shape}] at ${worst - offset}: ${actual[worst]} instead of ` +
        `${gradient[worst]}, allowed ${2 * errors[worst]}`,
    );
  }
}

const PIECES = ACTIVATIONS.filter((name) => activationOf(name).pieces);
const CONTINUOUS = ACTIVATIONS.filter((name) => activationOf(name).steepest < Infinity);

const cases = fc.record({
  seed: fc.integer({ min: 0, max: 1_000_000 }),
  batch: fc.integer({ min: 1, max: 2 }),
  loss: fc.constantFrom(...LOSSES),
  epsilon: fc.constantFrom(0, 1e-7),
  estimator: fc.constantFrom("forward" as const, "central" as const, "five-point" as const),
  h: fc.constantFrom(1e-3, 1e-1, 1),
  activations: fc.constantFrom<readonly Activation[]>(CONTINUOUS, PIECES),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

function problemOf({ seed, batch, loss, epsilon, estimator, h, activations }: Case) {
  const network = randomMaps(seed, { loss, epsilon, activations });
  const samples = randomSamples(batch, network, false, seed);
  const parameters = freshParameters(network, 0.7, seed);
  const options = engineOptions(network, samples, batch, { estimator, h });
  return { network, samples, parameters, options };
}

Deno.test("maps go through a network as they are defined to", () => {
  fc.assert(
    fc.property(cases, (chosen) => {
      const { network, samples, parameters } = problemOf(chosen);
      const trace = forward(network, parameters, gather(samples, all(samples.count)));
      const { loss, error } = lossOf(network, parameters, samples);
      const mean = trace.losses.reduce((sum, each) => sum + each, 0) / samples.count;
      assert.ok(Math.abs(mean - loss) <= 2 * error, `${mean} instead of ${loss}, by ${error}`);
      for (const { window } of network.layers) {
        if (window) assert.equal(tapCount(window), tapsOf(window).filter((tap) => tap >= 0).length);
      }
    }),
    { numRuns: 300, seed: 1 },
  );
});

Deno.test("exact changes of maps are those of whole copies, as these are defined", async () => {
  const seen = { conv: 0, grouped: 0, maxpool: 0, avgpool: 0, padded: 0, joined: 0, scale: 0 };
  await fc.assert(
    fc.asyncProperty(cases, async (chosen) => {
      const { network, parameters, options } = problemOf(chosen);
      for (const { kind, window, from, fan } of network.layers) {
        if (kind === "conv") seen.conv++;
        if (kind === "conv" && window!.groups > 1 && fan) seen.grouped++;
        if (kind === "conv" && !fan) seen.scale++;
        if (kind === "maxpool" || kind === "avgpool") seen[kind]++;
        if (kind === "avgpool" && Math.max(...window!.pad) > 0) seen.padded++;
        if (kind === "sum" && from.length > 1) seen.joined++;
      }
      const literal = copiesOf(options, parameters), about = JSON.stringify(chosen);
      for (const sharing of [true, false]) {
        const gradient = await gradientOnCpu({ ...options, sharing }, parameters);
        assertWithin(network, gradient, literal, `${about}, sharing ${sharing}`);
      }
      const copies = await gradientOnCpu({ ...options, method: "copies" }, parameters);
      assertWithin(network, copies, literal, `${about}, copies`);
    }),
    { numRuns: 200, seed: 1 },
  );
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 20, `${what}: ${count}`);
});

// Weights, inputs and nudges are multiples of 1/4 and small: each of these numbers is one of
// float64's, and windows hold equal values everywhere.
Deno.test("ties of max pools, before and after, to the last bit", async () => {
  let ties = 0;
  await fc.assert(
    fc.asyncProperty(cases, async (chosen) => {
      const network = randomMaps(chosen.seed, {
        loss: "squared-error",
        epsilon: 0,
        activations: ["relu", "clip"],
      });
      if (network.layers.some(({ kind }) => kind === "avgpool")) return; // means of 3 are no such
      const batch = 2,
        options = engineOptions(network, randomSamples(2, network, false, chosen.seed), batch, {
          estimator: "central",
          h: [0.25, 0.5, 1][chosen.seed % 3],
        });
      const x = options.samples.x.map((value) => Math.round(2 * value) / 2);
      const samples = { ...options.samples, x };
      const parameters = freshParameters(network, 0.7, chosen.seed)
        .map((weight) => Math.max(-1, Math.min(1, Math.round(2 * weight) / 2)));
      const trace = forward(network, parameters, gather(samples, all(batch)));
      network.layers.forEach((layer, l) => {
        if (layer.kind !== "maxpool") return;
        const { inputs, outputs, from: [source], window } = layer;
        for (let k = 0; k < batch * outputs; k++) {
          const n = Math.floor(k / outputs), [, height, width] = window!.output;
          const place = k % outputs % (height * width);
          const c = Math.floor(k % outputs / (height * width));
          const seen = [...looks(layer, c, Math.floor(place / width), place % width)].map((
            { at },
          ) => trace.values[source + 1][n * (inputs + 1) + at]);
          const winner = trace.winners[l]![k], largest = Math.max(...seen);
          ties += seen.filter((value) => value === largest).length - 1;
          // The first of equals.
          const places = [...looks(layer, c, Math.floor(place / width), place % width)];
          assert.equal(winner, places[seen.indexOf(largest)].at);
        }
      });
      const { gradient } = copiesOf({ ...options, samples }, parameters);
      for (const sharing of [true, false]) {
        const ours = await gradientOnCpu({ ...options, samples, sharing }, parameters);
        assert.deepEqual(ours.map((g) => g + 0), gradient.map((g) => g + 0));
      }
    }),
    { numRuns: 400, seed: 5 },
  );
  assert.ok(ties > 200, `${ties} ties`);
});

// One map of two cells, pooled: 3 and 3 - gap, of which a nudge of the filter moves each by its
// input, 1 and 2. The second wins once 3 - gap + 2 d is more than 3 + d.
Deno.test("a max pool's change is the new winner's, and small ones are not lost", async () => {
  const network = connect({
    inputs: 2,
    inputShape: [1, 1, 2],
    classes: 1,
    loss: "squared-error",
    nodes: parseNodes("conv 1x1, maxpool 1x2"),
  });
  const samples = { count: 1, inputs: 2, x: Float64Array.of(1, 2), labels: Uint8Array.of(0) };
  const change = async (w: number, b: number, h: number) => {
    // The dense layer passes the pool's value on, less what it was: the loss is of its change.
    const parameters = Float64Array.of(w, b, 1, 0);
    const options = engineOptions(network, samples, 1, { estimator: "forward", h });
    const trace = forward(network, parameters, gather(samples, all(1)));
    const residual = trace.values.at(-1)![0] - 1;
    const [dW] = await gradientOnCpu(options, parameters);
    return { dW, of: (d: number) => d * (residual + d / 2) / h };
  };
  // Values w + b and 2w + b. With w = 0 they tie, and the first wins; nudged up, the second does.
  for (const h of [1e-20, 1e-12, 1e-4, 1]) {
    const { dW, of } = await change(0, 3, h);
    assertClose([dW], [of(2 * h)], 4e-16);
  }
  // With w = -1/8 the first wins until w is 0: from there on the second, by 2w - (-1/8).
  for (const h of [1e-12, 0.125, 0.25, 1]) {
    const { dW, of } = await change(-0.125, 3, h);
    assertClose([dW], [of(h <= 0.125 ? h : 2 * (h - 0.125) + 0.125)], 4e-16);
  }
});

Deno.test("backpropagation and random directions go through maps, too", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (chosen) => {
      const { parameters, options } = problemOf({ ...chosen, activations: TWICE_SMOOTH });
      await assertOtherWays(options, parameters);
    }),
    { numRuns: 200, seed: 1 },
  );
});

Deno.test("an element of a convolution costs and is the same alone, on any number of threads", async () => {
  await fc.assert(
    fc.asyncProperty(
      cases,
      fc.constantFrom("differences" as const, "copies" as const, "backprop" as const),
      fc.boolean(),
      async (chosen, method, sharing) => {
        const { network, parameters, options: given } = problemOf(chosen);
        const options = { ...given, method, sharing };
        const whole = await gradientOnCpu(options, parameters);
        const elements = Uint32Array.from(
          { length: 9 },
          (_, i) => (chosen.seed * (i + 1) * 7919) % network.parameters,
        );
        const some = await gradientOnCpu(options, parameters, elements);
        assert.deepEqual(some, Float64Array.from(elements, (element) => whole[element]));
      },
    ),
    { numRuns: 100, seed: 3 },
  );
  const network = randomMaps(4), samples = randomSamples(2, network);
  const options = engineOptions(network, samples, 2), parameters = freshParameters(network);
  const one = await gradientOnCpu(options, parameters);
  assert.deepEqual(await gradientOnCpu(options, parameters, undefined, 3), one);
});

Deno.test("networks of maps train, by every numerical method", async () => {
  const network = connect({
    inputs: 2 * 6 * 6,
    inputShape: [2, 6, 6],
    classes: 3,
    nodes: parseNodes("conv 4x3 pad same, scale, relu, maxpool 2, conv 4x2 groups 2, tanh"),
  });
  const samples = randomSamples(6, network);
  for (const [method, estimator] of [["differences", "central"], ["copies", "central"]] as const) {
    using engine = new CpuEngine(
      engineOptions(network, samples, 6, { method, estimator, h: 1e-4, optimizer: "adam" }),
    );
    engine.setParameters(freshParameters(network));
    const rows = Uint32Array.from({ length: 6 * 40 }, (_, i) => i % 6);
    const losses = await engine.train(rows, new Float64Array(40).fill(0.05));
    assert.ok(losses.at(-1)! < 0.2 * losses[0], `${method}: ${losses[0]} to ${losses.at(-1)}`);
  }
});
