/**
 * Someone else's backward pass: in float32, every operation rounded, as frameworks compute, written
 * down from the textbook and without any of the project's own passes; and with mistakes in it.
 */

import type { MistakeKind } from "../src/method/mistakes.ts";
import { DATA, type Layer, type Network } from "../src/core/network.ts";
import type { Samples } from "../src/data/samples.ts";

const f = Math.fround;

/** A sum and a product more, the product rounded before it is added. */
const rounded = (sum: number, p: number, q: number) => f(sum + f(p * q));

/** How a program takes what has no derivative, and what it gets wrong. */
export interface Habits {
  /** The slope of relu at 0. */
  readonly atZero?: number;
  /** Which of a pool's equal cells gets the error. */
  readonly tie?: "first" | "last" | "shared";
  /** Adds products from the last to the first. */
  readonly backwards?: boolean;
  readonly mistake?: Mistake;
  /** The layer that the mistake is in. */
  readonly at?: number;
}

/** What can be planted here, of what can be named. */
export type Mistake = Exclude<MistakeKind, "filters swapped">;

/** An activation and its derivative by its input z and its value a. */
const ACTIVATIONS: Record<string, [(z: number) => number, (z: number, a: number) => number]> = {
  identity: [(z) => z, () => 1],
  relu: [(z) => Math.max(z, 0), (z) => z > 0 ? 1 : 0],
  sigmoid: [(z) => f(1 / f(1 + f(Math.exp(-z)))), (_, a) => f(a * f(1 - a))],
  tanh: [(z) => f(Math.tanh(z)), (_, a) => f(1 - f(a * a))],
  "leaky-relu": [(z) => z > 0 ? z : f(f(0.01) * z), (z) => z > 0 ? 1 : f(0.01)],
  elu: [(z) => z > 0 ? z : f(Math.expm1(z)), (z, a) => z > 0 ? 1 : f(a + 1)],
  clip: [(z) => Math.min(Math.max(z, 0), 6), (z) => z > 0 && z < 6 ? 1 : 0],
  "hard-sigmoid": [
    (z) => Math.min(Math.max(f(f(z / 6) + 0.5), 0), 1),
    (z) => z > -3 && z < 3 ? f(1 / 6) : 0,
  ],
  softplus: [(z) => f(Math.log1p(f(Math.exp(z)))), (z) => f(1 / f(1 + f(Math.exp(-z))))],
};

/** What cells of windows look at: output, input, and which weight of the filter, turned or not. */
function* cells({ window }: Layer) {
  const { input, output, kernel, stride, dilation, pad, groups } = window!;
  const [channels, height, width] = input, [filters, rows, columns] = output;
  const taken = channels / groups, given = filters / groups;
  for (let c = 0; c < filters; c++) {
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        for (let i = 0; i < taken; i++) {
          for (let dy = 0; dy < kernel[0]; dy++) {
            for (let dx = 0; dx < kernel[1]; dx++) {
              const down = y * stride[0] - pad[0] + dy * dilation[0];
              const right = x * stride[1] - pad[1] + dx * dilation[1];
              if (down < 0 || down >= height || right < 0 || right >= width) continue;
              const map = Math.floor(c / given) * taken + i;
              yield {
                output: (c * rows + y) * columns + x,
                input: (map * height + down) * width + right,
                weight: ((c * taken + i) * kernel[0] + dy) * kernel[1] + dx,
                turned: ((c * taken + i) * kernel[0] + kernel[0] - 1 - dy) * kernel[1] +
                  kernel[1] - 1 - dx,
              };
            }
          }
        }
      }
    }
  }
}

/** The outputs' cells, gathered. */
function windowsOf(layer: Layer) {
  const windows = Array.from({ length: layer.outputs }, () => [] as number[]);
  for (const { output, input } of cells(layer)) windows[output].push(input);
  return windows;
}

/** Gradients of the mean loss. */
export interface Gradients {
  readonly gradient: Float64Array; // [parameters]
  /** By what activations take and give, [batch, outputs] each. */
  readonly inputs: Float64Array[];
  readonly values: Float64Array[];
}

