/**
 * What a right backward pass in float32 is free to give: the interval around each derivative.
 *
 * Units that stand at a kink, exactly or as near as float32 can tell, may be taken to stand on either
 * side of it, and of a max pool's cells that are as large as its winner, any may be the winner: each
 * choice is a subgradient. Besides, every product and sum rounds.
 *
 * Choices go back through the network as radii: where an error is known as m plus or minus r, the
 * linear operations take m by their weights and r by the magnitudes of these. That holds for whatever
 * is chosen, and is tight as long as few units of a sample are undecided. Roundings are independent of
 * one another as far as this goes, and go back as their squares, by the squares of weights. Units that are exactly at a
 * kink, with nothing rounded, may be many, as where fresh biases are 0 and an image is plain; of these
 * a program takes one side in a whole layer, and either side is evaluated.
 */

import { DATA, type Layer, type Network } from "../core/network.ts";
import { activationOf } from "../operations/registry.ts";
import { tapsOf } from "../operations/window.ts";
import { backThrough, chainRule, type Derivatives, logitErrors, type Means } from "./backprop.ts";
import { dense } from "./forward.ts";
import { originsOf } from "./origins.ts";
import type { Unperturbed } from "./responses.ts";
import { addConvolution, addMeans, filterSize, isWindowed, type Windowed } from "./windows.ts";

/** Half the distance from 1 to the next number in float32. */
const ROUNDOFF = 2 ** -24;

/**
 * How a sum of K products may err, relative to the sum of their magnitudes S: surely by no more than
 * (K + 1) u S (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1). Each
 * rounding is one of a partial sum, and they are as good as independent: together sqrt(K) u times the
 * partial sums' root mean square. Of terms of both signs, which are what a sum is made of that ends
 * near a kink or cancels, that is some S / sqrt(K) in any order that does not sort them; 8 u S is far
 * beyond it. What a sum of terms of one sign loses is a part in 10,000 of itself at most.
 */
const roundingOf = (terms: number) => Math.min(terms + 1, 8) * ROUNDOFF;

/** What float32 may take for 0: its smallest normal number. */
const UNDERFLOW = 2 ** -126;

/** Roundings of a value that is made of a few operations. */
const FEW = 4;

/** A unit, or a max pool's window, that float32 cannot place on one side of a kink. */
export interface Undecided {
  readonly layer: number;
  readonly sample: number;
  /** The unit of the layer: of a pool, its window. */
  readonly unit: number;
  /** Of a pool, the cells that may be the largest, by their place in what it takes. */
  readonly cells?: readonly number[];
  /** The most that its slope may be off, times the most that dL/d of its value is. */
  readonly strength: number;
}

/** By how much derivatives may be smaller and larger. */
export interface Around {
  readonly below: Float64Array; // 0 or less
  readonly above: Float64Array; // 0 or more
}

/** What a backward pass is free to give. */
export interface Freedom extends Around { // [parameters]
  /** What the chain rule gives in float64, for each unit at a kink the side that it takes. */
  readonly derivatives: Derivatives;
  /** The same of the derivatives by what each layer gives, and by what its activation takes. */
  readonly values: readonly Around[]; // layers of [batch, outputs]
  readonly inputs: readonly Around[]; // layers of [batch, outputs]
  readonly undecided: readonly Undecided[];
  /** How many units stand exactly at a kink, and the gradients where those of some layers take its other side. */
  readonly exactly: number;
  readonly others: readonly Float64Array[];
}

/** Whether kinks leave anything open, and not rounding alone. */
export const leavesOpen = ({ undecided, exactly }: Freedom): boolean =>
  undecided.length + exactly > 0;

/** Terms of the sums that a layer's outputs are. */
function termsOf(layer: Layer): number {
  if (!isWindowed(layer)) return layer.kind === "dense" ? layer.inputs + 1 : layer.from.length;
  return layer.kind === "conv"
    ? filterSize(layer) + 1
    : layer.window.kernel[0] * layer.window.kernel[1];
}

