/** Exact changes of either engine against arithmetic of 64 digits, with what each may be off by. */

import assert from "node:assert/strict";
import { stencilOf } from "../src/core/estimator.ts";
import {
  type Activation,
  ACTIVATIONS,
  createNetwork,
  DATA,
  type Network,
  parameterTensors,
  residualsOf,
} from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import type { Samples } from "../src/data/samples.ts";
import { activationOf, losses } from "../src/operations/registry.ts";
import { differences, slicesOf } from "../src/gpu/differences.ts";
import type { Gpu } from "../src/gpu/device.ts";
import { epsilonConstants, Forward } from "../src/gpu/forward.ts";
import { command } from "../src/gpu/kernel.ts";
import { Lists } from "../src/gpu/lists.ts";
import { createStage } from "../src/gpu/stage.ts";
import { engineOptions, SMOOTH_LOSSES } from "./support.ts";
import { change, Exact, loss, type Pass, passOf, type Reference, reference } from "./reference.ts";

const UNIT = { float32: 2 ** -24, float64: 2 ** -53 };
const BATCH = Uint32Array.of(0, 1);

/**
 * Fails where a tensor is off. Its allowed distance is `tolerance` of what was added up to it (of
 * the sums of magnitudes: where they cancel, their roundings stay), and as many roundings more as a
 * nudge's own rounding costs: exp(dz) is off by |dz| times that of dz, in each of up to four stages.
 * Below that are the numbers that the precision cannot hold, `smallest` at each of so many sums.
 */
export function assertExact(
  network: Network,
  actual: Float64Array,
  { gradient, magnitude, reach }: Reference,
  h: number,
  precision: keyof typeof UNIT,
  about = "",
): void {
  const relative = precision === "float32" ? 1e-6 : 1e-11;
  const smallest = precision === "float32" ? 2 ** -126 : 1e-45;
  for (const { name, offset, size } of parameterTensors(network)) {
    let error = 0, norm = 0, worst = 0, at = 0;
    for (let i = offset; i < offset + size; i++) {
      const distance = Math.abs(actual[i] - gradient[i]);
      error += distance ** 2;
      norm += magnitude[i] ** 2;
      if (!(distance <= worst)) [worst, at] = [distance, i];
    }
    const allowed = (relative + 4 * UNIT[precision] * reach) * Math.sqrt(norm) +
      Math.sqrt(size) * 100 * smallest / h;
    assert.ok(
      Math.sqrt(error) <= allowed,
      `${about} ${name}: distance ${Math.sqrt(error)} of ${Math.sqrt(norm)}, allowed ${allowed}; ` +
        `[${at - offset}] is ${actual[at]} instead of ${gradient[at]}`,
    );
  }
}

/** A network with its weights and a batch, by what is to be hard about it. */
export interface Case {
  inputs?: number;
  hidden?: number[];
  activation: Activation;
  loss: "cross-entropy" | "squared-error";
  epsilon?: number;
  /** Standard deviations of the weights and the inputs. */
  weights: number;
  x: number;
  /** Inputs are whole numbers from 0 to 255. */
  pixels?: boolean;
  h: number;
  seed: number;
}

export function build({ inputs = 4, hidden = [4], weights, x, pixels, seed, ...rest }: Case) {
  const network = createNetwork({ inputs, hidden, classes: 3, ...rest });
  const random = new Xoshiro(seed);
  const value = () => pixels ? Math.floor(256 * random.uniform()) : x * random.normal();
  const samples: Samples = {
    count: 2,
    inputs,
    x: Float32Array.from({ length: 2 * inputs }, value),
    labels: Uint8Array.of(0, 2),
  };
  const parameters = Float64Array.from(
    { length: network.parameters },
    () => Math.fround(weights * random.normal()),
  );
  const options = engineOptions(network, samples, 2, { h: rest.h });
  return { network, samples, parameters, options };
}

/** The CPU engine against whole passes of 64 digits. */
export async function checkCpu(hard: Case): Promise<void> {
  const { network, samples, parameters, options } = build(hard);
  using engine = new CpuEngine(options, 1);
  engine.setParameters(parameters);
  const { gradient } = await engine.gradient(BATCH);
  const { inputs } = network;
  // From float64's own passes: their roundings are no concern of the changes.
  const passes = [0, 1].map((n) =>
    rounded(passOf(network, parameters, samples.x.subarray(n * inputs, (n + 1) * inputs)))
  );
  const stencil = stencilOf(options.estimator);
  const expected = reference(network, parameters, passes, samples.labels, stencil, hard.h);
  assertExact(network, gradient, expected, hard.h, "float64", JSON.stringify(hard));
}