/** The gradient as that program computes it. */
export function foreignGradient(
  network: Network,
  parameters: Float64Array, // [parameters]
  samples: Samples,
  { atZero = 0, tie = "first", backwards = false, mistake, at }: Habits = {},
): Gradients {
  const { layers, classes, loss } = network, w = Float32Array.from(parameters), N = samples.count;
  const gradient = new Float32Array(network.parameters);
  const all = { inputs: [] as number[][], values: [] as number[][] };
  const here = (kind: Mistake, l: number) => mistake === kind && at === l;
  for (let n = 0; n < N; n++) {
    const x = Array.from(
      samples.x.subarray(n * network.inputs, (n + 1) * network.inputs),
      (value) => f(samples.x instanceof Uint8Array ? value / 255 : value),
    );
    const z: number[][] = [], a: number[][] = [];
    const taken = (l: number) => l === DATA ? x : a[l];
    /** A sum of products, in one order or the other. */
    const summed = (terms: [number, number][], start: number) => {
      let sum = start;
      for (const [p, q] of backwards ? terms.toReversed() : terms) sum = rounded(sum, p, q);
      return sum;
    };
    layers.forEach((layer) => {
      const { kind, from, inputs, outputs, offset, activation, tensors } = layer;
      const [source] = from, values = taken(source);
      let own = new Array<number>(outputs).fill(0);
      if (kind === "dense") {
        for (let j = 0; j < outputs; j++) {
          const terms = values.map((v, i) => [v, w[offset + i * outputs + j]] as [number, number]);
          own[j] = summed(terms, w[offset + inputs * outputs + j]);
        }
      } else if (kind === "sum") {
        own = own.map((_, j) => from.reduce((sum, source) => f(sum + taken(source)[j]), 0));
      } else if (kind === "conv") {
        const size = tensors[0].shape.reduce((p, q) => p * q, 1);
        const terms = own.map(() => [] as [number, number][]);
        for (const { output, input, weight } of cells(layer)) {
          terms[output].push([values[input], w[offset + weight]]);
        }
        const places = outputs / layer.window!.output[0];
        own = own.map((_, j) => summed(terms[j], w[offset + size + Math.floor(j / places)]));
      } else {
        const windows = windowsOf(layer);
        own = windows.map((window) =>
          kind === "maxpool"
            ? Math.max(...window.map((i) => values[i]))
            : f(window.reduce((sum, i) => f(sum + values[i]), 0) / window.length)
        );
      }
      z.push(own);
      a.push(own.map((value) => f(ACTIVATIONS[activation][0](value))));
    });
    const da = layers.map(({ outputs }) => new Array<number>(outputs).fill(0)), dz: number[][] = [];
    const y = a.at(-1)!, label = samples.labels[n];
    const target = mistake === "labels shifted" ? (label + 1) % classes : label;
    const isTarget = (k: number) => k === target ? 1 : 0;
    if (loss === "cross-entropy") {
      const top = Math.max(...y), e = y.map((value) => f(Math.exp(f(value - top))));
      const sum = e.reduce((sum, value) => f(sum + value), 0), p = e.map((value) => f(value / sum));
      let own = p.map((value, k) => f(value - isTarget(k)));
      if (mistake === "targets missing") own = p;
      if (mistake === "softmax missing") own = p.map((value, k) => f(-isTarget(k) / value));
      if (mistake === "softmax twice") {
        const inner = own.reduce((sum, value, k) => f(sum + f(value * p[k])), 0);
        own = own.map((value, k) => f(p[k] * f(value - inner)));
      }
      da[layers.length - 1] = own;
    } else {
      da[layers.length - 1] = y.map((value, k) =>
        mistake === "targets missing" ? value : f(value - isTarget(k))
      );
    }
    if (mistake === "one sample" && n < N - 1) da.at(-1)!.fill(0);
    da[layers.length - 1] = da.at(-1)!.map((value) => f(value / N));
    for (let l = layers.length - 1; l >= 0; l--) {
      const layer = layers[l], { kind, from, inputs, outputs, offset, activation, tensors } = layer;
      const [source] = from, values = taken(source), [activate, slope] = ACTIVATIONS[activation];
      const slopes = z[l].map((value, j) => {
        if (here("mask missing", l)) return 1;
        if (here("mask inverted", l)) return 1 - slope(value, a[l][j]);
        if (here("slope at value", l)) return slope(a[l][j], f(activate(a[l][j])));
        if (here("slope of input", l)) return slope(value, value);
        if (here("slope of relu", l)) return value > 0 ? 1 : 0;
        if (activation === "relu" && value === 0) return atZero;
        return slope(value, a[l][j]);
      });
      const error = da[l].map((value, j) => f(value * slopes[j]));
      dz[l] = error;
      const inWeights = here("slope missing in weights", l) ? da[l] : error;
      const before = source === DATA ? undefined : da[source];
      const passes = !(mistake === "nothing passed" && at === l);
      const add = (i: number, value: number) => {
        if (before && passes) before[i] = f(before[i] + value);
      };
      const factor = here("input before activation", l) ? z[source] : values;
      if (kind === "dense") {
        for (let j = 0; j < outputs; j++) {
          for (let i = 0; i < inputs; i++) {
            const index = offset + i * outputs + j;
            gradient[index] = rounded(gradient[index], factor[i], inWeights[j]);
            const weight = here("matrix untransposed", l) ? w[offset + j * outputs + i] : w[index];
            add(i, f(weight * error[j]));
          }
          const index = offset + inputs * outputs + j;
          gradient[index] = f(gradient[index] + inWeights[j]);
        }
      } else if (kind === "sum") {
        for (const one of from) {
          if (one === DATA || here("branch missing", l) && one === from[0]) continue;
          error.forEach((value, j) => da[one][j] = f(da[one][j] + value));
        }
      } else if (kind === "conv") {
        const size = tensors[0].shape.reduce((p, q) => p * q, 1);
        const places = outputs / layer.window!.output[0];
        for (const { output, input, weight, turned } of cells(layer)) {
          const index = offset + weight;
          gradient[index] = rounded(gradient[index], factor[input], inWeights[output]);
          const back = here("filters unturned", l) ? turned : weight;
          add(input, f(w[offset + back] * error[output]));
        }
        for (let j = 0; j < outputs; j++) {
          const index = offset + size + Math.floor(j / places);
          gradient[index] = f(gradient[index] + inWeights[j]);
        }
      } else {
        windowsOf(layer).forEach((window, j) => {
          if (kind === "avgpool") {
            const { kernel } = layer.window!;
            const count = here("mean undivided", l)
              ? window.length / (kernel[0] * kernel[1])
              : window.length;
            for (const i of window) add(i, f(error[j] / count));
            return;
          }
          if (here("pool to all", l)) { for (const i of window) add(i, error[j]); }
          else if (here("pool to first", l)) add(window[0], error[j]);
          else if (here("pool shared", l)) {
            for (const i of window) add(i, f(error[j] / window.length));
          } else {
            const winners = window.filter((i) => values[i] === z[l][j]);
            if (tie === "shared") { for (const i of winners) add(i, f(error[j] / winners.length)); }
            else add(tie === "first" ? winners[0] : winners.at(-1)!, error[j]);
          }
        });
      }
    }
    all.inputs.push(dz.flat());
    all.values.push(da.flat());
  }
  /** Rows of all layers as an array a layer. */
  const byLayer = (rows: number[][]) => {
    let start = 0;
    return layers.map(({ outputs }) => {
      const [from, to] = [start, start += outputs];
      return Float64Array.from(rows.flatMap((row) => row.slice(from, to)));
    });
  };
  return {
    gradient: Float64Array.from(gradient),
    inputs: byLayer(all.inputs),
    values: byLayer(all.values),
  };
}
