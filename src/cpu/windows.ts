/**
 * What convolutions and pools do with one sample's maps, in float64: values, exact changes of them,
 * and derivatives. All walk the same table of which value each cell of a window looks at.
 */

import { channelsFrom, channelsIn, type Range } from "../core/moved.ts";
import type { Layer } from "../core/network.ts";
import { sizeOfShape, type Window } from "../operations/structure.ts";
import { tapsOf } from "../operations/window.ts";

/** A layer with a window. */
export type Windowed = Layer & { readonly window: Window };

/** Whether a layer has a window. */
export const isWindowed = (layer: Layer): layer is Windowed => layer.window !== undefined;

/** Sizes along which the loops below go. */
function sizesOf({ input, output, kernel, groups }: Window) {
  return {
    area: input[1] * input[2],
    places: output[1] * output[2],
    cells: kernel[0] * kernel[1],
    /** Input and output channels of a group. */
    taken: input[0] / groups,
    given: output[0] / groups,
  };
}

/** How many weights each output channel of a convolution has, without its bias. */
export function filterSize({ tensors: [{ shape }], window }: Windowed): number {
  return sizeOfShape(shape) / window.output[0];
}

/**
 * Adds a convolution of maps, without its bias, to z: z[c] += sum over i of x[i], shifted and weighed
 * by W[c,i]. It is linear in x and in W, so that a change of x goes through it as x does, and
 * (W + D) * (x + dx) - W * x is (W + D) * dx + D * x, in which nothing is subtracted. Values that are
 * 0 are passed over.
 * @param moved the values of x to be taken, by whole channels; default all.
 */
export function addConvolution(
  { window, offset, inputs }: Windowed,
  weights: Float64Array, // [parameters]
  x: Float64Array, // [inputs] or more
  z: Float64Array, // [outputs]
  moved: Range = [0, inputs],
): void {
  const taps = tapsOf(window), { area, places, cells, taken, given } = sizesOf(window);
  const [first, end] = channelsIn(window, moved), [from, to] = channelsFrom(window, [first, end]);
  // What a place looks at that is not 0, which all channels of a group take: which weight, and what.
  const which = new Int32Array(taken * cells), what = new Float64Array(taken * cells);
  for (let group = from; group < to; group += given) { // its first output channel
    const start = group / given * taken; // and input channel
    const begin = Math.max(first, start), stop = Math.min(end, start + taken);
    for (let place = 0; place < places; place++) {
      let count = 0;
      for (let i = begin; i < stop; i++) {
        for (let cell = 0; cell < cells; cell++) {
          const tap = taps[place * cells + cell];
          if (tap < 0 || x[i * area + tap] === 0) continue;
          which[count] = (i - start) * cells + cell;
          what[count++] = x[i * area + tap];
        }
      }
      for (let c = group; c < group + given; c++) {
        const filter = offset + c * taken * cells;
        let sum = 0;
        for (let t = 0; t < count; t++) sum += weights[filter + which[t]] * what[t];
        z[c * places + place] += sum;
      }
    }
  }
}

/** Adds each channel's bias to z. */
export function addBiases(
  layer: Windowed,
  weights: Float64Array, // [parameters]
  z: Float64Array, // [outputs]
): void {
  const { window: { output: [channels] }, offset, outputs } = layer, places = outputs / channels;
  const biases = offset + channels * filterSize(layer);
  for (let at = 0; at < outputs; at++) z[at] += weights[biases + Math.floor(at / places)];
}

/**
 * By how much a channel's map changes for each unit that one of its weights is nudged by: what the
 * weight's cell looks at, or 1 everywhere for the bias.
 */
export function shiftedInput(
  layer: Windowed,
  channel: number,
  weight: number, // of the channel's filter, its bias last
  x: Float64Array, // [inputs] or more
): Float64Array { // [places]
  const { window } = layer,
    taps = tapsOf(window),
    { area, places, cells, taken, given } = sizesOf(window);
  if (weight === filterSize(layer)) return new Float64Array(places).fill(1);
  const map = (Math.floor(channel / given) * taken + Math.floor(weight / cells)) * area;
  const cell = weight % cells;
  return Float64Array.from({ length: places }, (_, place) => {
    const tap = taps[place * cells + cell];
    return tap < 0 ? 0 : x[map + tap];
  });
}

/**
 * Where the largest value of each window lies among the layer's inputs: the first, in row-major
 * order of the window, where several are the largest.
 */
export function winners(
  { window, outputs }: Windowed,
  x: Float64Array, // [inputs] or more
): Int32Array { // [outputs]
  const taps = tapsOf(window), { area, places, cells } = sizesOf(window);
  return Int32Array.from({ length: outputs }, (_, at) => {
    const map = Math.floor(at / places) * area, first = at % places * cells;
    let winner = -1;
    for (let cell = first; cell < first + cells; cell++) {
      if (taps[cell] < 0) continue;
      const other = map + taps[cell];
      if (winner < 0 || x[other] > x[winner]) winner = other;
    }
    return winner;
  });
}