/** A pass whose numbers are float64's. */
function rounded({ values, z }: Pass): Pass {
  const round = (rows: Exact[][]) =>
    rows.map((row) => row.map((value) => new Exact(value.toNumber())));
  return { values: round(values), z: round(z) };
}

/** The kernels against changes of 64 digits from what the device's own forward pass left. */
export async function checkGpu(gpu: Gpu, hard: Case): Promise<void> {
  const { network, samples, parameters, options } = build(hard);
  const stencil = stencilOf(options.estimator).map((point) => ({
    ...point,
    offset: Math.fround(point.offset * hard.h) / hard.h, // as the device takes it
  }));
  const slices = slicesOf(gpu, options);
  const weights = gpu.upload("parameters", Float32Array.from(parameters));
  const forward = new Forward(gpu, network, weights, samples, 2, 1);
  const gradient = gpu.buffer("gradient", 4 * slices * network.parameters);
  const keys = gpu.buffer("keys", 4);
  const slopes = gpu.buffer("slopes", 4);
  const lists = new Lists(gpu), notes = { buffer: gpu.buffer("notes", 12), at: 0 };
  const parts = {
    gpu,
    options,
    forward,
    parameters: weights,
    gradient,
    slices,
    keys,
    slopes,
    lists,
    notes,
  };
  const stage = createStage(parts);
  forward.begin(BATCH);
  gpu.run([...forward.commands, ...differences(stage)]);
  const read = async (buffer: GPUBuffer) => new Float32Array(await gpu.read(buffer));
  const exact = (values: Float32Array) => Array.from(values, (value) => new Exact(value));
  const layers = [DATA, ...network.layers.keys()];
  const values = await Promise.all(layers.map((l) => read(forward.values(l).buffer)));
  const companions = await Promise.all(forward.companions.map(read));
  const passes = [0, 1].map((n): Pass => ({
    values: values.map((rows, l) => {
      const width = network.layers[l]?.inputs ?? network.classes;
      return exact(rows.subarray(n * (width + 1), (n + 1) * (width + 1)));
    }),
    z: companions.map((rows, l) => {
      const { outputs } = network.layers[l];
      return exact(rows.subarray(2 * n * outputs, 2 * (n + 1) * outputs).filter((_, i) => i % 2));
    }),
  }));
  const partial = (await read(gradient)).subarray(0, slices * network.parameters);
  const actual = new Float64Array(network.parameters);
  partial.forEach((value, i) => actual[i % actual.length] += value);
  const expected = reference(network, parameters, passes, samples.labels, stencil, hard.h);
  assertExact(network, actual, expected, hard.h, "float32", JSON.stringify(hard));
}

/** The cases that went wrong before. */
export const KNOWN: Case[] = [
  // Saturated units, whose denominators cancelled; x ~ N(0, 10), h = 1.
  { activation: "tanh", loss: "cross-entropy", weights: 1, x: 10, h: 1, seed: 1 },
  { activation: "sigmoid", loss: "cross-entropy", weights: 1, x: 10, h: 1, seed: 1 },
  // Raw pixels.
  ...(["tanh", "relu", "sigmoid"] as const).flatMap((activation) =>
    [0.05, 1].map((h): Case => ({
      inputs: 16,
      activation,
      loss: "cross-entropy",
      weights: 1,
      x: 0,
      pixels: true,
      h,
      seed: 2,
    }))
  ),
  // Inputs of a million, at the default h.
  { activation: "sigmoid", loss: "cross-entropy", weights: 1, x: 1e6, h: 1e-4, seed: 3 },
  { activation: "tanh", loss: "squared-error", weights: 1, x: 1e6, h: 1e-4, seed: 3 },
  // Probabilities below exp(-87).
  {
    activation: "relu",
    loss: "cross-entropy",
    epsilon: 1e-30,
    weights: 3,
    x: 5,
    h: 1e-4,
    seed: 4,
  },
];

/** Both signs of numbers from `smallest` to `largest`, so many to each power of ten. */
function logarithmic(smallest: number, largest: number, each: number): number[] {
  const count = Math.round(Math.log10(largest / smallest) * each);
  const positive = Array.from(
    { length: count + 1 },
    (_, i) => Math.fround(smallest * 10 ** (i / each)),
  );
  return [...positive, ...positive.map((x) => -x)];
}

