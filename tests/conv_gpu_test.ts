/**
 * Convolutions and pools on the device, against float64 written here: each layer as the list of its
 * terms, by direct loops, and no exact change anywhere: losses of whole copies are subtracted.
 */

import assert from "node:assert/strict";
import { stencilOf } from "../src/core/estimator.ts";
import { directionKey, directionSign } from "../src/core/directions.ts";
import {
  connect,
  DATA,
  type Layer,
  type Loss,
  type Network,
  type Node,
  parseNodes,
  residualsOf,
  type Shape,
  sizeOfShape,
} from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import type { Samples } from "../src/data/samples.ts";
import type { EngineOptions } from "../src/engine.ts";
import { Forward } from "../src/gpu/forward.ts";
import { type Gpu, GpuEngine } from "../src/gpu/engine.ts";
import { copiesErrorBound } from "../src/method/bounds.ts";
import { UNIT } from "../src/method/twin.ts";
import { activationOf, losses } from "../src/operations/registry.ts";
import { engineOptions, gpuTest, randomSamples } from "./support.ts";

/** A term of a sum: an output, what it takes, and by what that is multiplied. */
interface Term {
  readonly out: number;
  /** The value that it takes; the constant 1 where there is none. */
  readonly from?: { readonly layer: number; readonly at: number };
  /** The parameter; `factor` where there is none. */
  readonly weight?: number;
  readonly factor: number;
}

/** The windows of a layer: what each output sees that is not padding. */
function windowsOf({ window }: Layer) {
  const { input, output, kernel, stride, dilation, pad, groups } = window!;
  const [, height, width] = input, [channels, rows, columns] = output;
  const seen: { filter: number; cells: { at: number; weight: number }[] }[] = [];
  const taken = input[0] / groups, filters = channels / groups;
  for (let c = 0; c < channels; c++) {
    for (let r = 0; r < rows; r++) {
      for (let s = 0; s < columns; s++) {
        const cells: { at: number; weight: number }[] = [];
        for (let i = 0; i < taken; i++) {
          const channel = Math.floor(c / filters) * taken + i;
          for (let u = 0; u < kernel[0]; u++) {
            for (let v = 0; v < kernel[1]; v++) {
              const y = r * stride[0] - pad[0] + u * dilation[0];
              const x = s * stride[1] - pad[1] + v * dilation[1];
              if (y < 0 || y >= height || x < 0 || x >= width) continue;
              const weight = ((c * taken + i) * kernel[0] + u) * kernel[1] + v;
              cells.push({ at: channel * height * width + y * width + x, weight });
            }
          }
        }
        seen.push({ filter: c, cells });
      }
    }
  }
  return seen;
}

/** The terms of a layer that is linear. */
function termsOf(layer: Layer): Term[] {
  const { kind, from, inputs, outputs, offset, tensors } = layer, [source] = from;
  if (kind === "sum") {
    return from.flatMap((layer) =>
      Array.from({ length: outputs }, (_, at): Term => ({
        out: at,
        from: { layer, at },
        factor: 1,
      }))
    );
  }
  if (kind === "dense") {
    return Array.from({ length: outputs * (inputs + 1) }, (_, i): Term => {
      const at = Math.floor(i / outputs);
      const taken = at < inputs ? { layer: source, at } : undefined;
      return { out: i % outputs, from: taken, weight: offset + i, factor: 1 };
    });
  }
  return windowsOf(layer).flatMap(({ filter, cells }, out): Term[] => {
    const terms = cells.map(({ at, weight }): Term => ({
      out,
      from: { layer: source, at },
      weight: kind === "conv" ? offset + weight : undefined,
      factor: kind === "conv" ? 1 : 1 / cells.length,
    }));
    if (kind === "avgpool") return terms;
    const bias = offset + sizeOfShape(tensors[0].shape) + filter;
    return [...terms, { out, weight: bias, factor: 1 }];
  });
}

/** A network as float64 has it here. */
class Reference {
  readonly #network: Network;
  readonly #terms: Term[][];
  readonly #windows: number[][][];

