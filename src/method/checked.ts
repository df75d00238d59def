/**
 * Checks gradients of any origin: holds them against central differences, decides on kinks, says what
 * is wrong, and, where there is not the time for all of them, what may have been missed.
 */

import { createEstimator, hasSteps } from "../core/estimator.ts";
import { firstBad, parameterName } from "../core/finite.ts";
import { type Network, type ParameterTensor, parameterTensors } from "../core/network.ts";
import { type Random, Xoshiro } from "../core/random.ts";
import type { Way } from "../core/plan.ts";
import { differences } from "../cpu/differences.ts";
import { CpuEngine } from "../cpu/engine.ts";
import { forward, gather, mean } from "../cpu/forward.ts";
import { type Freedom, freedomOf, leavesOpen } from "../cpu/freedom.ts";
import { kinksOf } from "../cpu/kinks.ts";
import type { Unperturbed } from "../cpu/responses.ts";
import { planFor } from "../cpu/work.ts";
import type { Samples } from "../data/samples.ts";
import type { Engine, EngineOptions } from "../engine.ts";
import { losses } from "../operations/registry.ts";
import { diagnose, type Suspect } from "./diagnosis.ts";
import { GradientReport, type TensorReport, type Worst } from "./report.ts";
import {
  allot,
  alongTensor,
  chanceMissed,
  type Direction,
  DIRECTIONS,
  type Draw,
  drawFrom,
} from "./sample.ts";
import { checkValues, type Place } from "./values.ts";
import {
  beside,
  type Called,
  type Checked,
  openTo,
  type Reference,
  scaleOf,
  verdictOn,
} from "./verdict.ts";

/** The nudge of a check: so short that few copies cross a kink. */
export const CHECK_STEP = 1e-6;

/** What of a tensor's scale an element may be off by. */
export const CHECK_TOLERANCE = 1e-3;

/** Gradients to be checked. */
export interface Problem {
  readonly network: Network;
  readonly parameters: Float64Array; // [parameters]
  /** The batch: all of them. */
  readonly samples: Samples;
  /** Tensors of a gradient by our names, W1, b1, ..., row-major as in the network. */
  readonly gradients: ReadonlyMap<string, Float64Array>;
  /** What the report calls them; default as we do. */
  readonly called?: ReadonlyMap<string, Called>;
  /** Gradients of what is inside, [batch, outputs], by any name. */
  readonly values?: ReadonlyMap<string, { readonly place: Place; readonly data: Float64Array }>;
  /** Default `CHECK_STEP`. */
  readonly h?: number;
  /** Default `CHECK_TOLERANCE`. */
  readonly tolerance?: number;
  /** Elements to be checked, drawn by `seed`, or seconds to spend; default all of them. */
  readonly elements?: number;
  readonly budget?: number;
  /** Default 1. */
  readonly seed?: number;
  /** What the differences are taken by; default exact ones in float64. */
  readonly engine?: Partial<Pick<EngineOptions, "method" | "estimator" | "surrogate">>;
  /** Opens another engine than that on the CPU, where all is checked. */
  readonly open?: (options: EngineOptions) => Promise<Engine>;
}

/** Elements of one tensor that are checked. */
interface Part {
  readonly tensor: ParameterTensor;
  readonly called: Called;
  readonly theirs: Float64Array; // [size]
  /** Where those checked lie; undefined for all. */
  readonly places?: Uint32Array;
  /** The root mean square of the tensor. */
  readonly scale?: number;
  readonly reference: Reference;
}

/**
 * Checks gradients.
 * @throws {RangeError | TypeError} what of the problem cannot be checked.
 * @throws {NotFinite} when a difference is no finite number.
 */