const Z = [0, ...logarithmic(1e-3, 1e4, 1.5)];
const DZ = logarithmic(1e-30, 1e-4, 0.2).concat(logarithmic(1e-4, 1e4, 1.7));

/**
 * Activations that round as their input is large. The exponentials of both gelus are of more than that:
 * operations_test.ts has it, and all others.
 */
export const BY_INPUT = ACTIVATIONS.filter((name) => !name.startsWith("gelu"));

/** All pairs, with their exact changes. */
function pairsOf(activation: Activation) {
  return Z.flatMap((z) =>
    DZ.map((dz) => ({
      z,
      dz,
      expected: change(activation, new Exact(z), new Exact(dz)).toNumber(),
    }))
  );
}

const pairs = new Map<Activation, ReturnType<typeof pairsOf>>(); // evaluated once
function pairsFor(activation: Activation) {
  if (!pairs.has(activation)) pairs.set(activation, pairsOf(activation));
  return pairs.get(activation)!;
}

/**
 * Fails with the worst pair. Where a unit stays saturated, exp(z + dz) is off by as many roundings as
 * z + dz is large, up to where float32 holds no such number.
 */
function assertChanges(
  actual: ArrayLike<number>,
  pairs: { z: number; dz: number; expected: number }[],
  precision: keyof typeof UNIT,
): void {
  pairs.forEach(({ z, dz, expected }, i) => {
    const sum = Math.min(Math.abs(z) + Math.abs(dz), 750);
    const allowed = (precision === "float32" ? 1e-6 : 1e-13) + 4 * UNIT[precision] * sum;
    // What is made of an exponential, which ends at e^-87, and of z.
    const smallest = precision === "float32" ? 2 ** -120 : 1e-56;
    assert.ok(
      Math.abs(actual[i] - expected) <= allowed * Math.abs(expected) + smallest,
      `z = ${z}, dz = ${dz}: ${actual[i]} instead of ${expected}`,
    );
  });
}

/** float64's changes of an activation. */
export function checkCpuActivation(activation: Activation): void {
  const { activate, derivative, change } = activationOf(activation);
  const actual = pairsFor(activation).map(({ z, dz }) => change(activate(z), derivative(z), z, dz));
  assertChanges(actual, pairsFor(activation), "float64");
}

/** The device's, by the three functions that there are for them. */
export async function checkGpuActivation(gpu: Gpu, activation: Activation): Promise<void> {
  const pairs = pairsFor(activation);
  const { any, near, tiny } = await changesOnDevice(gpu, activation, pairs);
  for (const [changes, limit] of [[any, Infinity], [near, 0.5], [tiny, 2 ** -12]] as const) {
    const kept = <T>(_: T, i: number) => Math.abs(pairs[i].dz) <= limit;
    assertChanges(Array.from(changes).filter(kept), pairs.filter(kept), "float32");
  }
}

/** A kernel without its indentation, as imports and constants are looked for. */
const flush = (code: string) => code.replaceAll(/^ +/gm, "");

/** What the device makes of all pairs, by the three functions that there are for it. */
async function changesOnDevice(
  gpu: Gpu,
  activation: Activation,
  pairs: { z: number; dz: number }[],
) {
  const code = `#import activation
    @group(0) @binding(0) var<storage, read> pairs: array<vec2f>;
    @group(0) @binding(1) var<storage, read_write> changes: array<vec4f>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < arrayLength(&pairs)) {
        let z = vec4f(pairs[id.x].x);
        let dz = pairs[id.x].y;
        let a = activate(z);
        let c = derivative(z);
        let unit = tiny_unit(a, c, z);
        changes[id.x] = vec4f(
          change(a, c, z, vec4f(dz)).x,
          near_change(a, c, z, vec4f(dz)).x,
          tiny_change(unit, dz).x,
          0.0
        );
      }
    }`;
  const data = Float32Array.from(pairs.flatMap(({ z, dz }) => [z, dz]));
  const changes = gpu.buffer("changes", 16 * pairs.length);
  const kernel = { name: `changes of ${activation}`, code: flush(code) };
  const groups = [Math.ceil(pairs.length / 64)] as const;
  const buffers = { pairs: gpu.upload("pairs", data), changes };
  gpu.run([command(gpu, kernel, groups, buffers, {}, { activation })]);
  const all = new Float32Array(await gpu.read(changes));
  const column = (at: number) => all.filter((_, i) => i % 4 === at);
  return { any: column(0), near: column(1), tiny: column(2) };
}