/** Terms of the sums that errors are, on their way back through it. */
function termsBack(layer: Layer): number {
  if (!isWindowed(layer)) return layer.kind === "dense" ? layer.outputs : 1;
  const [down, across] = layer.window.kernel;
  return down * across * (layer.kind === "conv" ? layer.window.output[0] : 1);
}

/** A layer without its biases, of every sample: linear in what it takes. */
function throughLayer(
  layer: Layer,
  weights: Float64Array, // [parameters]
  a: Float64Array, // [batch, inputs + 1]
  batch: number,
): Float64Array { // [batch, outputs]
  const { inputs, outputs, kind } = layer, z = new Float64Array(batch * outputs);
  if (kind === "dense") {
    dense(layer, weights, a, z);
    return z;
  }
  for (let n = 0; n < batch; n++) {
    const x = a.subarray(n * (inputs + 1), (n + 1) * (inputs + 1));
    const to = z.subarray(n * outputs, (n + 1) * outputs);
    if (kind === "conv") addConvolution(layer as Windowed, weights, x, to);
    else addMeans(layer as Windowed, x, to);
  }
  return z;
}

/**
 * How far values are from exact ones, in a forward pass in float32: of each layer's sums, and of what
 * its activation makes of them. Errors of what a sum takes are independent of one another as far as
 * this goes, and add as squares.
 */
function forwardErrors(
  { network: { layers }, parameters, trace }: Unperturbed,
): { sums: Float64Array[]; values: Float64Array[] } { // layers of [batch, outputs]
  const sums: Float64Array[] = [], values: Float64Array[] = [], { batch } = trace;
  const sizes = parameters.map(Math.abs), squares = parameters.map((weight) => weight ** 2);
  /** Rows with room for the constant 1, of which no error comes. */
  const widened = (rows: Float64Array, width: number) => {
    const wide = new Float64Array(batch.size * (width + 1));
    for (let n = 0; n < batch.size; n++) {
      wide.set(rows.subarray(n * width, (n + 1) * width), n * (width + 1));
    }
    return wide;
  };
  for (const [l, layer] of layers.entries()) {
    const { kind, from, inputs, outputs, activation } = layer;
    const rounding = roundingOf(termsOf(layer));
    let errors: Float64Array;
    if (kind === "sum" || kind === "maxpool") {
      errors = new Float64Array(batch.size * outputs);
      const { winners } = trace;
      for (const source of from) {
        if (source === DATA) continue;
        for (let at = 0; at < errors.length; at++) {
          const n = Math.floor(at / outputs);
          const place = kind === "sum" ? at : n * inputs + winners[l]![at];
          errors[at] = Math.hypot(errors[at], values[source][place]);
        }
      }
      if (kind === "sum" && from.length > 1) {
        errors.forEach((error, at) =>
          errors[at] = error + rounding * Math.abs(trace.inputs[l][at])
        );
      }
    } else {
      const [source] = from, taken = trace.values[source + 1];
      errors = throughLayer(layer, sizes, taken.map(Math.abs), batch.size)
        .map((size) => rounding * size);
      if (source !== DATA) {
        const before = widened(values[source].map((error) => error ** 2), inputs);
        const passed = throughLayer(layer, squares, before, batch.size);
        errors.forEach((error, at) => errors[at] = Math.hypot(error, Math.sqrt(passed[at])));
      }
    }
    sums.push(errors);
    const { steepest, states } = activationOf(activation), a = trace.values[l + 1];
    values.push(errors.map((error, at) => {
      if (activation === "identity") return error;
      const value = Math.abs(a[at + Math.floor(at / outputs)]); // a 1 stands behind each row
      return (states ? 0 : steepest * error) + FEW * ROUNDOFF * value;
    }));
  }
  return { sums, values };
}

