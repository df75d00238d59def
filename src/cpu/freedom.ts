/**
 * What a right backward pass in float32 is free to give: the interval around each derivative.
 *
 * Units that stand at a kink, exactly or as near as float32 can tell, may be taken to stand on either
 * side of it, and of a max pool's cells that are as large as its winner, any may be the winner: each
 * choice is a subgradient. Besides, every product and sum rounds.
 *
 * Both go back through the network as radii: where an error is known as m plus or minus r, the linear
 * operations take m by their weights and r by the magnitudes of these. That holds for whatever is
 * chosen, and is tight as long as few units of a sample are undecided. Units that are exactly at a
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

/** Magnitudes of numbers. */
const magnitudes = (numbers: Float64Array) => numbers.map(Math.abs);

/**
 * The freedom of a backward pass in float32 around the exact one.
 * @param rounding whether it rounds, too, or but stands on other sides of kinks.
 */
export function freedomOf(at: Unperturbed, rounding = true): Freedom {
  const { network, parameters, trace } = at, { layers, classes, loss } = network;
  const { batch } = trace, unit = rounding ? FEW * ROUNDOFF : 0;
  const errors = forwardErrors(at);
  // Slopes as a middle and a radius, and which units have any radius.
  const middles = trace.derivatives.map((slopes) => slopes.slice());
  const radii = layers.map(({ outputs }) => new Float64Array(batch.size * outputs));
  const bent = layers.map((): number[] => []), level = layers.map((): number[] => []);
  for (const [l, { activation }] of layers.entries()) {
    const { pieces } = activationOf(activation);
    if (!pieces || activation === "identity") continue;
    trace.inputs[l].forEach((z, place) => {
      const slopes = slopesNear(pieces, z, errors.sums[l][place]);
      if (!slopes) return;
      if (errors.sums[l][place] === 0) { // all products are 0: nothing is rounded
        level[l].push(place);
        return;
      }
      middles[l][place] = (slopes[0] + slopes[1]) / 2;
      radii[l][place] = (slopes[1] - slopes[0]) / 2;
      bent[l].push(place);
    });
  }
  const ties = tiesOfAll(at, errors.values, middles, radii);
  const exact = chainRule(network, parameters, trace);
  const others = otherSides(at, level, trace.derivatives);

  const logits = logitErrors(network, trace);
  const middle = emptyLike(network, batch.size), radius = emptyLike(network, batch.size);
  middle.at(-1)!.set(logits);
  if (rounding) radius.at(-1)!.set(logitRadii(at, logits, errors.values.at(-1)!));
  const gradient = new Float64Array(network.parameters);
  const gradientRadius = new Float64Array(network.parameters);
  const zMiddle: Float64Array[] = [], zRadius: Float64Array[] = [], undecided: Undecided[] = [];
  const weights = magnitudes(parameters), values = trace.values.map(magnitudes);
  const never: Means["route"] = () => {}; // pools are taken care of here
  for (let l = layers.length - 1; l >= 0; l--) {
    const layer = layers[l], { kind, outputs, inputs, from: [source] } = layer;
    const [m, r] = [middle[l], radius[l]];
    for (const place of bent[l]) {
      undecided.push({
        layer: l,
        sample: Math.floor(place / outputs),
        unit: place % outputs,
        strength: 2 * radii[l][place] * (Math.abs(m[place]) + r[place]),
      });
    }
    const z = zMiddle[l] = m.map((error, at) => error * middles[l][at]);
    const dz = zRadius[l] = r.map((error, at) =>
      Math.abs(middles[l][at]) * error + radii[l][at] * (Math.abs(m[at]) + error) +
      2 * unit * Math.abs(z[at])
    );
    if (kind === "maxpool") {
      for (let at = 0; at < z.length; at++) {
        const n = Math.floor(at / outputs), tied = ties.get(l)?.[n].get(at % outputs);
        const to = n * inputs;
        if (source === DATA) continue;
        if (!tied) {
          const winner = trace.winners[l]![at];
          middle[source][to + winner] += z[at];
          radius[source][to + winner] += dz[at];
          continue;
        }
        const most = Math.abs(z[at]) + dz[at];
        undecided.push({
          layer: l,
          sample: n,
          unit: at % outputs,
          cells: tied,
          strength: most,
        });
        for (const cell of tied) { // each gets none of it, all of it, or a part
          middle[source][to + cell] += z[at] / 2;
          radius[source][to + cell] += Math.abs(z[at]) / 2 + dz[at];
        }
      }
      continue;
    }
    backThrough(
      network,
      l,
      { weights: parameters, values: trace.values, route: never },
      z,
      gradient,
      middle,
    );
    const sums = batch.size * termsBack(layer); // over samples and places, too
    const back = rounding ? roundingOf(sums) : 0;
    const grown = dz.map((error, at) => error + back * Math.abs(z[at]));
    backThrough(network, l, { weights, values, route: never }, grown, gradientRadius, radius);
  }
  const around = (
    middle: Float64Array,
    radius: Float64Array,
    of: (derivatives: Derivatives) => Float64Array,
  ): Around => {
    const centre = of(exact);
    const below = middle.map((m, at) => Math.min(0, m - radius[at] - centre[at]));
    const above = middle.map((m, at) => Math.max(0, m + radius[at] - centre[at]));
    const [least, most] = [centre.slice(), centre.slice()];
    for (const other of others) {
      of(other).forEach((value, at) => {
        least[at] = Math.min(least[at], value);
        most[at] = Math.max(most[at], value);
      });
    }
    for (let at = 0; others.length > 0 && at < centre.length; at++) {
      below[at] += least[at] - centre[at];
      above[at] += most[at] - centre[at];
    }
    return { below, above };
  };
  return {
    derivatives: exact,
    ...around(gradient, gradientRadius, ({ gradient }) => gradient),
    values: layers.map((_, l) => around(middle[l], radius[l], ({ values }) => values[l])),
    inputs: layers.map((_, l) => around(zMiddle[l], zRadius[l], ({ inputs }) => inputs[l])),
    undecided: undecided.filter(({ strength }) => strength > 0),
    exactly: level.reduce((sum, { length }) => sum + length, 0),
    others: others.map(({ gradient }) => gradient),
  };

  /** By how much dL/d logits are off where the logits are, and by their own rounding. */
  function logitRadii(
    { trace: { batch } }: Unperturbed,
    logits: Float64Array, // [batch, classes]
    errors: Float64Array, // [batch, classes]
  ): Float64Array {
    return logits.map((each, place) => {
      const n = Math.floor(place / classes), row = errors.subarray(n * classes, (n + 1) * classes);
      const isTarget = batch.labels[n] === place % classes;
      // p[k] - t[k] is rounded as p[k], which is near 1 or 0; p[k] moves by at most itself times twice
      // what a logit does, and 1 - p likewise.
      const own = unit * (Math.abs(each) + (isTarget ? 1 : 0) / batch.size);
      const moved = loss === "cross-entropy"
        ? 2 * Math.max(...row) * Math.abs(each)
        : loss === "squared-error"
        ? errors[place] / batch.size
        : 0;
      return own + moved;
    });
  }
}

