/**
 * Backward passes with one mistake each, as people make them: what a wrong gradient is held against
 * to say what is wrong with it.
 */

import { DATA, type Network } from "../core/network.ts";
import {
  chainRule,
  type Derivatives,
  logitErrors,
  type Means,
  type Replaced,
  toWinners,
} from "../cpu/backprop.ts";
import type { Unperturbed } from "../cpu/responses.ts";
import { filterSize, isWindowed, type Windowed } from "../cpu/windows.ts";
import { activationOf } from "../operations/registry.ts";
import { tapsOf } from "../operations/window.ts";

/** The kinds of mistakes in a backward pass. */
export type MistakeKind =
  | "targets missing"
  | "softmax missing"
  | "softmax twice"
  | "labels shifted"
  | "one sample"
  | "mask missing"
  | "mask inverted"
  | "slope at value"
  | "slope of input"
  | "slope of relu"
  | "pool to all"
  | "pool to first"
  | "pool shared"
  | "mean undivided"
  | "branch missing"
  | "input before activation"
  | "filters unturned"
  | "filters swapped"
  | "matrix untransposed"
  | "nothing passed"
  | "slope missing in weights";

/** A backward pass with a mistake. */
export interface Mistake {
  readonly kind: MistakeKind;
  /** The layer whose operation is wrong: the last, where it is the loss. */
  readonly layer: number;
  /** Of "one sample", which; of "branch missing", the layer that gets nothing. */
  readonly which?: number;
  /** Whether it is wrong in a layer's weights alone. */
  readonly isLocal?: boolean;
  /** What it gives. */
  gradient(): Float64Array; // [parameters]
}

/** Every mistake that a network has room for, the likelier first. */
export function* mistakesIn(at: Unperturbed, exact: Derivatives): Generator<Mistake> {
  const { network, trace } = at, { layers } = network;
  yield* mistakesOfLoss(at);
  for (let l = layers.length - 1; l >= 0; l--) {
    yield* mistakesOfActivation(at, l, exact);
    yield* mistakesOfLayer(at, l, exact);
  }
  for (const n of [trace.batch.size - 1, 0]) {
    const logits = logitErrors(network, trace), { classes } = network;
    yield {
      kind: "one sample",
      layer: layers.length - 1,
      which: n,
      gradient: () => {
        const own = logits.map((error, place) => Math.floor(place / classes) === n ? error : 0);
        return chainRule(network, at.parameters, trace, { logits: own }).gradient;
      },
    };
  }
}

/** What comes of replacing parts. */
const withParts = (
  { network, parameters, trace }: Unperturbed,
  kind: MistakeKind,
  layer: number,
  replaced: () => Replaced,
  more: Partial<Mistake> = {},
): Mistake => ({
  kind,
  layer,
  gradient: () => chainRule(network, parameters, trace, replaced()).gradient,
  ...more,
});

function* mistakesOfLoss(at: Unperturbed): Generator<Mistake> {
  const { network, trace } = at, { batch } = trace, { classes, loss, layers } = network;
  const last = layers.length - 1, exact = logitErrors(network, trace);
  /** dL/d logits, by what they are of a sample. */
  const wrong = (kind: MistakeKind, row: (p: number[], target: number) => number[]) =>
    withParts(at, kind, last, () => {
      const logits = new Float64Array(exact.length);
      for (let n = 0; n < batch.size; n++) {
        const target = batch.labels[n], own = exact.subarray(n * classes, (n + 1) * classes);
        const p = Array.from(own, (error, k) => error * batch.size + (k === target ? 1 : 0));
        logits.set(row(p, target).map((error) => error / batch.size), n * classes);
      }
      return { logits };
    });
  const isTarget = (k: number, target: number) => k === target ? 1 : 0;
  yield wrong("targets missing", (p) => p);
  yield wrong(
    "labels shifted",
    (p, target) => p.map((each, k) => each - isTarget(k, (target + 1) % classes)),
  );
  yield wrong(
    "labels shifted",
    (p, target) => p.map((each, k) => each - isTarget(k, (target + classes - 1) % classes)),
  );
  if (loss !== "cross-entropy") return;
  yield wrong("softmax missing", (p, target) => p.map((each, k) => -isTarget(k, target) / each));
  yield wrong("softmax twice", (p, target) => {
    const errors = p.map((each, k) => each - isTarget(k, target));
    const mean = errors.reduce((sum, error, k) => sum + error * p[k], 0);
    return errors.map((error, k) => p[k] * (error - mean));
  });
}

