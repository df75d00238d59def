/**
 * The differences method in float64: every nudged copy is carried through the network as its exact
 * finite change from the unperturbed pass (divided-difference arithmetic: Reps and Rall,
 * "Computational Divided Differencing and Divided-Difference Arithmetics", 2003).
 */

import type { StencilPoint } from "../core/estimator.ts";
import type { Way } from "../core/plan.ts";
import { blocksOf } from "./blocks.ts";
import { responder, type Unperturbed } from "./responses.ts";
import type { Share } from "./share.ts";

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

/**
 * The gradient of the mean loss by a stencil of exact changes, for the weights into this share's
 * units; 0 for the others.
 *
 * A nudge d of W[i,j] in layer l changes the input of one unit by d a_i, and what that does to the
 * loss is the unit's response (see responses.ts), the same for all of a sample's inputs that are
 * equal.
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
  const { network: { layers, parameters }, trace: { batch, values } } = at;
  const gradient = new Float64Array(elements?.length ?? parameters);
  const points = stencil.length;
  const weights = Float64Array.from(stencil, (point) => point.coefficient / (h * batch.size));
  let dealt = 0; // units are dealt out to the shares in turn
  for (const { layer: l, inputs, units, places } of blocksOf(layers, elements)) {
    const mine = units.filter(() => dealt++ % of === index);
    if (mine.length === 0) continue;
    const { inputs: width, outputs, offset, from } = layers[l];
    const respond = responder(at, l, ways[l]);
    for (let n = 0; n < batch.size; n++) {
      const slots = slotsOf(values[from[0] + 1], n * (width + 1), inputs, sharing);
      const dz = new Float64Array(slots.values.length * points); // [slots, points]
      slots.values.forEach((value, slot) => {
        for (let s = 0; s < points; s++) dz[slot * points + s] = stencil[s].offset * h * value;
      });
      const dL = new Float64Array(dz.length); // [slots, points]
      const sums = new Float64Array(slots.values.length);
      for (const j of mine) {
        respond(n, j, dz, dL);
        for (let slot = 0; slot < sums.length; slot++) {
          let sum = 0;
          for (let s = 0; s < points; s++) sum += weights[s] * dL[slot * points + s];
          sums[slot] = sum;
        }
        for (let m = 0; m < inputs.length; m++) {
          const slot = slots.of[m];
          if (slot >= 0) gradient[places?.[m] ?? offset + inputs[m] * outputs + j] += sums[slot];
        }
      }
    }
  }
  return gradient;
}