/** Layers whose units stand exactly at kinks of which every choice of sides is evaluated, at most. */
const MOST_CHOICES = 4;

/**
 * The derivatives where the units that stand exactly at a kink take its other side, in some layers
 * or others: gradients are linear in each layer's slopes, so that these are the extremes. Of many
 * layers each alone, all behind each, and all before.
 */
function otherSides(
  { network, parameters, trace }: Unperturbed,
  level: readonly (readonly number[])[], // layers of places of [batch, outputs]
  usual: readonly Float64Array[],
): Derivatives[] {
  const slopes = level.map((places, l) => {
    if (places.length === 0) return usual[l];
    const pieces = activationOf(network.layers[l].activation).pieces!, others = usual[l].slice();
    for (const place of places) {
      const [least, most] = slopesNear(pieces, trace.inputs[l][place], 0)!;
      others[place] = others[place] === least ? most : least;
    }
    return others;
  });
  const layers = [...level.keys()].filter((l) => level[l].length > 0), count = layers.length;
  const choices: Set<number>[] = [];
  if (count <= MOST_CHOICES) {
    for (let bits = 1; bits < 2 ** count; bits++) {
      choices.push(new Set(layers.filter((_, i) => bits >> i & 1)));
    }
  } else {
    layers.forEach((l, i) => {
      choices.push(new Set([l]), new Set(layers.slice(i)), new Set(layers.slice(0, i + 1)));
    });
  }
  return choices.map((choice) =>
    chainRule(network, parameters, trace, { slopes: (l) => (choice.has(l) ? slopes : usual)[l] })
  );
}

/** Ties of every max pool and sample, by the pool's layer. */
function tiesOfAll(
  at: Unperturbed,
  errors: readonly Float64Array[], // layers of [batch, outputs]
  middles: readonly Float64Array[],
  radii: readonly Float64Array[],
): Map<number, Map<number, number[]>[]> {
  const { network: { layers }, trace: { batch } } = at;
  const pools = [...layers.keys()].filter((l) => layers[l].kind === "maxpool");
  const ties = new Map(pools.map((l) => [l, [] as Map<number, number[]>[]]));
  if (pools.length === 0) return ties;
  for (let n = 0; n < batch.size; n++) {
    const origins = originsOf(at, n, (l, unit) => {
      const place = n * layers[l].outputs + unit;
      return middles[l][place] === 0 && radii[l][place] === 0;
    });
    for (const l of pools) {
      const [source] = layers[l].from;
      ties.get(l)!.push(tiesOf(at, l, n, errors[source], origins[source + 1]));
    }
  }
  return ties;
}

const emptyLike = ({ layers }: Network, batch: number) =>
  layers.map(({ outputs }) => new Float64Array(batch * outputs));