function* mistakesOfActivation(
  at: Unperturbed,
  l: number,
  exact: Derivatives,
): Generator<Mistake> {
  const { network, trace } = at, { layers } = network, { activation } = layers[l];
  if (activation === "identity") return;
  const { derivative } = activationOf(activation), z = trace.inputs[l];
  const values = valuesOf(at, l);
  const slopes = (kind: MistakeKind, own: () => Float64Array) =>
    withParts(at, kind, l, () => {
      const replaced = own();
      return { slopes: (m) => m === l ? replaced : trace.derivatives[m] };
    });
  yield slopes("mask missing", () => z.map(() => 1));
  yield slopes("mask inverted", () => trace.derivatives[l].map((slope) => 1 - slope));
  yield slopes("slope at value", () => values.map(derivative));
  if (activation === "sigmoid") yield slopes("slope of input", () => z.map((z) => z * (1 - z)));
  if (activation === "tanh") yield slopes("slope of input", () => z.map((z) => 1 - z * z));
  if (activation !== "relu") yield slopes("slope of relu", () => z.map((z) => z > 0 ? 1 : 0));
  if (layers[l].tensors.length > 0) {
    // Its own weights take the error of the activation's value, what is before it the right one.
    yield inWeights(at, "slope missing in weights", l, exact, () => ({
      slopes: (m) => m === l ? z.map(() => 1) : trace.derivatives[m],
    }));
  }
}

/** A mistake that is in a layer's weights alone: what replaced parts make of them. */
const inWeights = (
  { network, parameters, trace }: Unperturbed,
  kind: MistakeKind,
  layer: number,
  exact: Derivatives,
  replaced: () => Replaced,
): Mistake => ({
  kind,
  layer,
  isLocal: true,
  gradient: () => {
    const wrong = chainRule(network, parameters, trace, replaced()).gradient;
    const gradient = exact.gradient.slice(), [from, to] = rangeOf(network, layer);
    gradient.set(wrong.subarray(from, to), from);
    return gradient;
  },
});

/** What a layer gives, without the constants behind each row. */
function valuesOf({ network: { layers }, trace }: Unperturbed, l: number): Float64Array {
  const { outputs } = layers[l], rows = trace.values[l + 1];
  return trace.inputs[l].map((_, at) => rows[at + Math.floor(at / outputs)]);
}

/** Where a layer's weights lie. */
function rangeOf({ layers }: Network, l: number): [number, number] {
  const size = layers[l].tensors
    .reduce((sum, { shape }) => sum + shape.reduce((size, length) => size * length, 1), 0);
  return [layers[l].offset, layers[l].offset + size];
}