/**
 * The exact changes of the largest values of windows, when their values x become x + dx.
 *
 * With w the winner before and v the one after it is (x_v + dx_v) - x_w = (x_v - x_w) + dx_v, whose
 * first part is exactly 0 where the winner stays, so that a small dx_v is not swallowed by x. For the
 * same reason two values are compared after the change as (x_u - x_v) + (dx_u - dx_v) against 0: what
 * decides near a tie is a difference of changes. Of equals the first is the winner, before and after.
 */
export function changeLargest(
  { window, inputs }: Windowed,
  winners: Int32Array, // [outputs]
  x: Float64Array, // [inputs] or more
  dx: Float64Array, // [inputs]
  dz: Float64Array, // [outputs], written
  moved: Range = [0, inputs],
): void {
  const taps = tapsOf(window), { area, places, cells } = sizesOf(window);
  const [from, to] = channelsIn(window, moved);
  for (let at = from * places; at < to * places; at++) {
    const map = Math.floor(at / places) * area, first = at % places * cells;
    let after = -1;
    for (let cell = first; cell < first + cells; cell++) {
      if (taps[cell] < 0) continue;
      const other = map + taps[cell];
      if (after < 0 || (x[other] - x[after]) + (dx[other] - dx[after]) > 0) after = other;
    }
    dz[at] = (after === winners[at] ? 0 : x[after] - x[winners[at]]) + dx[after];
  }
}

/**
 * How far all windows' winners stay the same when values go along x + t dx, where the largest go along
 * dx of theirs: another value u is as large as the winner w where t (dx_u - dx_w) is x_w - x_u, which
 * is not negative.
 * @returns the t on either side, 0 and beyond.
 */
export function moveLargest(
  { window, inputs }: Windowed,
  winners: Int32Array, // [outputs]
  x: Float64Array, // [inputs] or more
  dx: Float64Array, // [inputs]
  dz: Float64Array, // [outputs], written
  moved: Range = [0, inputs],
): Range {
  const taps = tapsOf(window), { area, places, cells } = sizesOf(window);
  const [from, to] = channelsIn(window, moved);
  let low = -Infinity, high = Infinity;
  for (let at = from * places; at < to * places; at++) {
    const map = Math.floor(at / places) * area, first = at % places * cells, winner = winners[at];
    for (let cell = first; cell < first + cells; cell++) {
      if (taps[cell] < 0) continue;
      const other = map + taps[cell], gain = dx[other] - dx[winner];
      if (gain === 0) continue;
      const reach = (x[winner] - x[other]) / gain;
      if (gain > 0) high = Math.min(high, reach);
      else low = Math.max(low, reach);
    }
    dz[at] = dx[winner];
  }
  return [low, high];
}

/** Adds the mean of each window's values that are not padding to z; linear, so that changes do, too. */
export function addMeans(
  { window, inputs }: Windowed,
  x: Float64Array, // [inputs] or more
  z: Float64Array, // [outputs]
  moved: Range = [0, inputs],
): void {
  const taps = tapsOf(window), { area, places, cells } = sizesOf(window);
  const [from, to] = channelsIn(window, moved);
  for (let at = from * places; at < to * places; at++) {
    const map = Math.floor(at / places) * area, first = at % places * cells;
    let sum = 0, count = 0;
    for (let cell = first; cell < first + cells; cell++) {
      if (taps[cell] < 0) continue;
      sum += x[map + taps[cell]];
      count++;
    }
    z[at] += sum / count;
  }
}

/** Adds the derivatives by a convolution's weights and by its inputs, given those by its outputs. */
export function convolutionGradient(
  layer: Windowed,
  weights: Float64Array, // [parameters]
  x: Float64Array, // [inputs] or more
  error: Float64Array, // [outputs]
  gradient: Float64Array, // [parameters], written
  before: Float64Array, // [inputs], written
): void {
  const { window, offset } = layer, taps = tapsOf(window);
  const { area, places, cells, taken, given } = sizesOf(window), [channels] = window.output;
  const biases = offset + channels * filterSize(layer);
  for (let c = 0; c < channels; c++) {
    const group = Math.floor(c / given) * taken;
    for (let place = 0; place < places; place++) {
      const each = error[c * places + place];
      if (each === 0) continue;
      gradient[biases + c] += each;
      for (let i = 0; i < taken; i++) {
        const filter = offset + (c * taken + i) * cells, map = (group + i) * area;
        for (let cell = 0; cell < cells; cell++) {
          const tap = taps[place * cells + cell];
          if (tap < 0) continue;
          gradient[filter + cell] += each * x[map + tap];
          before[map + tap] += weights[filter + cell] * each;
        }
      }
    }
  }
}

/** Adds the derivatives by the inputs of means, given those by the means. */
export function meansGradient(
  { window, outputs }: Windowed,
  error: Float64Array, // [outputs]
  before: Float64Array, // [inputs], written
): void {
  const taps = tapsOf(window), { area, places, cells } = sizesOf(window);
  for (let at = 0; at < outputs; at++) {
    const map = Math.floor(at / places) * area, first = at % places * cells;
    const looks = taps.subarray(first, first + cells).filter((tap) => tap >= 0);
    for (const tap of looks) before[map + tap] += error[at] / looks.length;
  }
}
