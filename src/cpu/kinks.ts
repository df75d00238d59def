/**
 * Which weights' copies cross a kink between -h and +h: of a relu or another activation of pieces, of
 * a max pool whose winner changes, of a step. There a difference is none of the derivatives on either
 * side, but lies between them, and so may a subgradient that someone else computed.
 *
 * Sample by sample, for a backward pass decides on each by itself: where a sample's copies cross a
 * kink, its slopes to the left and to the right bound what is right; elsewhere it has one slope.
 */

import { residualsOf } from "../core/network.ts";
import { activationOf, losses } from "../operations/registry.ts";
import { tapsOf } from "../operations/window.ts";
import { blocksOf, weightsOf } from "./blocks.ts";
import { originsOf } from "./origins.ts";
import { carrier, exactly, poolOf, type Through, type Unperturbed } from "./responses.ts";
import { filterSize, isWindowed, moveLargest, shiftedInput, type Windowed } from "./windows.ts";

/** What kinks leave open of a gradient's elements. */
export interface Kinks {
  /** Samples on which a copy of each crosses a kink. */
  readonly crossed: Uint32Array; // [elements]
  /** How far below the central difference a subgradient may be, and above. */
  readonly below: Float64Array; // [elements], 0 or less
  readonly above: Float64Array; // [elements], 0 or more
}

/** What a layer's activation takes, or gives. */
export type Side = "inputs" | "values";

/** Whether an activation is bent or jumps somewhere. */
const isBent = (name: string): boolean => {
  const { pieces, states } = activationOf(name);
  return states !== undefined || (pieces?.bounds(0).some(Number.isFinite) ?? false);
};

/** Whether a network has any kinks at all. */
export const hasKinks = ({ network: { layers } }: Pick<Unperturbed, "network">): boolean =>
  layers.some(({ kind, activation }) => kind === "maxpool" || isBent(activation));

/** The exact changes, which remember whether they have crossed a kink. */
class Watched implements Through {
  crossed = false;
  readonly #exact: Through;

  constructor(readonly at: Unperturbed) {
    this.#exact = exactly(at);
  }

  unit(m: number, n: number, k: number, dz: number): number {
    const { network: { layers }, trace } = this.at, { outputs, activation } = layers[m];
    const { pieces, states } = activationOf(activation), z = trace.inputs[m][n * outputs + k];
    if (pieces) {
      const [below, above] = pieces.bounds(z);
      if (dz < below - z || dz > above - z) this.crossed = true;
    } else if (states && states.of(z + dz) !== states.of(z)) this.crossed = true;
    return this.#exact.unit(m, n, k, dz);
  }

  largest(...[m, n, moved, da, dz]: Parameters<Through["largest"]>): void {
    const { layer, winners, x } = poolOf(this.at, m, n);
    const [low, high] = moveLargest(layer, winners, x, da, dz, moved);
    if (!(low <= 1 && high >= 1)) this.crossed = true;
    this.#exact.largest(m, n, moved, da, dz);
  }
}

/**
 * Bounds of changes, of which it remembers whether they reach a kink. With the magnitudes of weights
 * a carrier takes them through linear operations.
 */
class Bounds implements Through {
  reached = false;

  /** @param origins of the units of sample n, layer by layer, the data first. */
  constructor(readonly at: Unperturbed, readonly origins: (n: number) => readonly Uint32Array[]) {}

  unit(m: number, n: number, k: number, reach: number): number {
    const { network: { layers }, trace } = this.at, { outputs, activation } = layers[m];
    const { pieces, states, steepest } = activationOf(activation);
    const z = trace.inputs[m][n * outputs + k];
    const kinks = pieces ? pieces.bounds(z) : states?.thresholds ?? [];
    if (kinks.some((kink) => Math.abs(z - kink) <= reach)) this.reached = true;
    if (states) return 0;
    return pieces ? Math.abs(pieces.slope(z)) * reach : steepest * reach;
  }

