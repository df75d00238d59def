/**
 * Twins of the kernels that add up what the units of a convolution's maps do to the logits, and of the
 * bounds on how far that holds. Bounds are as twin.ts says.
 */

import type { KernelName } from "../gpu/shaders.ts";
import { activationOf } from "../operations/registry.ts";
import { pooledIn, sightOf } from "./map_twins.ts";
import { FAR, rowsOf } from "./row_twins.ts";
import { type Expected, type Memory, type Numbers, range, type Twin, UNIT } from "./twin.ts";
import { windowIn } from "./window_twins.ts";
import { weightsOf } from "./windows.ts";

/** Four of the logits side by side: of a sample. */
const foursOf = ({ CLASSES }: Numbers) => Math.ceil(CLASSES / 4);

/** Where a sample's logit stands in a row of all samples' logits. */
const logitAt = (constants: Numbers, row: number, n: number, k: number) =>
  4 * (row * constants.PLACES + n * foursOf(constants)) + k;

const piecesOf = (fillings: Parameters<Twin>[2]) => activationOf(fillings.activation!).pieces!;

/** What is below float32's normal numbers may be 0. */
const tiny = (value: number, bound: number) => Math.max(Math.abs(value), 2 ** -126 / bound);

/** The inputs of the units between, as the forward pass left them. */
const inputsOf = (memory: Memory, { BETWEEN }: Numbers) => {
  const companions = memory.floats("companions");
  return (n: number, unit: number) => companions[2 * (n * BETWEEN + unit) + 1];
};

/** The twins of the kernels of superposed directions. */
export const SUPERPOSITION_TWINS = {
  outlets(before, constants, fillings) {
    const { BATCH, BETWEEN, CLASSES, OFFSET } = constants, z = inputsOf(before, constants);
    const w = before.floats("parameters"), { slope } = piecesOf(fillings);
    const elements = range(BETWEEN).flatMap((unit) =>
      range(BATCH).flatMap((n) =>
        range(4 * foursOf(constants)).map((k): Expected => {
          const value = k < CLASSES ? slope(z(n, unit)) * w[OFFSET + unit * CLASSES + k] : 0;
          return { index: logitAt(constants, unit, n, k), value, scale: tiny(value, 2 * UNIT) };
        })
      )
    );
    return [{ buffer: "outlets", kind: "floats", elements, bound: 2 * UNIT }];
  },

  unit_directions(before, constants) {
    const { BETWEEN, CLASSES, INPUTS, OFFSET, PLACES } = constants;
    const w = before.floats("parameters"), outlets = before.floats("a");
    const bound = (BETWEEN + 1) * UNIT;
    // Of all places, whose first are the samples' logits.
    const elements = range(INPUTS).flatMap((p) =>
      range(4 * PLACES).filter((at) => at % (4 * foursOf(constants)) < CLASSES).map((at) => {
        let value = 0, scale = 0;
        for (let j = 0; j < BETWEEN; j++) {
          const term = w[OFFSET + p * BETWEEN + j] * outlets[4 * j * PLACES + at];
          value += term;
          scale += Math.abs(term);
        }
        return { index: 4 * p * PLACES + at, value, scale: tiny(scale, bound) };
      })
    );
    return [{ buffer: "directions", kind: "floats", elements, bound }];
  },

  strengths(before, { BETWEEN, CHANNELS, AREA, OFFSET }) {
    const w = before.floats("parameters"), bound = (AREA + 16) * UNIT;
    const elements = range(CHANNELS * BETWEEN).map((index): Expected => {
      const channel = Math.floor(index / BETWEEN), unit = index % BETWEEN;
      const weights = range(AREA).map((p) => w[OFFSET + (channel * AREA + p) * BETWEEN + unit]);
      const value = Math.min(Math.hypot(...weights), FAR);
      return { index, value, scale: tiny(value, bound) };
    });
    return [{ buffer: "strengths", kind: "floats", elements, bound }];
  },

  nearest(before, constants, fillings) {
    const { BATCH, BETWEEN, CHANNELS, AREA } = constants, z = inputsOf(before, constants);
    const margins = before.floats("margins"), strengths = before.floats("strengths");
    const { bounds } = piecesOf(fillings), bound = 8 * UNIT;
    const elements = range(BATCH * CHANNELS).flatMap((index): Expected[] => {
      const n = Math.floor(index / CHANNELS), channel = index % CHANNELS;
      const near = [0, 0, 0];
      for (let k = 0; k < AREA; k++) {
        for (const i of [0, 1]) near[i] = Math.max(near[i], margins[4 * (index * AREA + k) + i]);
      }
      for (let unit = 0; unit < BETWEEN; unit++) {
        const at = z(n, unit), [low, high] = bounds(at);
        const gap = Math.min(Math.min(high, FAR) - at, at - Math.max(low, -FAR));
        const strength = strengths[channel * BETWEEN + unit];
        near[2] = Math.max(near[2], Math.min(strength / Math.max(gap, 1e-30), FAR));
      }
      return near.map((value, i) => ({
        index: 4 * index + i,
        value,
        scale: i < 2 ? undefined : tiny(value, bound),
      }));
    });
    return [{ buffer: "nearest", kind: "floats", elements, bound }];
  },

  superpose(before, constants) {
    const { CLASSES, ROW_QUADS } = constants, ROWS = 4 * ROW_QUADS;
    const window = windowIn(before), pooled = pooledIn(before), see = sightOf(before, window);
    const [channels, , columns] = window.output, weights = weightsOf(window);
    const margins = before.floats("margins"), nearest = before.floats("nearest");
    const directions = before.floats("directions");
    const changes: Expected[] = [], reaches: Expected[] = [];
    const terms = (pooled.area + 2) * UNIT, ofReach = (pooled.area + 32) * UNIT;
    for (const at of rowsOf(before, "taps", constants)) {
      const { n, channel, tap, row } = at, first = n * channels + channel;
      const sums = range(CLASSES).map(() => ({ value: 0, scale: 0 }));
      let squares = 0;
      for (let k = 0; k < pooled.area; k++) {
        const [, , slope, winner] = margins.subarray(4 * (first * pooled.area + k));
        const [top, left] = pooled.cornerOf(k), [below, beside] = pooled.places[winner];
        const moved = slope * see(at, (top + below) * columns + left + beside);
        squares += moved ** 2;
        sums.forEach((sum, c) => {
          const unit = channel * pooled.area + k;
          const term = moved * directions[logitAt(constants, unit, n, c)];
          sum.value += term;
          sum.scale += Math.abs(term);
        });
      }
      sums.forEach(({ value, scale }, c) =>
        changes.push({ index: c * ROWS + row, value, scale: tiny(scale, terms) })
      );
      const [ofWeights, ofBias, ofNorm] = nearest.subarray(4 * first);
      const met = Math.max(tap === weights ? ofBias : ofWeights, Math.sqrt(squares) * ofNorm);
      const value = 0.9999 / Math.min(Math.max(met, 1e-30), 1e37);
      reaches.push({ index: row, value, scale: value }, { index: ROWS + row, value, scale: value });
    }
    return [
      { buffer: "changes", kind: "floats", elements: changes, bound: terms },
      { buffer: "reaches", kind: "floats", elements: reaches, bound: ofReach },
    ];
  },
} satisfies Partial<Record<KernelName, Twin>>;