export async function examine(problem: Problem): Promise<GradientReport> {
  const start = performance.now();
  const { network, parameters, samples, gradients, tolerance = CHECK_TOLERANCE } = problem;
  const { h = problem.engine?.estimator?.h ?? CHECK_STEP, seed = 1 } = problem;
  checkProblem(problem, tolerance);
  const batch = Uint32Array.from({ length: samples.count }, (_, n) => n);
  const trace = forward(network, parameters, gather(samples, batch));
  const at: Unperturbed = { network, parameters, trace };
  const options: EngineOptions = {
    network,
    method: "differences",
    estimator: createEstimator("central", h),
    optimizer: { name: "sgd", weightDecay: 0 },
    samples,
    batch: samples.count,
    seed,
    ...problem.engine,
  };
  const tensors = parameterTensors(network).filter(({ name }) => gradients.has(name));
  const freedom = freedomOf(at), random = new Xoshiro(seed);
  const total = tensors.reduce((sum, { size }) => sum + size, 0);
  const isPart = problem.budget !== undefined || (problem.elements ?? Infinity) < total;
  using engine = isPart || !problem.open ? new CpuEngine(options) : await problem.open(options);
  engine.setParameters(parameters);
  const gradientOf = async (elements?: Uint32Array) =>
    (await engine.gradient(batch, elements)).gradient;
  const calledOf = ({ name, shape }: ParameterTensor): Called =>
    problem.called?.get(name) ?? { name, shape, turned: false };

  const until = problem.budget === undefined ? undefined : start + 1000 * problem.budget;
  const directions = isPart
    ? alongAll(at, tensors, problem, freedom, h, random, until && start + ALONG * (until - start))
    : undefined;
  const found = isPart
    ? await sampled(tensors, problem, at, h, random, gradientOf, until)
    : whole(tensors, await gradientOf(allOf(tensors, network)), at, h);
  const parts: Part[] = tensors.map((tensor, t) => {
    const { offset, name } = tensor, { places, scale, ...reference } = found[t];
    openTo(reference, freedom.derivatives.gradient, freedom, (e) => offset + (places?.[e] ?? e));
    const theirs = gradients.get(name)!;
    return { tensor, called: calledOf(tensor), theirs, places, scale, reference };
  });
  refuseNotFinite(network, parts, mean(trace.losses));
  const ways = Object.fromEntries(
    planFor(options).gradient.map(({ layer, way }) => [layer, way]),
  );
  if (engine.backend === "webgpu") decide(parts, at, h, ways, tolerance);

  const rows = parts.map((part, t): TensorReport => {
    const { tensor: { size, offset }, called, theirs, places, reference, scale } = part;
    const compared = places ? Float64Array.from(places, (place) => theirs[place]) : theirs;
    const checked = verdictOn(
      called,
      size,
      compared,
      reference,
      tolerance,
      leavesOpen(freedom),
      places,
      scale,
    );
    const along = directions?.[t];
    const norm = (scale ?? 0) * Math.sqrt(size);
    const wrong = along?.filter(({ outside }) => !(outside <= tolerance * norm)).length ?? 0;
    const isPart = checked.checked < size;
    return {
      ...checked,
      verdict: isPart && wrong > 0 ? "off" : checked.verdict,
      worst: withSides(checked, part, at, h, ways, offset),
      missed: {
        1: chanceMissed(size, checked.checked, 1),
        10: chanceMissed(size, checked.checked, 10),
        100: chanceMissed(size, checked.checked, 100),
      },
      ...(isPart && along && { directions: { count: along.length, wrong } }),
    };
  });
  const values = checkValues(at, h, freedom, problem.values ?? new Map(), tolerance, random);
  const ok = [...rows, ...values].every(({ verdict }) => verdict !== "off");
  const exact = freedom.derivatives;
  const suspects = parts.map(({ tensor, called, theirs, places, reference }, t) => {
    const { offset, size } = tensor, isWhole = !places && hasSteps(network.nodes);
    const right = isWhole ? reference.ours : exact.gradient.subarray(offset, offset + size);
    return { ...tensor, called, theirs, right, isOff: rows[t].verdict === "off" } as Suspect;
  });
  return new GradientReport({
    ok,
    loss: mean(trace.losses),
    samples: samples.count,
    h,
    tolerance,
    adapter: engine.adapter,
    backend: engine.backend,
    tensors: rows,
    values,
    diagnoses: ok ? [] : diagnose(at, exact, suspects, values),
    undecided: freedom.undecided.length,
    exactly: freedom.exactly,
    notes: notesOn(network, h),
  });
}

/**
 * Refuses what cannot be checked.
 * @throws {RangeError | TypeError} why not.
 */
function checkProblem(
  { network, gradients, elements, budget }: Problem,
  tolerance: number,
): void {
  if (!(tolerance > 0)) {
    throw new RangeError(`Cannot check to a tolerance of ${tolerance}: give a positive number`);
  }
  if (elements !== undefined && !(Number.isInteger(elements) && elements >= 1)) {
    throw new RangeError(`Cannot check ${elements} elements: give a whole number from 1`);
  }
  if (budget !== undefined && !(budget > 0 && Number.isFinite(budget))) {
    throw new RangeError(`Cannot check for ${budget} seconds: give a positive number`);
  }
  const sizes = new Map(parameterTensors(network).map(({ name, size }) => [name, size]));
  for (const [name, { length }] of gradients) {
    if (sizes.get(name) === length) continue;
    throw new TypeError(
      sizes.has(name)
        ? `Cannot check the gradient of ${name}: it has ${length} values, and the tensor ${
          sizes.get(name)
        }; give one for each`
        : `Cannot check the gradient of ${name}: the network has ${
          [...sizes.keys()].join(", ")
        }; name it like one of them`,
    );
  }
}