/** The slopes that a piecewise activation may be taken to have, where z is known but for an error. */
function slopesNear(
  pieces: NonNullable<ReturnType<typeof activationOf>["pieces"]>,
  z: number,
  error: number,
): readonly [least: number, most: number] | undefined {
  const near = pieces.bounds(z).filter((kink) => Math.abs(z - kink) <= error);
  if (near.length === 0) return undefined;
  const sides = near.flatMap((kink) => {
    const aside = 1e-9 * Math.max(1, Math.abs(kink));
    return [pieces.slope(kink - aside), pieces.slope(kink + aside)];
  });
  return [Math.min(...sides), Math.max(...sides)];
}

/** The cells of max pool l that may be the largest of their window, but for the winner alone. */
function tiesOf(
  at: Unperturbed,
  l: number,
  n: number,
  errors: Float64Array | undefined, // of what it takes, [batch, inputs]
  origins: Uint32Array, // [inputs]
): Map<number, number[]> {
  const { network: { layers }, trace } = at, layer = layers[l] as Windowed;
  const { window, inputs, outputs, from: [source] } = layer, taps = tapsOf(window);
  const places = window.output[1] * window.output[2], cells = taps.length / places;
  const area = window.input[1] * window.input[2], ties = new Map<number, number[]>();
  const x = trace.values[source + 1].subarray(n * (inputs + 1));
  for (let at = 0; at < outputs; at++) {
    const map = Math.floor(at / places) * area, winner = trace.winners[l]![n * outputs + at];
    const errorOf = (cell: number) => errors?.[n * inputs + cell] ?? 0;
    const near: number[] = [];
    for (let cell = 0; cell < cells; cell++) {
      const tap = taps[at % places * cells + cell], other = map + tap;
      if (tap < 0 || other === winner || origins[other] === origins[winner]) continue;
      if (x[winner] - x[other] <= errorOf(winner) + errorOf(other)) near.push(other);
    }
    if (near.length > 0) ties.set(at, [winner, ...near]);
  }
  return ties;
}

const emptyLike = ({ layers }: Network, batch: number) =>
  layers.map(({ outputs }) => new Float64Array(batch * outputs));

/** Numbers that are known but for a radius, and for what was rounded. */
interface Known {
  readonly middle: Float64Array;
  readonly radius: Float64Array;
  /** Squares of how far rounding may have moved them. */
  readonly noise: Float64Array;
}

/** What is open before anything goes back. */
interface Open {
  /** Slopes of each layer's activation. */
  readonly slopes: readonly Known[]; // layers of [batch, outputs]
  /** Where they have a radius. */
  readonly bent: readonly (readonly number[])[]; // layers of places of [batch, outputs]
  /** The slopes of those exactly at a kink on its other side, by place. */
  readonly level: readonly ReadonlyMap<number, number>[]; // layers
  /** Ties of every max pool and sample, by the pool's layer: see `tiesOf`. */
  readonly ties: ReadonlyMap<number, readonly Map<number, number[]>[]>;
  /** dL/d logits. */
  readonly logits: Known; // [batch, classes]
}

/** Derivatives that are known but for a radius. */
interface Interval {
  readonly gradient: Known; // [parameters]
  readonly values: readonly Known[]; // layers of [batch, outputs]
  readonly inputs: readonly Known[]; // layers of [batch, outputs]
  readonly undecided: readonly Undecided[];
}

/**
 * The freedom of a backward pass in float32 around the exact one.
 * @param rounding whether it rounds, too, or but stands on other sides of kinks.
 */
