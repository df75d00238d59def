/**
 * What is wrong with a gradient that is off: one mistake of the backward pass that explains all of
 * it, or what has been done to a tensor, or else where it is wrong the most.
 */

import { layerName, type Network, type ParameterTensor, weightedLayers } from "../core/network.ts";
import type { Derivatives } from "../cpu/backprop.ts";
import type { Unperturbed } from "../cpu/responses.ts";
import { turned } from "../data/weights.ts";
import { explainMistake, explainRearrangement, explainSample } from "./explanation.ts";
import { mayChange, type Mistake, type MistakeKind, mistakesIn } from "./mistakes.ts";
import { distance, factorOf, type Rearrangement, rearrangementOf } from "./rearrangements.ts";
import type { Called } from "./verdict.ts";
import type { CheckedValue } from "./values.ts";

/** What is wrong with some tensors. */
export interface Diagnosis {
  /** Names of the tensors, as their file has them. */
  readonly tensors: readonly string[];
  readonly kind: MistakeKind | Rearrangement["kind"] | "sample alone" | "unknown" | "operation";
  /** The factor, of "factor" and "decay". */
  readonly factor?: number;
  /** The layer whose backward pass is wrong, where one is: `dense 1: 784 to 50, relu`. */
  readonly operation?: string;
  /** A sentence for people. */
  readonly text: string;
}

/** A tensor of a gradient to be explained. */
export interface Suspect extends ParameterTensor {
  readonly called: Called;
  readonly theirs: Float64Array;
  /** What it should be. */
  readonly right: Float64Array;
  readonly isOff: boolean;
}

/**
 * How near an explanation has to come, relative to the norm: a share of the error that it explains,
 * for units at kinks may be on either side.
 */
const FIT = 5e-3;

/** Multiplications that hypotheses may take, at most. */
const MOST_WORK = 4e9;

/** Explains tensors that are off. */
export function diagnose(
  at: Unperturbed,
  exact: Derivatives,
  suspects: readonly Suspect[],
  values: readonly CheckedValue[],
): Diagnosis[] {
  const off = suspects.filter(({ isOff }) => isOff), { network } = at;
  const found = operationAtFault(network, suspects, values);
  if (off.length === 0) return found;
  // Where all have one factor, nothing behind them is right; where some have, an operation may be it.
  const factor = commonFactor(at, off);
  const common = factor && off.length === suspects.length
    ? factor
    : oneMistake(at, exact, suspects, off) ?? factor;
  return [...found, ...common ? [common] : merged(off.map((one) => explained(at, exact, one)))];
}

/** One factor for several tensors. */
function commonFactor(at: Unperturbed, off: readonly Suspect[]): Diagnosis | undefined {
  if (off.length < 2) return undefined;
  const factors = off.map(({ theirs, right }) => factorOf(theirs, right));
  const fits = off.every(({ theirs, right }, i) =>
    distance(theirs, right.map((value) => factors[i] * value)) <= FIT * Math.abs(factors[i])
  );
  const spread = Math.max(...factors) - Math.min(...factors);
  if (!fits || spread > FIT * Math.abs(factors[0]) || factors[0] === 0) return undefined;
  const [factor] = factors;
  return {
    tensors: off.map(({ called }) => called.name),
    kind: "factor",
    factor,
    text: explainRearrangement({ kind: "factor", factor }, contextOf(at)),
  };
}

/** What factors may stem from. */
const contextOf = ({ network, trace: { batch } }: Unperturbed, places = 1) => ({
  batch: batch.size,
  classes: network.classes,
  places,
});

/** The one mistake of a backward pass that explains all tensors, right ones and others. */
function oneMistake(
  at: Unperturbed,
  exact: Derivatives,
  suspects: readonly Suspect[],
  off: readonly Suspect[],
): Diagnosis | undefined {
  const { network, trace: { batch } } = at, layers = weightedLayers(network.layers);
  const layerOf = ({ name }: Suspect) => network.layers.indexOf(layers[Number(name.slice(1)) - 1]);
  let best: { mistake: Mistake; error: number } | undefined, work = 0;
  for (const mistake of mistakesIn(at, exact)) {
    const changed = mayChange(network, mistake);
    if (!off.every((suspect) => changed.has(layerOf(suspect)))) continue;
    work += 2 * network.parameters * batch.size;
    if (work > MOST_WORK) break;
    const gradient = mistake.gradient();
    let error = 0;
    for (const { theirs, right, offset, size, isOff } of suspects) {
      const own = gradient.subarray(offset, offset + size);
      const norm = Math.max(normOf(own), normOf(right));
      const apart = normOf(own.map((value, i) => value - theirs[i]));
      error = Math.max(error, norm === 0 ? apart : apart / norm);
      if (!isOff && error > FIT) break;
    }
    if (error <= FIT && error < (best?.error ?? Infinity) / 2) best = { mistake, error };
  }
  if (!best) return undefined;
  const { mistake } = best, operation = layerName(network, mistake.layer);
  return {
    tensors: off.map(({ called }) => called.name),
    kind: mistake.kind,
    operation,
    text: explainMistake(mistake, network),
  };
}