/** Logits, and changes of them, from tame to hopeless. */
function lossCases(classes: number) {
  const random = new Xoshiro(5);
  return [0.5, 5, 50, 500].flatMap((spread) =>
    [1e-30, 1e-12, 1e-5, 1e-4, 1e-2, 1, 20, 50, 200, 1e4].flatMap((size) =>
      [0, 1].map((one) => {
        const logits = Array.from({ length: classes }, () => Math.fround(spread * random.normal()));
        const label = Math.floor(classes * random.uniform());
        // All logits move, or one of them alone.
        const k = one ? Math.floor(classes * random.uniform()) : -1;
        const d = Array.from(
          { length: classes },
          (_, j) => k < 0 || k === j ? Math.fround(size * random.normal()) : 0,
        );
        return { logits, label, k, d };
      })
    )
  );
}

/**
 * How far a change of the loss may be off. Of a sum v of terms p expm1(D) the roundings of the terms
 * stay, and exp(D) is off by as many as D is large; a logarithm of the sum, which is taken where v
 * is not small, is off by roundings of what it is taken of: logits and their changes.
 */
function allowedOf(
  network: Network,
  { logits, label, d }: { logits: number[]; label: number; d: number[] },
  expected: number,
  precision: keyof typeof UNIT,
): number {
  const unit = UNIT[precision];
  const relative = (precision === "float32" ? 1e-6 : 1e-13) * Math.abs(expected);
  const smallest = precision === "float32" ? 2 ** -124 : 1e-55;
  if (network.loss === "squared-error") {
    const terms = logits.map((y, k) => Math.abs(d[k] * (y - (k === label ? 1 : 0) + d[k] / 2)));
    return relative + 8 * unit * terms.reduce((a, b) => a + b) + smallest;
  }
  const largest = Math.max(...logits);
  const sum = logits.reduce((sum, y) => sum + Math.exp(y - largest), 0);
  const gap = logits[label] - largest - Math.log(sum), eps = Math.log(network.epsilon);
  const share = 1 / (1 + Math.exp(eps - gap));
  const moves = d.map((change) => change - d[label]);
  const most = Math.max(...moves.map(Math.abs));
  const terms = logits.map((y, k) =>
    Math.exp(y - largest) / sum * Math.abs(Math.expm1(Math.min(700, moves[k])))
  );
  const v = terms.reduce((a, b) => a + b);
  const sizes = 1 + most + Math.max(...logits.map((y) => largest - y));
  const roundings = Math.min(share * v, 1) * sizes;
  return relative + 8 * unit * roundings + smallest;
}

/** The losses, each with what may be in its logarithm. */
export const LOSS_NETWORKS: readonly Network[] = SMOOTH_LOSSES.flatMap((loss) =>
  (loss === "cross-entropy" ? [1e-7, 0, 1e-30, 1e-40] : [0]).map((epsilon) =>
    createNetwork({ inputs: 1, hidden: [], classes: 4, loss, epsilon })
  )
);

const LOSS_CASES = lossCases(4);
type LossCase = typeof LOSS_CASES[number];

/** Compares changes of the loss in some of the cases. */
function assertLosses(
  network: Network,
  precision: keyof typeof UNIT,
  actual: ArrayLike<number>, // [cases]
  which: (one: LossCase, i: number) => boolean = () => true,
): void {
  LOSS_CASES.forEach((one, i) => {
    if (!which(one, i)) return;
    const { logits, label, d } = one;
    const before = logits.map((y) => new Exact(y)), after = before.map((y, k) => y.plus(d[k]));
    const truth = loss(network, after, label).minus(loss(network, before, label)).toNumber();
    assert.ok(
      Math.abs(actual[i] - truth) <= allowedOf(network, one, truth, precision),
      `${JSON.stringify(one)}: ${actual[i]} instead of ${truth}`,
    );
  });
}

/** float64's changes of a loss. */
export function checkCpuLoss(network: Network): void {
  const { value, changes: all, changesOfOne } = losses[network.loss];
  const actual = LOSS_CASES.map(({ logits, label, k, d }) => {
    const residuals = new Float64Array(residualsOf(network)), changes = new Float64Array(1);
    value(Float64Array.from(logits), label, network.epsilon, residuals, 0);
    if (k < 0) all(residuals, 0, label, Float64Array.from(d), Float64Array.of(1), changes);
    else changesOfOne(residuals, 0, label, 4, k, Float64Array.of(d[k]), changes);
    return changes[0];
  });
  assertLosses(network, "float64", actual);
}