export function freedomOf(at: Unperturbed, rounding = true): Freedom {
  const { network, parameters, trace } = at, { layers } = network;
  const open = openIn(at, rounding), exact = chainRule(network, parameters, trace);
  // Whatever side those exactly at kinks take, the others are free.
  const intervals = choicesOf(open.level).map((choice) =>
    intervalsBack(at, { ...open, slopes: chosen(open, choice) }, rounding)
  );
  const around = (exact: Float64Array, of: (interval: Interval) => Known): Around => {
    const below = new Float64Array(exact.length), above = new Float64Array(exact.length);
    for (const interval of intervals) {
      const { middle, radius, noise } = of(interval);
      for (let i = 0; i < exact.length; i++) {
        const open = radius[i] + Math.sqrt(noise[i]);
        below[i] = Math.min(below[i], middle[i] - open - exact[i]);
        above[i] = Math.max(above[i], middle[i] + open - exact[i]);
      }
    }
    return { below, above };
  };
  const [{ undecided }, ...others] = intervals;
  return {
    derivatives: exact,
    ...around(exact.gradient, ({ gradient }) => gradient),
    values: layers.map((_, l) => around(exact.values[l], ({ values }) => values[l])),
    inputs: layers.map((_, l) => around(exact.inputs[l], ({ inputs }) => inputs[l])),
    undecided: undecided.map((one, i) => ({
      ...one,
      strength: Math.max(...intervals.map(({ undecided }) => undecided[i].strength)),
    })).filter(({ strength }) => strength > 2 ** -100),
    exactly: open.level.reduce((sum, { size }) => sum + size, 0),
    others: others.map(({ gradient }) => gradient.middle),
  };
}

/** What is open in a network, over a batch. */
function openIn(at: Unperturbed, rounding: boolean): Open {
  const { network, trace } = at, { layers } = network, { batch } = trace;
  const errors = forwardErrors(at);
  const slopes = trace.derivatives.map((slopes) => ({
    middle: slopes.slice(),
    radius: new Float64Array(slopes.length),
    noise: new Float64Array(slopes.length),
  }));
  const bent = layers.map((): number[] => []);
  const level = layers.map(() => new Map<number, number>());
  const bend = (l: number, place: number, [least, most]: readonly [number, number]) => {
    slopes[l].middle[place] = (least + most) / 2;
    slopes[l].radius[place] = (most - least) / 2;
    bent[l].push(place);
  };
  for (const [l, { activation }] of layers.entries()) {
    const { pieces, states } = activationOf(activation);
    if (activation === "identity") continue;
    if (!pieces) {
      if (!rounding || states) continue;
      // A curved one's slope moves by less than its input does, none having a second derivative beyond
      // 1.2 (gelu's); and made of its value, as 1 - a^2 is, it is rounded where that is near 1.
      slopes[l].noise.forEach((_, place, noise) => {
        noise[place] = (1.2 * errors.sums[l][place] + FEW * ROUNDOFF) ** 2;
      });
      continue;
    }
    trace.inputs[l].forEach((z, place) => {
      const sides = slopesNear(pieces, z, errors.sums[l][place]);
      if (!sides) return;
      if (errors.sums[l][place] > 0) return bend(l, place, sides);
      // All products are 0: nothing is rounded.
      const [least, most] = sides;
      level[l].set(place, slopes[l].middle[place] === least ? most : least);
    });
  }
  const ties = tiesOfAll(at, errors.values, (l, place) => {
    const { middle, radius } = slopes[l];
    return middle[place] === 0 && radius[place] === 0 && !level[l].has(place);
  });
  // Those that a pool may take or not are open one by one.
  for (const [l, samples] of ties) {
    const { from: [source], inputs } = layers[l];
    if (source === DATA) continue;
    for (const [n, tied] of samples.entries()) {
      for (const cell of [...tied.values()].flat()) {
        const place = n * inputs + cell, other = level[source].get(place);
        if (other === undefined) continue;
        const own = slopes[source].middle[place];
        level[source].delete(place);
        bend(source, place, [Math.min(own, other), Math.max(own, other)]);
      }
    }
  }
  const middle = logitErrors(network, trace);
  const radius = middle.map(() => 0);
  const noise = rounding
    ? logitErrorsOf(network, batch.labels, middle, errors.values.at(-1)!).map((error) => error ** 2)
    : radius;
  return { slopes, bent, level, ties, logits: { middle, radius, noise } };
}

