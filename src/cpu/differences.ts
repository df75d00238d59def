/**
 * The differences method in float64: every nudged copy is carried through the network as its exact
 * finite change from the unperturbed pass (divided-difference arithmetic: Reps and Rall,
 * "Computational Divided Differencing and Divided-Difference Arithmetics", 2003).
 */

import type { StencilPoint } from "../core/estimator.ts";
import type { Way } from "../core/plan.ts";
import { type Block, blocksOf, weightsOf } from "./blocks.ts";
import { mapResponder, responder, type UnitWay, type Unperturbed } from "./responses.ts";
import type { Share } from "./share.ts";
import { shiftedInput, type Windowed } from "./windows.ts";

/** A sample's inputs that are not 0, and the values that they have, each once where they are shared. */
interface Slots {
  readonly values: number[]; // [slots]
  /** Which slot each of the inputs has; -1 where it is 0, for then every copy's change is 0. */
  readonly of: Int32Array; // [inputs]
}

function slotsOf(
  a: Float64Array, // [batch, width]
  row: number,
  inputs: Uint32Array,
  sharing: boolean,
): Slots {
  const values: number[] = [], of = new Int32Array(inputs.length).fill(-1);
  const known = new Map<number, number>();
  inputs.forEach((i, m) => {
    const value = a[row + i];
    if (value === 0) return;
    of[m] = sharing ? known.get(value) ?? -1 : -1;
    if (of[m] >= 0) return;
    known.set(value, of[m] = values.length);
    values.push(value);
  });
  return { values, of };
}

/** The copies that a gradient is made of. */
interface Nudges {
  /** What each is nudged by. */
  readonly sizes: Float64Array; // [points]
  /** What its change of the loss counts in the derivative of the mean. */
  readonly weights: Float64Array; // [points]
}

/** Takes what a weight adds to the gradient: that from input m of a block's into unit j. */
type Add = (m: number, j: number, value: number) => void;

/**
 * A nudge d of W[i,j] in a dense layer changes the input of one unit by d a_i, and what that does to
 * the loss is the unit's response (see responses.ts), the same for all of a sample's inputs that are
 * equal.
 */
function overUnits(
  at: Unperturbed,
  { layer: l, inputs }: Block,
  units: Uint32Array,
  { sizes, weights }: Nudges,
  way: UnitWay,
  sharing: boolean,
  add: Add,
): void {
  const { network: { layers }, trace: { batch, values } } = at, points = sizes.length;
  const { inputs: width, from } = layers[l], respond = responder(at, l, way);
  for (let n = 0; n < batch.size; n++) {
    const slots = slotsOf(values[from[0] + 1], n * (width + 1), inputs, sharing);
    const dz = new Float64Array(slots.values.length * points); // [slots, points]
    slots.values.forEach((value, slot) => {
      for (let s = 0; s < points; s++) dz[slot * points + s] = sizes[s] * value;
    });
    const dL = new Float64Array(dz.length); // [slots, points]
    const sums = new Float64Array(slots.values.length);
    for (const j of units) {
      respond(n, j, dz, dL);
      for (let slot = 0; slot < sums.length; slot++) {
        let sum = 0;
        for (let s = 0; s < points; s++) sum += weights[s] * dL[slot * points + s];
        sums[slot] = sum;
      }
      for (let m = 0; m < inputs.length; m++) {
        const slot = slots.of[m];
        if (slot >= 0) add(m, j, sums[slot]);
      }
    }
  }
}

/**
 * A nudge d of a convolution's weight changes the map of its channel by d times the input, shifted
 * to where the weight's cell looks: by d alone for the bias.
 */
function overMaps(
  at: Unperturbed,
  { layer: l, inputs }: Block,
  channels: Uint32Array,
  { sizes, weights }: Nudges,
  sharing: boolean,
  add: Add,
): void {
  const { network: { layers }, trace: { batch, values } } = at;
  const layer = layers[l] as Windowed, { inputs: width, from } = layer;
  const respond = mapResponder(at, l, sharing), dL = new Float64Array(sizes.length);
  for (let n = 0; n < batch.size; n++) {
    const x = values[from[0] + 1].subarray(n * (width + 1), (n + 1) * (width + 1));
    for (const c of channels) {
      inputs.forEach((weight, m) => {
        const shifted = shiftedInput(layer, c, weight, x);
        if (shifted.every((value) => value === 0)) return;
        respond(n, c, shifted, sizes, dL);
        add(m, c, dL.reduce((sum, change, s) => sum + weights[s] * change, 0));
      });
    }
  }
}

/**
 * The gradient of the mean loss by a stencil of exact changes, for the weights into this share's
 * units; 0 for the others.
 * @param ways of the layers, by index.
 * @param elements that are asked for, by their index; default all. Nothing of the others is
 *   evaluated.
 */
export function differences(
  at: Unperturbed,
  stencil: readonly StencilPoint[],
  h: number,
  ways: Readonly<Record<number, Way>>,
  sharing: boolean,
  { index, of }: Share,
  elements?: Uint32Array,
): Float64Array { // [parameters] or [elements]
  const { network: { layers, parameters }, trace: { batch } } = at;
  const gradient = new Float64Array(elements?.length ?? parameters);
  const nudges: Nudges = {
    sizes: Float64Array.from(stencil, ({ offset }) => offset * h),
    weights: Float64Array.from(stencil, ({ coefficient }) => coefficient / (h * batch.size)),
  };
  let dealt = 0; // units are dealt out to the shares in turn
  for (const block of blocksOf(layers, elements)) {
    const { layer: l, inputs, units, places } = block, { indexOf } = weightsOf(layers[l]);
    const mine = units.filter(() => dealt++ % of === index);
    if (mine.length === 0) continue;
    const add: Add = (m, j, value) =>
      gradient[places?.get(j)?.[m] ?? indexOf(inputs[m], j)] += value;
    const way = ways[l];
    if (way === "maps") overMaps(at, block, mine, nudges, sharing, add);
    else overUnits(at, block, mine, nudges, way, sharing, add);
  }
  return gradient;
}