  largest(...[m, n, moved, da, dz]: Parameters<Through["largest"]>): void {
    const { layer, winners, x } = poolOf(this.at, m, n), { window, from: [source] } = layer;
    const taps = tapsOf(window), places = window.output[1] * window.output[2];
    const cells = taps.length / places, area = window.input[1] * window.input[2];
    const [first, end] = moved.map((value) => Math.ceil(value / area) * places);
    const origins = this.origins(n)[source + 1];
    for (let at = first; at < end; at++) {
      const map = Math.floor(at / places) * area, winner = winners[at];
      for (let cell = 0; cell < cells; cell++) {
        const tap = taps[at % places * cells + cell], other = map + tap;
        if (tap < 0 || other === winner || origins[other] === origins[winner]) continue;
        const reach = da[other] + da[winner];
        if (reach > 0 && x[winner] - x[other] <= reach) this.reached = true;
      }
      dz[at] = da[winner];
    }
  }
}

/**
 * Changes of sample n's loss when some units of layer l, from the first on, change.
 * @param of which changes are given: those of the activation's inputs, or of its values.
 */
function responder(at: Unperturbed, l: number, through: Through, of: Side = "inputs") {
  const { network, trace: { batch, residuals } } = at, { layers, classes, loss } = network;
  const width = residualsOf(network), one = new Float64Array(1), whole = Float64Array.of(1);
  const isLast = l === layers.length - 1, carry = isLast ? undefined : carrier(at, l, through);
  const logits = new Float64Array(classes);
  return (n: number, first: number, dz: Float64Array): number => {
    const da = of === "values"
      ? dz
      : dz.map((change, k) => change === 0 ? 0 : through.unit(l, n, first + k, change));
    if (da.every((change) => change === 0)) return 0;
    if (isLast) logits.fill(0).set(da, first);
    const direction = carry ? carry(n, [first, first + da.length], da) : logits;
    losses[loss].changes(residuals, n * width, batch.labels[n], direction, whole, one);
    return one[0];
  };
}

/**
 * What kinks leave open of a gradient.
 * @param elements of the gradient, by their index; default all.
 */