/** A loss or a difference that is no finite number: there is nothing to compare with. */
export class NotFinite extends Error {
  /** @param reason what is none: `W1[3,4] is NaN`. */
  constructor(readonly reason: string) {
    super(`Cannot check gradients: ${reason}; use a smaller h, or other weights or data`);
  }
}

/** @throws {NotFinite} naming the first. */
function refuseNotFinite(network: Network, parts: readonly Part[], loss: number): void {
  if (!Number.isFinite(loss)) throw new NotFinite(`the loss is ${loss}`);
  for (const { tensor: { offset }, places, reference: { ours } } of parts) {
    const bad = firstBad(ours, "float64");
    if (bad < 0) continue;
    throw new NotFinite(
      `${parameterName(network, offset + (places?.[bad] ?? bad))} is ${ours[bad]}`,
    );
  }
}

/** What differences mean where a network has steps. */
function notesOn(network: Network, h: number): string[] {
  const steps = hasSteps(network.nodes), jumps = !losses[network.loss].isSmooth;
  if (!steps && !jumps) return [];
  return [
    `Note: ${steps ? "some units have steps" : `the loss, ${network.loss}, has steps`}. What is ` +
    `compared with is the central difference at h = ${h}: nudges so short flip next to nothing, and ` +
    `behind steps a gradient is then 0, as the derivative is; a surrogate's is off. A longer --h ` +
    `compares with what flips do.`,
  ];
}

/** All elements of some tensors; undefined where these are all that there are. */
function allOf(tensors: readonly ParameterTensor[], network: Network): Uint32Array | undefined {
  if (tensors.length === parameterTensors(network).length) return undefined;
  return Uint32Array.from(
    tensors.flatMap(({ offset, size }) => Array.from({ length: size }, (_, i) => offset + i)),
  );
}

type Found = Reference & Pick<Part, "places" | "scale">;

/** The references of whole tensors, out of their elements one behind the other. */
function whole(
  tensors: readonly ParameterTensor[],
  ours: Float64Array, // of all tensors, in their order
  at: Unperturbed,
  h: number,
): Found[] {
  const kinks = kinksOf(at, h, allOf(tensors, at.network));
  let first = 0;
  return tensors.map(({ size }) => {
    const [from, to] = [first, first += size];
    return {
      ours: ours.slice(from, to),
      crossed: kinks.crossed.slice(from, to),
      below: kinks.below.slice(from, to),
      above: kinks.above.slice(from, to),
    };
  });
}

/** Elements that are evaluated at a time, to begin with: it is then known how long they take. */
const FIRST = 64;
/** Of the time that is left, how much a further turn is to take. */
const TURN = 0.6;
/** Of the budget, what may be left over. */
const REST = 0.08;

/**
 * References of drawn elements: as many as asked for, or as there is time for.
 * @param until milliseconds on the clock.
 */
async function sampled(
  tensors: readonly ParameterTensor[],
  { gradients, elements = Infinity }: Problem,
  at: Unperturbed,
  h: number,
  random: Random,
  gradientOf: (elements: Uint32Array) => Promise<Float64Array>,
  until: number | undefined,
): Promise<Found[]> {
  const draws = tensors.map(({ name }) => drawFrom(gradients.get(name)!, random));
  const most = draws.map(({ groups }) =>
    groups.reduce((sum, { places }) => sum + places.length, 0)
  );
  const limit = Math.min(elements, most.reduce((sum, count) => sum + count, 0));
  const known = new Map<number, { ours: number; crossed: number; below: number; above: number }>();
  let wanted = until === undefined ? limit : Math.min(limit, FIRST * tensors.length);
  const begun = performance.now();
  let chosen: number[][][] = [];
  for (;;) {
    chosen = choose(draws, allot(wanted, most));
    const fresh = Uint32Array.from(
      chosen.flatMap((groups, t) => groups.flat().map((place) => tensors[t].offset + place))
        .filter((element) => !known.has(element)),
    );
    const ours = await gradientOf(fresh), kinks = kinksOf(at, h, fresh);
    fresh.forEach((element, e) =>
      known.set(element, {
        ours: ours[e],
        crossed: kinks.crossed[e],
        below: kinks.below[e],
        above: kinks.above[e],
      })
    );
    if (until === undefined || wanted >= limit) break;
    const now = performance.now(), left = until - now, rate = known.size / (now - begun);
    if (left <= REST * (until - begun)) break;
    const more = Math.floor(rate * left * TURN);
    if (more < 1) break;
    wanted = Math.min(limit, wanted + more);
  }
  return tensors.map(({ offset, size }, t) => {
    const places = Uint32Array.from(chosen[t].flat());
    const all = Array.from(places, (place) => known.get(offset + place)!);
    const pick = (key: "ours" | "below" | "above") => Float64Array.from(all, (one) => one[key]);
    let sum = 0; // of squares, of all of the tensor
    chosen[t].forEach((group, g) => {
      const squares = group.reduce((sum, place) => {
        const { ours, below, above } = known.get(offset + place)!;
        const least = Math.min(Math.max(0, ours + below), ours + above); // see scaleOf
        return sum + least ** 2;
      }, 0);
      if (group.length > 0) sum += draws[t].groups[g].size * squares / group.length;
    });
    return {
      ours: pick("ours"),
      below: pick("below"),
      above: pick("above"),
      crossed: Uint32Array.from(all, ({ crossed }) => crossed),
      places,
      scale: Math.sqrt(sum / size),
    };
  });
}