/** The device's, by the four functions that there are for them. */
export async function checkGpuLoss(gpu: Gpu, network: Network): Promise<void> {
  const { any, near, tiny, one } = await lossChangesOnDevice(gpu, network, LOSS_CASES);
  const most = ({ d, label }: LossCase) => Math.max(...d.map((x) => Math.abs(x - d[label])));
  assertLosses(network, "float32", any);
  assertLosses(network, "float32", near.values, (each, i) => most(each) <= near.limits[i]);
  assertLosses(network, "float32", tiny, (each) => most(each) <= 2 ** -12);
  assertLosses(network, "float32", one, ({ k }) => k >= 0);
}

/** What the device makes of all cases, by the four functions that there are for it. */
async function lossChangesOnDevice(
  gpu: Gpu,
  network: Network,
  cases: { logits: number[]; label: number; k: number; d: number[] }[],
) {
  const { classes, loss } = network, count = cases.length;
  const code = `#import loss
    #import special
    override CLASSES: u32;
    override BATCH: u32;
    @group(0) @binding(0) var<storage, read> residuals: array<f32>;
    @group(0) @binding(1) var<storage, read> moves: array<f32>; // [BATCH, CLASSES]
    @group(0) @binding(2) var<storage, read> labels: array<u32>;
    @group(0) @binding(3) var<storage, read> alone: array<u32>;
    @group(0) @binding(4) var<storage, read_write> changes: array<vec4f>;
    @group(0) @binding(5) var<storage, read_write> limits: array<f32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u) {
      let n = id.x;
      if (n >= BATCH) {
        return;
      }
      let row = residual_row(n);
      let of_target = loss_target(row);
      let reference = loss_reference(vec4f(moves[n * CLASSES + labels[n]]));
      var any_sum = loss_sum();
      var near_sum = NearSum();
      var tiny_sum = vec4f();
      for (var k = 0u; k < CLASSES; k++) {
        let d = vec4f(moves[n * CLASSES + k]) - reference;
        any_sum = loss_add(any_sum, row, k, d);
        near_sum = near_add(near_sum, residuals[row + k], d);
        let parts = tiny_parts(residuals[row + k], d);
        tiny_sum += parts.x + parts.y;
      }
      let k = min(alone[n], CLASSES - 1u);
      let d = vec4f(moves[n * CLASSES + k]);
      changes[n] = vec4f(
        loss_change(any_sum, row).x,
        near_loss_change(near_sum, of_target).x,
        tiny_loss_change(tiny_sum, of_target).x,
        loss_change_of_one(row, k, labels[n], d, abs(d.x)).x
      );
      limits[n] = of_target.near;
    }`;
  const logits = cases.flatMap(({ logits }) => [...logits, 1]);
  const residuals = gpu.buffer("residuals", 4 * count * residualsOf(network));
  const labels = gpu.upload("labels", Uint32Array.from(cases, ({ label }) => label));
  const changes = gpu.buffer("changes", 16 * count), limits = gpu.buffer("limits", 4 * count);
  const constants = { CLASSES: classes, BATCH: count, ROWS: count };
  gpu.run([
    command(gpu, `${loss}_loss`, [Math.ceil(count / 64)], {
      logits: gpu.upload("logits", Float32Array.from(logits)),
      labels,
      residuals,
      losses: gpu.buffer("losses", 4 * count),
      goals: gpu.upload("goals", new Float32Array(1)), // of which there are none
      indices: gpu.upload("indices", new Uint32Array(1)),
      step: gpu.upload("step", new Uint32Array(1)),
    }, {
      ...constants,
      ...epsilonConstants(network),
      KEEP: true,
      HAS_GOALS: false,
      COPY_STRIDE: 0,
      SAMPLE_STRIDE: classes + 1,
      CLASS_STRIDE: 1,
    }),
    command(
      gpu,
      { name: `changes of ${loss}`, code: flush(code) },
      [Math.ceil(count / 64)],
      {
        residuals,
        labels,
        changes,
        limits,
        moves: gpu.upload("moves", Float32Array.from(cases.flatMap(({ d }) => d))),
        alone: gpu.upload("alone", Uint32Array.from(cases, ({ k }) => Math.max(k, 0))),
      },
      constants,
      { loss },
    ),
  ]);
  const all = Array.from(new Float32Array(await gpu.read(changes)));
  const column = (at: number) => all.filter((_, i) => i % 4 === at);
  const near = Array.from(new Float32Array(await gpu.read(limits)));
  return {
    any: column(0),
    near: { values: column(1), limits: near },
    tiny: column(2),
    one: column(3),
  };
}