function* mistakesOfLayer(at: Unperturbed, l: number, exact: Derivatives): Generator<Mistake> {
  const { network, parameters, trace } = at, { layers } = network, layer = layers[l];
  const { kind, from, inputs, outputs, offset } = layer, [source] = from;
  if (kind === "maxpool") {
    const { window } = layer as Windowed, taps = tapsOf(window);
    const places = window.output[1] * window.output[2], cells = taps.length / places;
    const area = window.input[1] * window.input[2], toWinner = toWinners(trace);
    const looksOf = (place: number) => {
      const map = Math.floor(place / places) * area, first = place % places * cells;
      return [...taps.subarray(first, first + cells)].filter((tap) => tap >= 0)
        .map((tap) => map + tap);
    };
    const routed = (kind: MistakeKind, shares: (looks: number[]) => [number, number][]) =>
      withParts(at, kind, l, () => {
        const route: Means["route"] = (m, n, error, before) => {
          if (m !== l) return toWinner(m, n, error, before);
          error.forEach((value, place) => {
            for (const [cell, share] of shares(looksOf(place))) before[cell] += share * value;
          });
        };
        return { route };
      });
    yield routed("pool to all", (looks) => looks.map((cell) => [cell, 1]));
    yield routed("pool to first", ([first]) => [[first, 1]]);
    yield routed("pool shared", (looks) => looks.map((cell) => [cell, 1 / looks.length]));
  }
  if (kind === "avgpool") {
    const [down, across] = layer.window!.kernel;
    yield withParts(at, "mean undivided", l, () => ({
      adjust: (m, error) => {
        if (m === l) error.forEach((value, place) => error[place] = value * down * across);
      },
    }));
  }
  if (kind === "sum" && from.length > 1) {
    for (const branch of new Set(from)) {
      if (branch === DATA) continue;
      yield withParts(at, "branch missing", l, () => ({
        // What the branch has from elsewhere stays; a sum's error is passed on as it is.
        adjust: (m, error) => {
          if (m !== branch) return;
          const passed = exact.inputs[l], times = from.filter((each) => each === branch).length;
          error.forEach((value, place) => error[place] = value - times * passed[place]);
        },
      }), { which: branch });
    }
  }
  if (layer.tensors.length === 0) return;
  if (source !== DATA && layers[source].activation !== "identity") {
    yield inWeights(at, "input before activation", l, exact, () => {
      const values = [...trace.values], z = trace.inputs[source];
      values[source + 1] = values[source + 1].map((value, at) => {
        const n = Math.floor(at / (inputs + 1)), i = at % (inputs + 1);
        return i === inputs ? value : z[n * inputs + i];
      });
      return { values };
    });
  }
  if (source === DATA) return;
  /** Errors go back through other weights in this layer. */
  const through = (kind: MistakeKind, rearranged: (own: Float64Array) => Float64Array) =>
    withParts(at, kind, l, () => {
      const [first, end] = rangeOf(network, l), weights = parameters.slice();
      weights.set(rearranged(parameters.subarray(first, end)), offset);
      return { weights };
    });
  if (kind === "conv" && layer.window!.kernel.some((size) => size > 1)) {
    yield through("filters unturned", (own) => turnedFilters(layer as Windowed, own));
  }
  if (kind === "conv" && isWindowed(layer)) {
    const { input, output, groups } = layer.window;
    if (groups === 1 && input[0] === output[0] && input[0] > 1) {
      yield through("filters swapped", (own) => swappedChannels(layer, own));
    }
  }
  if (kind === "dense" && inputs === outputs) {
    yield through(
      "matrix untransposed",
      (own) =>
        own.map((value, at) =>
          at < inputs * outputs ? own[at % outputs * outputs + Math.floor(at / outputs)] : value
        ),
    );
  }
  yield withParts(at, "nothing passed", l, () => ({
    adjust: (m, error) => {
      if (m < l) error.fill(0);
    },
  }));
}

/** A convolution's weights, each filter's cells the other way around. */
function turnedFilters(layer: Windowed, own: Float64Array): Float64Array {
  const [down, across] = layer.window.kernel, cells = down * across;
  const all = filterSize(layer) * layer.window.output[0];
  return own.map((value, at) => {
    if (at >= all) return value;
    const cell = at % cells;
    return own[at - cell + cells - 1 - cell];
  });
}

/** A convolution's weights, input and output channels swapped. */
function swappedChannels(layer: Windowed, own: Float64Array): Float64Array {
  const [down, across] = layer.window.kernel,
    cells = down * across,
    [channels] = layer.window.output;
  return own.map((value, at) => {
    if (at >= channels * channels * cells) return value;
    const cell = at % cells, pair = Math.floor(at / cells);
    const [out, into] = [Math.floor(pair / channels), pair % channels];
    return own[(into * channels + out) * cells + cell];
  });
}

/** The layers whose weights a mistake may give another gradient. */
export function mayChange(network: Network, { kind, layer, isLocal }: Mistake): Set<number> {
  const { layers } = network, changed = new Set<number>();
  const visit = (l: number) => {
    if (l === DATA || changed.has(l)) return;
    changed.add(l);
    layers[l].from.forEach(visit);
  };
  const own = ["filters unturned", "filters swapped", "matrix untransposed", "nothing passed"];
  if (isLocal) changed.add(layer);
  else if (own.includes(kind)) layers[layer].from.forEach(visit);
  else visit(layer);
  return changed;
}