  constructor(network: Network) {
    this.#network = network;
    this.#terms = network.layers.map((layer) => layer.kind === "maxpool" ? [] : termsOf(layer));
    this.#windows = network.layers.map((layer) =>
      layer.kind === "maxpool" ? windowsOf(layer).map(({ cells }) => cells.map(({ at }) => at)) : []
    );
  }

  /** One sample's values, layer by layer. */
  values(w: Float64Array, x: Float64Array) {
    const values: Float64Array[] = [], inputs: Float64Array[] = [], winners: number[][] = [];
    const of = (l: number) => l === DATA ? x : values[l];
    this.#network.layers.forEach(({ from, outputs, activation, kind }, l) => {
      const z = new Float64Array(outputs);
      winners.push([]);
      if (kind === "maxpool") {
        this.#windows[l].forEach((window, out) => {
          const a = of(from[0]);
          const winner = window.reduce((best, at) => a[at] > a[best] ? at : best);
          winners[l].push(winner);
          z[out] = a[winner];
        });
      }
      for (const { out, from, weight, factor } of this.#terms[l]) {
        z[out] += factor * (weight === undefined ? 1 : w[weight]) *
          (from ? of(from.layer)[from.at] : 1);
      }
      inputs.push(z);
      values.push(z.map(activationOf(activation).activate));
    });
    return { values, inputs, winners, logits: values.at(-1)! };
  }

  /** One sample's loss. */
  loss(w: Float64Array, x: Float64Array, label: number): number {
    const { loss, epsilon } = this.#network;
    const { logits } = this.values(w, x), residuals = new Float64Array(residualsOf(this.#network));
    return losses[loss].value(logits, label, epsilon, residuals, 0);
  }

  /**
   * The derivative of one sample's loss by the chain rule.
   * @param isMagnitude adds up the magnitudes of all terms instead, which rounding errors go by.
   */
  backward(
    w: Float64Array,
    x: Float64Array,
    label: number,
    isMagnitude = false,
  ): { gradient: Float64Array; errors: Float64Array[] } { // [parameters]; of each layer's sums
    const { layers, loss, classes, epsilon } = this.#network;
    const { values, inputs, winners, logits } = this.values(w, x);
    const size = (value: number) => isMagnitude ? Math.abs(value) : value;
    const residuals = new Float64Array(residualsOf(this.#network));
    losses[loss].value(logits, label, epsilon, residuals, 0);
    const errors = layers.map(({ outputs }) => new Float64Array(outputs));
    errors.at(-1)!.forEach((_, k, of) =>
      of[k] = size(losses[loss].derivative(residuals, 0, label, classes, k))
    );
    const gradient = new Float64Array(this.#network.parameters);
    for (let l = layers.length - 1; l >= 0; l--) {
      const { activation, from } = layers[l];
      const error = errors[l] = errors[l].map((value, j) =>
        value * size(activationOf(activation).derivative(inputs[l][j]))
      );
      winners[l].forEach((at, out) => {
        if (from[0] !== DATA) errors[from[0]][at] += error[out];
      });
      for (const { out, from, weight, factor } of this.#terms[l]) {
        const a = !from ? 1 : from.layer === DATA ? x[from.at] : values[from.layer][from.at];
        if (weight !== undefined) gradient[weight] += size(a) * error[out] * factor;
        if (from && from.layer !== DATA) {
          errors[from.layer][from.at] += size(weight === undefined ? 1 : w[weight]) * factor *
            error[out];
        }
      }
    }
    return { gradient, errors };
  }

  /**
   * How far one sample's loss may be off in float32, to first order: every sum errs by its terms'
   * number times the sum of their magnitudes, and an activation by some units of its value; what
   * comes of it goes by the derivative. Twice that, for what is of second order.
   */
  rounding(w: Float64Array, x: Float64Array, label: number): number {
    const { layers, loss, classes } = this.#network, { values, logits } = this.values(w, x);
    const { errors } = this.backward(w, x, label);
    let sum = 0;
    layers.forEach(({ outputs }, l) => {
      const magnitudes = new Float64Array(outputs), counts = new Float64Array(outputs);
      for (const { out, from, weight, factor } of this.#terms[l]) {
        const a = !from ? 1 : from.layer === DATA ? x[from.at] : values[from.layer][from.at];
        magnitudes[out] += Math.abs(factor * a * (weight === undefined ? 1 : w[weight]));
        counts[out]++;
      }
      // What an activation adds goes with the sums that take it.
      magnitudes.forEach((size, j) => sum += Math.abs(errors[l][j]) * (counts[j] + 16) * size);
    });
    const largest = Math.max(...logits.map(Math.abs));
    const own = loss === "cross-entropy"
      ? Math.log(classes) + 2 * largest
      : (largest + 1) ** 2 * classes;
    return 2 * UNIT * (sum + (classes + 20) * own);
  }

  /**
   * How much the loss changes, at most, where every weight moves by h: as if all terms of all sums
   * pulled one way. Of a max pool's change three numbers are as large as its inputs'; a logit counts
   * twice.
   */
  reach(w: Float64Array, x: Float64Array, h: number): number {
    const { layers, loss } = this.#network, { values, logits } = this.values(w, x);
    const moved: Float64Array[] = [];
    layers.forEach(({ from, outputs, activation }, l) => {
      const d = new Float64Array(outputs);
      this.#windows[l].forEach((window, out) => {
        if (from[0] === DATA) return;
        d[out] = 3 * Math.max(...window.map((at) => moved[from[0]][at]));
      });
      for (const { out, from, weight, factor } of this.#terms[l]) {
        const a = !from ? 1 : from.layer === DATA ? x[from.at] : values[from.layer][from.at];
        const da = !from || from.layer === DATA ? 0 : moved[from.layer][from.at];
        const change = weight === undefined ? da : da * (Math.abs(w[weight]) + h) + Math.abs(a) * h;
        d[out] += factor * change;
      }
      moved.push(d.map((value) => value * activationOf(activation).steepest));
    });
    const most = Math.max(...moved.at(-1)!);
    if (loss === "cross-entropy") return 2 * most;
    return moved.at(-1)!.reduce((sum, d, k) => sum + d * (Math.abs(logits[k]) + 1 + d), 0);
  }
}

/** Samples as float64 sees them. */
function rowsOf({ x, inputs, count }: Samples): Float64Array[] {
  const scale = x instanceof Uint8Array ? 255 : 1;
  return Array.from(
    { length: count },
    (_, n) => Float64Array.from(x.subarray(n * inputs, (n + 1) * inputs), (v) => v / scale),
  );
}

/** What is computed: maps of odd sizes, and all that a window may be. */
interface Case {
  readonly shape: Shape;
  readonly nodes: string | readonly Node[];
  readonly loss?: Loss;
  readonly bytes?: boolean;
}

/** A branch of maps around a convolution, joined again, and with the data. */
const residual: Node[] = [
  { operation: "conv", channels: 3, kernel: [3, 3], pad: "same" },
  { operation: "relu" },
  { operation: "conv", channels: 3, kernel: [1, 3], pad: "same" },
  { operation: "add", from: [1, 2] },
  { operation: "tanh" },
  { operation: "conv", channels: 2, kernel: [3, 3], pad: "same" },
  { operation: "add", from: [DATA, 5] },
  { operation: "maxpool", kernel: [2, 2], stride: [1, 1] },
];

const CASES: Record<string, Case> = {
  "two convolutions and pools": {
    shape: [2, 9, 8],
    nodes: "conv 4x3 pad 1, relu, maxpool 2, conv 6x2 groups 2, sigmoid, avgpool 2",
  },
  "stride, dilation, a kernel of two sizes": {
    shape: [3, 11, 7],
    nodes: "conv 5x3x2 stride 2x1 dilation 2x3, tanh, conv 9x2 stride 2, leaky-relu",
    loss: "squared-error",
  },
  "pads that differ on each side, strides that skip": {
    shape: [1, 7, 10],
    nodes: "conv 3x3 pad 0x1x2x0 stride 2x3, gelu, avgpool 2x3 pad 1x1 stride 1, dense 4, sigmoid",
  },
  "depthwise, scale, pad same, the mean of maps": {
    shape: [3, 5, 6],
    nodes: "conv 6x4 groups 3 pad same, relu, scale, silu, conv 6x3 groups 6 pad same stride 2, " +
      "globalavgpool",
  },
  "bytes, pools of padded maps that overlap": {
    shape: [1, 9, 9],
    nodes: "avgpool 3 stride 2 pad 1, conv 2x2, relu, maxpool 3 stride 2 pad 1, flatten",
    bytes: true,
  },
  "a max pool of the data, an activation behind a pool": {
    shape: [2, 6, 5],
    nodes: "maxpool 2x1, tanh, conv 5x1, sigmoid, maxpool 2 stride 1, softplus",
  },
  "one cell": { shape: [1, 1, 1], nodes: "conv 1x1, maxpool 1, avgpool 1", loss: "squared-error" },
  "more filters and positions than a block": {
    shape: [5, 6, 7],
    nodes: "conv 10x3 groups 5, relu, conv 7x2, relu",
  },
  "a residual branch": { shape: [2, 5, 4], nodes: residual },
};

const BATCH = 5;

/** A case with weights and samples. */
function placeOf({ shape, nodes, loss, bytes }: Case, seed = 3) {
  const inputs = sizeOfShape(shape);
  const network = connect({
    inputs,
    inputShape: shape,
    classes: 3,
    nodes: typeof nodes === "string" ? parseNodes(nodes) : nodes,
    loss,
  });
  const samples = randomSamples(2 * BATCH + 1, network, bytes, seed);
  return { network, samples, parameters: weightsOf(network, seed) };
}

/** Weights that keep values about as large as they are; biases are none of them 0. */
function weightsOf({ layers, parameters }: Network, seed: number): Float64Array { // [parameters]
  const random = new Xoshiro(seed), w = new Float64Array(parameters);
  for (const { offset, tensors, fan: [taken] = [1] } of layers) {
    let at = offset;
    for (const { letter, shape } of tensors) {
      const scale = letter === "W" ? 1 / Math.sqrt(taken) : 0.1;
      for (let i = 0; i < sizeOfShape(shape); i++) w[at++] = Math.fround(scale * random.normal());
    }
  }
  return w;
}

/** Samples 0, 2, 4, ... */
const indices = Uint32Array.from({ length: BATCH }, (_, n) => 2 * n);

/** Terms of the longest way from the data to the loss, which roundings go by, and 32 units an activation. */
const unitsOf = ({ layers, classes }: Network) =>
  layers.reduce((sum, { inputs, window, kind, from }) => {
    const [taken] = window ? [window.input[0] / window.groups] : [0];
    const terms = window ? taken * window.kernel[0] * window.kernel[1] : inputs;
    return sum + 2 * (kind === "sum" ? from.length : terms) + 32;
  }, 64 + classes);

/** Fails with the largest difference over its bound. */
function assertWithin(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound: (i: number) => number,
): void {
  assert.equal(actual.length, expected.length);
  let worst = 0, at = -1;
  for (let i = 0; i < expected.length; i++) {
    const excess = Math.abs(actual[i] - expected[i]) / bound(i);
    if (!(excess <= worst)) [worst, at] = [excess, i];
  }
  assert.ok(
    worst <= 1,
    `${what}: largest difference at ${at}: ${actual[at]} instead of ${expected[at]}, ${worst} ` +
      `times the bound`,
  );
}

/** Opens an engine with weights. */
function engineOn(gpu: Gpu, options: EngineOptions, parameters: Float64Array): GpuEngine {
  const engine = new GpuEngine(gpu, options);
  engine.setParameters(parameters);
  return engine;
}

/** Logits of all samples, within roundings of the sums of magnitudes. */
async function assertLogits(engine: GpuEngine, case_: ReturnType<typeof placeOf>): Promise<void> {
  const { network, samples, parameters } = case_, reference = new Reference(network);
  const rows = rowsOf(samples);
  const expected = rows.flatMap((x) => [...reference.values(parameters, x).logits]);
  const magnitudes = rows.map((x) => magnitudeOf(network, parameters, x));
  assertWithin(
    "logits",
    await engine.logits(samples),
    expected,
    (i) => unitsOf(network) * UNIT * magnitudes[Math.floor(i / network.classes)],
  );
}

/** The largest logit that magnitudes of all terms add up to. */
function magnitudeOf(network: Network, w: Float64Array, x: Float64Array): number {
  const straight = {
    ...network,
    layers: network.layers.map((layer): Layer => ({ ...layer, activation: "identity" })),
  };
  const lifted = new Reference(straight).values(w.map(Math.abs), x.map(Math.abs));
  // Activations whose steepest slope is above 1 or which are not 0 at 0 add a little.
  return 1 + 2 * Math.max(...lifted.logits);
}

/** The gradient by the chain rule. */
async function assertBackprop(engine: GpuEngine, place: ReturnType<typeof placeOf>) {
  const { network, samples, parameters } = place;
  const reference = new Reference(network), rows = rowsOf(samples);
  const { loss, gradient } = await engine.gradient(indices);
  const expected = new Float64Array(network.parameters);
  const magnitude = new Float64Array(network.parameters);
  let mean = 0;
  for (const n of indices) {
    const label = samples.labels[n];
    mean += reference.loss(parameters, rows[n], label) / BATCH;
    const add = (isMagnitude: boolean, to: Float64Array) =>
      reference.backward(parameters, rows[n], label, isMagnitude).gradient
        .forEach((d, i) => to[i] += d / BATCH);
    add(false, expected);
    add(true, magnitude);
  }
  assertWithin("mean loss", [loss], [mean], () => 1e-5);
  const { layers } = network;
  const places = Math.max(...layers.map(({ window }) => window ? sizeOfShape(window.output) : 1));
  assertWithin(
    "gradient",
    gradient,
    expected,
    // What a value errs by goes into its derivative, and into the loss's, too: hence twice, and 4.
    (i) => (4 * unitsOf(network) + BATCH * places) * UNIT * (2 * magnitude[i] + 1e-3),
  );
  assert.ok(expected.some((value) => Math.abs(value) > 1e-3), "the gradient is next to nothing");
}

for (const [name, case_] of Object.entries(CASES)) {
  gpuTest(`convolutions, ${name}: logits, losses, backprop`, async (open) => {
    const place = placeOf(case_), { network, samples, parameters } = place;
    const reference = new Reference(network), rows = rowsOf(samples);
    using engine = engineOn(
      await open(),
      engineOptions(network, samples, BATCH, { method: "backprop" }),
      parameters,
    );
    await assertLogits(engine, place);
    const { losses, predictions } = await engine.evaluate(samples);
    rows.forEach((x, n) => {
      const expected = reference.loss(parameters, x, samples.labels[n]);
      assertWithin(
        "loss",
        [losses![n]],
        [expected],
        () => unitsOf(network) * UNIT * (4 + magnitudeOf(network, parameters, x)) ** 2,
      );
      const { logits } = reference.values(parameters, x);
      assert.equal(predictions[n], logits.indexOf(Math.max(...logits)));
    });
    await assertBackprop(engine, place);
  });

  gpuTest(`convolutions, ${name}: whole copies`, async (open) => {
    const { network, samples, parameters } = placeOf(case_);
    const reference = new Reference(network), rows = rowsOf(samples);
    const h = 0.25;
    for (const estimator of ["central", "five-point"] as const) {
      const options = engineOptions(network, samples, BATCH, { method: "copies", estimator, h });
      using engine = engineOn(await open(), options, parameters);
      const lossOf = (w: Float64Array) =>
        indices.reduce((sum, n) => sum + reference.loss(w, rows[n], samples.labels[n]), 0) / BATCH;
      const roundingOf = (w: Float64Array) =>
        indices.reduce((sum, n) => sum + reference.rounding(w, rows[n], samples.labels[n]), 0) /
          BATCH + (BATCH + 4) * UNIT * lossOf(w);
      const elements = Uint32Array.from(
        { length: 40 },
        (_, i) => Math.floor((network.parameters - 1) * i / 39),
      );
      const bounds = new Float64Array(elements.length);
      const expected = Array.from(
        elements,
        (element, at) =>
          stencilOf(options.estimator).reduce((sum, { offset, coefficient }) => {
            const w = Float64Array.from(parameters);
            w[element] += h * offset;
            bounds[at] += Math.abs(coefficient / h) * (roundingOf(w) + roundingOf(parameters));
            return sum + coefficient / h * (lossOf(w) - lossOf(parameters));
          }, 0),
      );
      const { gradient } = await engine.gradient(indices);
      const some = await engine.gradient(indices, elements);
      const chosen = Float64Array.from(elements, (i) => gradient[i]);
      const batch = { ...options, samples: { ...samples, x: gathered(samples), count: BATCH } };
      const worst = copiesErrorBound(batch, parameters);
      assertWithin("copies", chosen, expected, (i) => Math.min(bounds[i], worst));
      assert.deepEqual(some.gradient, chosen);
      const most = Math.max(...bounds) / Math.max(...expected.map(Math.abs));
      assert.ok(most < 2e-2, `the bound says little: ${most}`);
    }
  });

  gpuTest(`convolutions, ${name}: random directions`, async (open) => {
    const { network, samples, parameters } = placeOf(case_);
    await assertDirections(await open(), network, samples, parameters);
  });
}

/** The rows of a batch. */
function gathered({ x, inputs }: Samples) {
  const all = [...indices].flatMap((n) => [...x.subarray(n * inputs, (n + 1) * inputs)]);
  return x instanceof Uint8Array ? Uint8Array.from(all) : Float32Array.from(all);
}

/** Slopes along random directions: exact ones, and those of whole copies. */
async function assertDirections(
  gpu: Gpu,
  network: Network,
  samples: Samples,
  parameters: Float64Array,
  hs: readonly number[] = [0.3, 1e-3],
): Promise<void> {
  const reference = new Reference(network), rows = rowsOf(samples);
  for (const h of hs) {
    const options = engineOptions(network, samples, BATCH, { estimator: "spsa", h });
    const { estimator: { queries }, seed } = options;
    const expected = new Float64Array(network.parameters);
    for (let query = 0; query < queries; query++) {
      const signs = Float64Array.from(
        { length: network.parameters },
        (_, i) => directionSign(directionKey(seed, 0, query), i),
      );
      // Terms that pull against one another lose 1e-16 of a loss, over h.
      const slope = indices.reduce((sum, n) => {
        const at = (d: number) =>
          reference.loss(parameters.map((w, i) => w + d * signs[i]), rows[n], samples.labels[n]);
        return sum + (at(h) - at(-h)) / (2 * h * BATCH);
      }, 0);
      signs.forEach((sign, i) => expected[i] += sign * slope / queries);
    }
    const rounding = Math.max(
      ...rows.map((x, n) => reference.rounding(parameters, x, samples.labels[n])),
    );
    const reach = Math.max(...rows.map((x) => reference.reach(parameters, x, h)));
    for (const method of h > 0.1 ? ["differences", "copies"] as const : ["differences"] as const) {
      const made = { ...options, method };
      const { value: engine, release } = gpu.lease(() => new GpuEngine(gpu, made));
      await gpu.settle();
      engine.setParameters(parameters);
      const { gradient } = await engine.gradient(indices);
      release();
      // Two losses in float32, at a place nearby: twice.
      const literal = method === "copies" ? 2 * rounding / h : 0;
      assertWithin(
        `${method}, h = ${h}`,
        gradient,
        expected,
        () => 2 * unitsOf(network) * UNIT * reach / h + 1e-12 / h + literal,
      );
    }
  }
}

/** As few turns as make parts of all long sums, and as hardware is cut up. */
const KINDS = {
  "loops that are broken off": { loopTurns: 20 },
  hardware: { software: false, block: 32 },
};

for (const [kind, how] of Object.entries(KINDS)) {
  gpuTest(`convolutions on ${kind}`, async (open) => {
    for (const name of ["two convolutions and pools", "more filters and positions than a block"]) {
      const place = placeOf(CASES[name]), { network, samples, parameters } = place;
      const change = async () => Object.assign(await open(), how);
      using engine = engineOn(
        await change(),
        engineOptions(network, samples, BATCH, { method: "backprop" }),
        parameters,
      );
      const commands = engine.gradientCommands(indices);
      if ("loopTurns" in how) {
        for (const kernel of ["conv", "backprop_conv", "backprop_filters"]) {
          const several = commands.filter((command) => command.kernel === kernel).length;
          assert.ok(several > 2, `${kernel} in ${several} parts`);
        }
      }
      await assertLogits(engine, place);
      await assertBackprop(engine, place);
      using gpu = await change();
      await assertDirections(gpu, network, samples, parameters);
    }
  });
}

gpuTest("pools whose windows are longer than loops may be are refused by name", async (open) => {
  const { network, samples } = placeOf({ shape: [1, 9, 9], nodes: "maxpool 9" });
  using gpu = Object.assign(await open(), { loopTurns: 60 });
  assert.throws(
    () => new GpuEngine(gpu, engineOptions(network, samples, BATCH, { method: "backprop" })),
    /^RangeError: Cannot find the largest of 9x9 cells on .*: it breaks loops off behind some 54; /,
  );
});

// Small whole numbers, so that windows have equals before and after, and all sums are exact.
gpuTest("ties of max pools: the first of equals wins, before and after", async (open) => {
  const network = connect({
    inputs: 2 * 7 * 6,
    inputShape: [2, 7, 6],
    classes: 2,
    nodes: parseNodes("maxpool 2 stride 1, conv 3x2, maxpool 3 stride 2 pad 1"),
  });
  const random = new Xoshiro(4), count = 2 * BATCH + 1;
  const x = Float32Array.from(
    { length: count * network.inputs },
    () => Math.floor(3 * random.uniform()),
  );
  const samples = { ...randomSamples(count, network), x };
  const parameters = Float64Array.from(
    { length: network.parameters },
    () => Math.floor(5 * random.uniform()) / 4 - 0.5,
  );
  const reference = new Reference(network), rows = rowsOf(samples);
  {
    using gpu = await open();
    const weights = gpu.upload("parameters", Float32Array.from(parameters));
    const forward = new Forward(gpu, network, weights, samples, count, 1);
    await gpu.settle();
    forward.begin(Uint32Array.from(rows.keys()));
    gpu.run(forward.commands);
    let ties = 0;
    for (const l of [0, 2]) {
      const { outputs } = network.layers[l];
      const winners = new Uint32Array(await gpu.read(forward.winners[l]!, 4 * count * outputs));
      rows.forEach((row, n) => {
        const { values, winners: expected } = reference.values(parameters, row);
        assert.deepEqual(
          Array.from(winners.subarray(n * outputs, (n + 1) * outputs)),
          expected[l],
          `sample ${n} of layer ${l}`,
        );
        const taken = l === 0 ? row : values[l - 1];
        windowsOf(network.layers[l]).forEach(({ cells }, out) => {
          if (cells.filter(({ at }) => taken[at] === values[l][out]).length > 1) ties++;
        });
      });
    }
    assert.ok(ties > 100, `${ties} ties`);
  }
  using gpu = await open();
  await assertDirections(gpu, network, samples, parameters, [0.25, 2 ** -8]);
});

gpuTest("a step of training moves weights of convolutions by their gradient", async (open) => {
  const { network, samples, parameters } = placeOf(CASES["two convolutions and pools"]);
  for (const estimator of ["central", "spsa"] as const) {
    const method = estimator === "spsa" ? "differences" : "backprop";
    const options = engineOptions(network, samples, BATCH, { method, estimator });
    using engine = engineOn(await open(), options, parameters);
    const { gradient } = await engine.gradient(indices);
    await engine.train(indices, Float64Array.of(0.5));
    assertWithin(
      "weights",
      await engine.parameters(),
      parameters.map((w, i) => w - 0.5 * gradient[i]),
      // A product and a sum are rounded.
      (i) => 2 * UNIT * (Math.abs(parameters[i]) + Math.abs(gradient[i])) + 1e-30,
    );
  }
});

/** A random network of up to four operations on maps; drawn again where kernels are too large. */
function randomCase(seed: number): Case {
  const random = new Xoshiro(seed);
  const from = (least: number, most: number) =>
    least + Math.floor((most - least + 1) * random.uniform());
  const pair = (most: number) => `${from(1, most)}x${from(1, most)}`;
  const shape = [from(1, 4), from(1, 9), from(1, 9)] as const;
  for (;;) {
    let channels: number = shape[0];
    const words = Array.from({ length: from(1, 4) }, () => {
      const kind = ["conv", "conv", "maxpool", "avgpool", "scale"][from(0, 4)];
      if (kind === "scale") return kind;
      const kernel = pair(3), [down, across] = kernel.split("x").map(Number);
      const placed = ` stride ${pair(2)} pad ${from(0, down - 1)}x${from(0, across - 1)}`;
      if (kind !== "conv") return `${kind} ${kernel}${placed}`;
      const groups = [1, channels][from(0, 1)];
      channels = groups * from(1, 9);
      return `conv ${channels}x${kernel}${placed} dilation ${pair(2)} groups ${groups}, ` +
        ["relu", "tanh", "softplus"][from(0, 2)];
    });
    const nodes = words.join(", ");
    try {
      connect({
        inputs: sizeOfShape(shape),
        inputShape: shape,
        classes: 3,
        nodes: parseNodes(nodes),
      });
      return { shape, nodes };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
}

gpuTest("convolutions of random shapes", async (open) => {
  for (let seed = 1; seed <= 8; seed++) {
    const case_ = randomCase(seed), place = placeOf(case_, seed);
    console.log(`${case_.shape.join("x")}: ${case_.nodes}`);
    const { network, samples, parameters } = place;
    const gpu = await open();
    using engine = engineOn(
      gpu,
      engineOptions(network, samples, BATCH, { method: "backprop" }),
      parameters,
    );
    await assertLogits(engine, place);
    await assertBackprop(engine, place);
    await assertDirections(gpu, network, samples, parameters);
  }
});