/** By how much dL/d logits are off where the logits are, and by their own rounding. */
function logitErrorsOf(
  { classes, loss }: Network,
  labels: Uint16Array, // [batch]
  logits: Float64Array, // [batch, classes], dL/d them
  errors: Float64Array, // [batch, classes]
): Float64Array { // [batch, classes]
  return logits.map((each, place) => {
    const n = Math.floor(place / classes), row = errors.subarray(n * classes, (n + 1) * classes);
    const isTarget = labels[n] === place % classes;
    // p[k] - t[k] is rounded as p[k], which is near 1 or 0; p[k] moves by at most itself times twice
    // what a logit does, and 1 - p likewise.
    const own = UNDERFLOW + FEW * ROUNDOFF * (Math.abs(each) + (isTarget ? 1 : 0) / labels.length);
    const moved = loss === "cross-entropy"
      ? 2 * Math.max(...row) * Math.abs(each)
      : loss === "squared-error"
      ? errors[place] / labels.length
      : 0;
    return own + moved;
  });
}

/** Layers whose units stand exactly at kinks of which every choice of sides is evaluated, at most. */
const MOST_CHOICES = 4;

/**
 * In which layers the units that stand exactly at a kink take its other side: first in none. Gradients
 * are linear in each layer's slopes, so that all choices are the extremes. Of many layers each alone,
 * all from each on, and all up to each.
 */
function choicesOf(level: Open["level"]): Set<number>[] {
  const layers = [...level.keys()].filter((l) => level[l].size > 0), count = layers.length;
  if (count <= MOST_CHOICES) {
    return Array.from(
      { length: 2 ** count },
      (_, bits) => new Set(layers.filter((_, i) => bits >> i & 1)),
    );
  }
  return [
    new Set<number>(),
    ...layers.flatMap((l, i) => [
      new Set([l]),
      new Set(layers.slice(i)),
      new Set(layers.slice(0, i + 1)),
    ]),
  ];
}

/** The slopes where units of the chosen layers take the other side. */
function chosen({ slopes, level }: Open, choice: ReadonlySet<number>): Known[] {
  return slopes.map((own, l) => {
    if (!choice.has(l)) return own;
    const middle = own.middle.slice();
    for (const [place, slope] of level[l]) middle[place] = slope;
    return { ...own, middle };
  });
}