export function kinksOf(at: Unperturbed, h: number, elements?: Uint32Array): Kinks {
  const { network: { layers, parameters }, trace: { batch, values } } = at;
  const size = elements?.length ?? parameters;
  const crossed = new Uint32Array(size);
  const below = new Float64Array(size), above = new Float64Array(size);
  if (!hasKinks(at)) return { crossed, below, above };
  const watched = new Watched(at);
  const magnitudes = { ...at, parameters: at.parameters.map(Math.abs) };
  const known: (readonly Uint32Array[])[] = [], { derivatives } = at.trace;
  const isDead = (n: number) => (l: number, unit: number) =>
    derivatives[l][n * layers[l].outputs + unit] === 0;
  const bounds = new Bounds(at, (n) => known[n] ??= originsOf(at, n, isDead(n)));
  for (const { layer: l, inputs, units, places } of blocksOf(layers, elements)) {
    const layer = layers[l], { indexOf } = weightsOf(layer), { inputs: width, from } = layer;
    const respond = responder(at, l, watched), reach = responder(magnitudes, l, bounds);
    const placeOf = (m: number, j: number) => places?.get(j)?.[m] ?? indexOf(inputs[m], j);
    /** Of sample n, whose unit's or map's inputs move by `each` for a weight's nudge of 1. */
    const note = (n: number, first: number, each: Float64Array, weights: readonly number[]) => {
      watched.crossed = false;
      const right = respond(n, first, each.map((value) => h * value)) / h;
      const left = -respond(n, first, each.map((value) => -h * value)) / h;
      if (!watched.crossed) return;
      const apart = Math.abs(right - left) / 2 / batch.size;
      for (const at of weights) {
        crossed[at]++;
        below[at] -= apart;
        above[at] += apart;
      }
    };
    /** Whether any change of some units' inputs by up to so much may reach a kink. */
    const mayCross = (n: number, first: number, most: Float64Array) => {
      bounds.reached = false;
      reach(n, first, most);
      return bounds.reached;
    };
    for (let n = 0; n < batch.size; n++) {
      const x = values[from[0] + 1].subarray(n * (width + 1), (n + 1) * (width + 1));
      if (isWindowed(layer)) {
        const { outputs, window: { output: [channels] } } = layer, places = outputs / channels;
        const size = filterSize(layer), sees = farthestSeen(layer, x);
        for (const j of units) {
          const group = Math.floor(j * layer.window.groups / channels) * places;
          const most = sees.subarray(group, group + places).map((value) => 2 * h * value);
          const isBehind = mayCross(n, j * places, most);
          inputs.forEach((weight, m) => {
            if (!isBehind && weight < size) return; // a bias moves all of the map
            const shifted = shiftedInput(layer, j, weight, x);
            if (shifted.some((value) => value !== 0)) note(n, j * places, shifted, [placeOf(m, j)]);
          });
        }
        continue;
      }
      const most = inputs.reduce((most, i) => Math.max(most, Math.abs(x[i])), 0);
      for (const j of units) {
        // Most units are done with by the longest nudge of any weight.
        if (most === 0 || !mayCross(n, j, Float64Array.of(2 * h * most))) continue;
        const equal = new Map<number, number[]>(); // inputs of one value move the unit alike
        inputs.forEach((i, m) => {
          if (x[i] === 0) return;
          if (!equal.has(x[i])) equal.set(x[i], []);
          equal.get(x[i])!.push(placeOf(m, j));
        });
        for (const [value, weights] of equal) note(n, j, Float64Array.of(value), weights);
      }
    }
  }
  return { crossed, below, above };
}

/**
 * The slopes of the mean loss by what is inside the network: by some of the numbers that a layer's
 * activation takes, or gives.
 * @param places of the numbers.
 */
export function slopesInside(
  at: Unperturbed,
  l: number,
  of: Side,
  h: number,
  places: Uint32Array, // of [batch, outputs]
): Kinks & { ours: Float64Array } { // [places]
  const { network: { layers }, trace: { batch } } = at, { outputs } = layers[l];
  const watched = new Watched(at), respond = responder(at, l, watched, of);
  const found = {
    ours: new Float64Array(places.length),
    crossed: new Uint32Array(places.length),
    below: new Float64Array(places.length),
    above: new Float64Array(places.length),
  };
  places.forEach((place, e) => {
    const n = Math.floor(place / outputs), j = place % outputs;
    watched.crossed = false;
    const slopes = [h, -h].map((dz) => respond(n, j, Float64Array.of(dz)) / dz / batch.size);
    const centre = found.ours[e] = (slopes[0] + slopes[1]) / 2;
    if (!watched.crossed) return;
    found.crossed[e] = 1;
    found.below[e] = Math.min(...slopes) - centre;
    found.above[e] = Math.max(...slopes) - centre;
  });
  return found;
}

/** The largest magnitude that any weight of a filter looks at, place by place of a group's maps. */
function farthestSeen(layer: Windowed, x: Float64Array): Float64Array { // [groups, places]
  const { window } = layer, { input, output, groups } = window, taps = tapsOf(window);
  const places = output[1] * output[2], cells = taps.length / places;
  const area = input[1] * input[2], taken = input[0] / groups;
  return Float64Array.from({ length: groups * places }, (_, at) => {
    const start = Math.floor(at / places) * taken * area, first = at % places * cells;
    let most = 0;
    for (let i = 0; i < taken; i++) {
      for (let cell = first; cell < first + cells; cell++) {
        if (taps[cell] >= 0) most = Math.max(most, Math.abs(x[start + i * area + taps[cell]]));
      }
    }
    return most;
  });
}