/** The Euclidean norm. */
const normOf = (values: Float64Array) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/** Explains a tensor by itself. */
function explained(at: Unperturbed, exact: Derivatives, suspect: Suspect): Diagnosis {
  const { network, parameters, trace: { batch } } = at, { called, offset, size, name } = suspect;
  const layer = weightedLayers(network.layers)[Number(name.slice(1)) - 1];
  const l = network.layers.indexOf(layer);
  // As the file has them: what is said of axes is then of its own.
  const own = (data: Float64Array) =>
    called.turned ? turned({ shape: suspect.shape, data }).data : data;
  const theirs = own(suspect.theirs), right = own(suspect.right);
  const weights = own(parameters.subarray(offset, offset + size));
  const found = rearrangementOf(theirs, right, called.shape, weights, FIT);
  const tensors = [called.name], operation = layerName(network, l);
  const window = layer.window, places = window ? window.output[1] * window.output[2] : 1;
  if (found) {
    return {
      tensors,
      kind: found.kind,
      ...("factor" in found && { factor: found.factor }),
      operation,
      text: explainRearrangement(found, contextOf(at, places)),
    };
  }
  if (name.startsWith("b")) { // of one sample alone, times whatever
    const error = exact.inputs[l], { outputs } = layer, channels = size, area = outputs / channels;
    for (const n of [batch.size - 1, 0]) {
      const alone = new Float64Array(size);
      for (let j = 0; j < outputs; j++) alone[Math.floor(j / area)] += error[n * outputs + j];
      const factor = factorOf(suspect.theirs, alone);
      if (distance(suspect.theirs, alone.map((value) => factor * value)) <= FIT) {
        return { tensors, kind: "sample alone", operation, text: explainSample(n, batch.size) };
      }
    }
  }
  return { tensors, kind: "unknown", operation, text: "" };
}

/** Diagnoses that say the same, as one. */
function merged(diagnoses: readonly Diagnosis[]): Diagnosis[] {
  const groups = new Map<string, Diagnosis[]>();
  for (const diagnosis of diagnoses) {
    const key = `${diagnosis.kind} ${diagnosis.text}`;
    groups.set(key, [...groups.get(key) ?? [], diagnosis]);
  }
  return [...groups.values()].map(([first, ...others]) => {
    if (others.length === 0) return first;
    const tensors = [first, ...others].flatMap(({ tensors }) => tensors);
    return { ...first, operation: undefined, tensors };
  });
}

/**
 * The operation at which a backward pass goes wrong first, by gradients of values inside: the one
 * between the value nearest to the loss that is off and what is behind it.
 */
function operationAtFault(
  network: Network,
  suspects: readonly Suspect[],
  values: readonly CheckedValue[],
): Diagnosis[] {
  const wrong = values.findLastIndex(({ verdict }) => verdict === "off");
  if (wrong < 0) {
    if (values.length === 0) return [];
    const off = suspects.filter(({ isOff }) => isOff).map(({ called }) => called.name);
    if (off.length === 0) return [];
    return [{
      tensors: off,
      kind: "operation",
      text: `Every gradient of a value in the file is right: what is wrong is how that of ` +
        `${off.join(", ")} is made of them.`,
    }];
  }
  const { name, layer, side } = values[wrong], behind = values[wrong + 1];
  const takers = network.layers.flatMap(({ from }, m) => from.includes(layer) ? [m] : []);
  const isLast = layer === network.layers.length - 1;
  const own = layerName(network, layer);
  const operation = side === "inputs" && network.layers[layer].activation !== "identity"
    ? own
    : isLast
    ? `the loss, ${network.loss}`
    : takers.map((m) => layerName(network, m)).join(" and ");
  const until = behind ? `, and ${behind.name}, which is behind it, is right` : "";
  const where = side === "inputs" && network.layers[layer].activation !== "identity"
    ? `the activation of ${operation}`
    : operation;
  return [{
    tensors: [name],
    kind: "operation",
    operation,
    text: `The backward pass goes wrong at ${where}: ${name} is off${until}.`,
  }];
}