/** Takes what is known of errors back through a network. */
function intervalsBack(
  { network, parameters, trace }: Unperturbed,
  { slopes, bent, ties, logits }: Open,
  rounding: boolean,
): Interval {
  const { layers } = network, { batch } = trace, unit = rounding ? FEW * ROUNDOFF : 0;
  const least = rounding ? UNDERFLOW : 0;
  const middle = emptyLike(network, batch.size), radius = emptyLike(network, batch.size);
  const noise = emptyLike(network, batch.size);
  middle.at(-1)!.set(logits.middle);
  radius.at(-1)!.set(logits.radius);
  noise.at(-1)!.set(logits.noise);
  const gradient = {
    middle: new Float64Array(network.parameters),
    radius: new Float64Array(network.parameters).fill(batch.size * least),
    noise: new Float64Array(network.parameters),
  };
  const inputs: Known[] = [], undecided: Undecided[] = [];
  /** What a layer's backward pass is made with; pools are taken care of here. */
  const by = (f: (weight: number) => number): Means => ({
    weights: parameters.map(f),
    values: trace.values.map((values) => values.map(f)),
    route: () => {},
  });
  const means = by((weight) => weight), sizes = by(Math.abs), squares = by((weight) => weight ** 2);
  for (let l = layers.length - 1; l >= 0; l--) {
    const layer = layers[l], { kind, outputs } = layer, slope = slopes[l];
    const [m, r, s] = [middle[l], radius[l], noise[l]];
    for (const place of bent[l]) {
      undecided.push({
        layer: l,
        sample: Math.floor(place / outputs),
        unit: place % outputs,
        strength: 2 * slope.radius[place] * (Math.abs(m[place]) + r[place]),
      });
    }
    const z = m.map((error, at) => error * slope.middle[at]);
    const dz = r.map((error, at) =>
      Math.abs(slope.middle[at]) * error + slope.radius[at] * (Math.abs(m[at]) + error) + least
    );
    const sz = s.map((noise, at) => {
      const size = Math.abs(m[at]) + r[at], steep = Math.abs(slope.middle[at]) + slope.radius[at];
      return steep ** 2 * noise + slope.noise[at] * size ** 2 + (unit * z[at]) ** 2;
    });
    inputs[l] = { middle: z, radius: dz, noise: sz };
    if (kind === "maxpool") {
      const [source] = layer.from;
      if (source === DATA) continue;
      const to = { middle: middle[source], radius: radius[source], noise: noise[source] };
      undecided.push(...backThroughPool(layer, l, trace, ties.get(l)!, inputs[l], to));
      continue;
    }
    backThrough(network, l, means, z, gradient.middle, middle);
    if (bent.some(({ length }) => length > 0) || ties.size > 0) {
      backThrough(network, l, sizes, dz, gradient.radius, radius);
    }
    if (!rounding) continue;
    // Sums over what takes a value, over samples and over places round, too.
    const back = roundingOf(batch.size * termsBack(layer));
    const grown = sz.map((noise, at) => noise + (back * z[at]) ** 2);
    backThrough(network, l, squares, grown, gradient.noise, noise);
  }
  return {
    gradient,
    values: layers.map((_, l) => ({ middle: middle[l], radius: radius[l], noise: noise[l] })),
    inputs,
    undecided,
  };
}

/** Takes errors back through a max pool: of cells that tie, each gets none, all, or a part. */
function backThroughPool(
  { inputs, outputs }: Layer,
  l: number,
  { winners }: Unperturbed["trace"],
  ties: readonly Map<number, number[]>[], // [batch]
  error: Known, // [batch, outputs]
  before: Known, // [batch, inputs], written
): Undecided[] {
  const undecided: Undecided[] = [];
  for (let at = 0; at < error.middle.length; at++) {
    const sample = Math.floor(at / outputs), unit = at % outputs, to = sample * inputs;
    const tied = ties[sample].get(unit), size = Math.abs(error.middle[at]);
    if (!tied) {
      before.middle[to + winners[l]![at]] += error.middle[at];
      before.radius[to + winners[l]![at]] += error.radius[at];
      before.noise[to + winners[l]![at]] += error.noise[at];
      continue;
    }
    undecided.push({ layer: l, sample, unit, cells: tied, strength: size + error.radius[at] });
    for (const cell of tied) {
      before.middle[to + cell] += error.middle[at] / 2;
      before.radius[to + cell] += size / 2 + error.radius[at];
      before.noise[to + cell] += error.noise[at];
    }
  }
  return undecided;
}

/** Ties of every max pool and sample, by the pool's layer. */
function tiesOfAll(
  at: Unperturbed,
  errors: readonly Float64Array[], // layers of [batch, outputs]
  isDead: (l: number, place: number) => boolean, // of [batch, outputs]
): Map<number, Map<number, number[]>[]> {
  const { network: { layers }, trace: { batch } } = at;
  const pools = [...layers.keys()].filter((l) => layers[l].kind === "maxpool");
  const ties = new Map(pools.map((l) => [l, [] as Map<number, number[]>[]]));
  if (pools.length === 0) return ties;
  for (let n = 0; n < batch.size; n++) {
    const origins = originsOf(at, n, (l, unit) => isDead(l, n * layers[l].outputs + unit));
    for (const l of pools) {
      const [source] = layers[l].from;
      ties.get(l)!.push(tiesOf(at, l, n, errors[source], origins[source + 1]));
    }
  }
  return ties;
}