/** The first of each tensor's groups, as many as it is allotted. */
function choose(draws: readonly Draw[], counts: readonly number[]): number[][][] {
  return draws.map(({ groups }, t) => {
    const shares = allot(counts[t], groups.map(({ places }) => places.length));
    return groups.map(({ places }, g) => [...places.subarray(0, shares[g])]);
  });
}

/** Of the budget, what directions may take; each tensor gets one at least. */
const ALONG = 0.4;

/** Random directions over each tensor, as many as there is time for. */
function alongAll(
  at: Unperturbed,
  tensors: readonly ParameterTensor[],
  { gradients }: Problem,
  freedom: Freedom,
  h: number,
  random: Random,
  until: number | undefined,
): Direction[][] {
  const { layers } = at.network, found = tensors.map((): Direction[] => []);
  for (let k = 0; k < DIRECTIONS; k++) {
    if (k > 0 && until !== undefined && performance.now() > until) break;
    tensors.forEach((tensor, t) => {
      const layer = layers.findLastIndex((layer) =>
        layer.tensors.length > 0 && layer.offset <= tensor.offset
      );
      const theirs = gradients.get(tensor.name)!;
      found[t].push(alongTensor(at, layer, tensor, theirs, freedom, h, random));
    });
  }
  return found;
}

/** Elements that are decided anew in float64, at most. */
const MOST_DECIDED = 4000;

/** Evaluates in float64 what is off by float32, which may have put a unit on another side. */
function decide(
  parts: readonly Part[],
  at: Unperturbed,
  h: number,
  ways: Readonly<Record<number, Way>>,
  tolerance: number,
): void {
  for (const { tensor: { offset }, theirs, reference } of parts) {
    const { ours } = reference, scale = scaleOf(reference);
    const strange = [...ours.keys()].filter((e) => {
      const { nearest, outside } = beside(reference, e, theirs[e]);
      return !(outside <= tolerance * Math.max(Math.abs(nearest), scale));
    }).slice(0, MOST_DECIDED);
    const elements = Uint32Array.from(strange, (e) => offset + e);
    const { left, right } = sidesOf(at, h, ways, elements);
    strange.forEach((e, i) => ours[e] = (left[i] + right[i]) / 2);
  }
}

/** The loss's slopes to the left and to the right of some weights. */
function sidesOf(
  at: Unperturbed,
  h: number,
  ways: Readonly<Record<number, Way>>,
  elements: Uint32Array,
) {
  const side = (offset: number) =>
    differences(
      at,
      at.network.layers.map(() => ({ points: [{ offset, coefficient: offset }], h })),
      ways,
      true,
      { index: 0, of: 1 },
      elements,
    );
  return { left: side(-1), right: side(1) };
}

/** The element that is farthest off, with the slopes on its sides. */
function withSides(
  { worst }: Checked,
  { tensor: { shape }, called }: Part,
  at: Unperturbed,
  h: number,
  ways: Readonly<Record<number, Way>>,
  offset: number,
): Worst | undefined {
  if (!worst) return undefined;
  const index = called.turned ? worst.at.toReversed() : worst.at;
  const place = index.reduce((place, i, d) => place * shape[d] + i, 0);
  const { left, right } = sidesOf(at, h, ways, Uint32Array.of(offset + place));
  return { ...worst, left: left[0], right: right[0] };
}
