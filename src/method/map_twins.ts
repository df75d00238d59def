/**
 * Twins of the kernels of convolutions' nudges: maps that move, what becomes of them in convolutions
 * and pools, and the responses of filters' weights. Bounds are as twin.ts says.
 */

import type { Source } from "../gpu/device.ts";
import type { KernelName } from "../gpu/shaders.ts";
import { activationOf } from "../operations/registry.ts";
import { changedLayer, FAR, itemsOf, mapsOf, type Row, rowsOf, rowsThrough } from "./row_twins.ts";
import {
  CHANGE_UNITS,
  type Expected,
  lossChange,
  type Memory,
  type Numbers,
  type Output,
  pointsOf,
  range,
  sliced,
  Sums,
  type Twin,
  UNIT,
} from "./twin.ts";
import { allCells, divisorsOf, type Found, weightAt, windowIn } from "./window_twins.ts";
import { type Cell, weightsOf } from "./windows.ts";

/** Values of a map that a window takes, and gives. */
const areaOf = ([, rows, columns]: readonly number[]) => rows * columns;

/** What a filter's weight sees at each of its channel's positions; its bias is the last weight. */
export function sightOf(memory: Memory, window: Found) {
  const a = memory.floats("a"), weights = weightsOf(window), area = areaOf(window.output);
  const inputs = new Map<number, number>(); // by output and weight
  for (const { output, weight, input } of allCells(window).flat()) {
    inputs.set(output * weights + weight, input);
  }
  return ({ n, channel, tap }: Row, position: number): number => {
    if (tap === weights) return 1;
    const input = inputs.get((channel * area + position) * weights + tap);
    return input === undefined ? 0 : a[n * (window.inputs + 1) + input];
  };
}

/** A max pool that is taken in one with a convolution: shaders/shared/pooled.wgsl. */
export function pooledIn(memory: Memory) {
  const words = [...memory.words("pooled")];
  const [kernel, stride, output] = [0, 2, 4].map((at) => words.slice(at, at + 2));
  return {
    kernel,
    output,
    area: output[0] * output[1],
    /** Where the window of a pooled unit begins in the convolution's map, as row and column. */
    cornerOf: (position: number) => [
      Math.floor(position / output[1]) * stride[0],
      position % output[1] * stride[1],
    ],
    /** The places of a window within it. */
    places: range(kernel[0] * kernel[1]).map((i) => [Math.floor(i / kernel[1]), i % kernel[1]]),
  };
}

/** The cells of each output that lie among the units of the layer before that change. */
function* changedCells(cells: readonly Cell[], first: number, count: number) {
  for (const cell of cells) {
    const place = cell.input - first;
    if (place >= 0 && place < count) yield { ...cell, place };
  }
}

/** Rows of changes of what a window takes. */
function rowsBefore(before: Memory, { ROW_QUADS }: Numbers) {
  const changes = before.floats("before");
  return (place: number, row: number) => changes[place * 4 * ROW_QUADS + row];
}

/** How near a window's next winner or kink is, to nudges of weights and of the bias; and its winner. */
function marginTwin(
  before: Memory,
  window: Found,
  half: number,
  activation: NonNullable<Source["fillings"]["activation"]>,
) {
  const pooled = pooledIn(before), values = before.floats("values");
  const companions = before.floats("companions"), sights = before.floats("sights");
  const cells = allCells(window), a = before.floats("a");
  const area = areaOf(window.output), [channels, , columns] = window.output;
  const { slope, bounds } = activationOf(activation).pieces!;
  return (n: number, channel: number, position: number) => {
    const [top, left] = pooled.cornerOf(position);
    const group = Math.floor(channel * window.groups / channels);
    const seen = pooled.places.map(([down, across], cell) => {
      const at = (top + down) * columns + left + across, unit = channel * area + at;
      const z = companions[2 * (n * window.outputs + unit) + 1], [low, high] = bounds(z);
      return {
        cell,
        value: values[n * (window.outputs + 1) + unit],
        slope: slope(z),
        toKink: Math.min(Math.min(high, FAR) - z, z - Math.max(low, -FAR)),
        sight: sights[(n * window.groups + group) * area + at],
        // What it sees, by its weights.
        view: () => {
          const view = new Float32Array(weightsOf(window));
          for (const { weight, input } of cells[unit]) {
            view[weight] = a[n * (window.inputs + 1) + input];
          }
          return view;
        },
      };
    });
    const winner = seen.reduce((best, one) => one.value > best.value ? one : best);
    const nudgeTo = (distance: number, sight: number) =>
      sight === 0 ? FAR : Math.min(distance, 1e7) / Math.max(sight, 1e-30);
    const seesAlike = ({ value, slope, sight, view }: typeof winner) => {
      if (value !== winner.value || slope !== winner.slope || sight !== winner.sight) return false;
      const [one, other] = [view(), winner.view()];
      return slope !== 0 && one.every((seen, i) => seen === other[i]);
    };
    const least = (marginOf: (one: typeof winner, toWin: number) => number) =>
      Math.min(...seen.map((one) => {
        const toWin = Math.max((winner.value - one.value) * half, one.slope ? 0 : one.toKink);
        return Math.min(FAR, marginOf(one, toWin));
      }));
    return {
      winner,
      ofWeights: least((one, toWin) => {
        if (one === winner) return nudgeTo(one.toKink, one.sight);
        if (one.sight === 0 && one.slope === 0 || seesAlike(one)) return FAR;
        return nudgeTo(toWin, Math.max(one.sight, winner.sight));
      }),
      ofBias: least((one, toWin) => {
        if (one === winner) return one.toKink;
        return one.slope !== 0 && one.slope === winner.slope ? FAR : toWin;
      }),
    };
  };
}

/** The twins of the kernels of maps that move. */
export const MAP_TWINS = {
  rows_filter(before, constants, fillings) {
    const window = windowIn(before), see = sightOf(before, window);
    const points = pointsOf(before, constants.POINTS);
    return rowsThrough(before, constants, fillings, true, 1, (at, k) => {
      const dz = points[at.row % constants.POINTS].offset * see(at, k);
      return { dz, magnitude: Math.abs(dz) };
    });
  },

  rows_conv(before, constants, fillings) {
    const window = windowIn(before),
      cells = allCells(window),
      divisor = divisorsOf(window, fillings);
    const w = fillings.filter === "weights" ? before.floats("parameters") : undefined;
    const { inputs, startOf, startBefore } = changedLayer(before);
    const taken = rowsBefore(before, constants), terms = weightsOf(window) + 4;
    return rowsThrough(before, constants, fillings, true, terms, (at, k) => {
      const output = startOf(at) + k;
      let dz = 0, magnitude = 0;
      for (const cell of changedCells(cells[output], startBefore(at), inputs)) {
        const term = taken(cell.place, at.row) * (w ? w[weightAt(window, cell)] : 1);
        dz += term / divisor(output);
        magnitude += Math.abs(term) / divisor(output);
      }
      return { dz, magnitude };
    });
  },

  rows_maxpool(before, constants, fillings) {
    const window = windowIn(before), cells = allCells(window), a = before.floats("a");
    const companions = before.floats("companions"), isStraight = fillings.effect === "straight";
    const { inputs, units, startOf, startBefore } = changedLayer(before);
    const taken = rowsBefore(before, constants);
    return rowsThrough(before, constants, fillings, true, 2, (at, k) => {
      const output = startOf(at) + k, { n, row } = at;
      const largest = companions[2 * (n * units + output) + 1];
      // A channel goes into a pool's whole: all its cells are among those that change.
      const seen = [...changedCells(cells[output], startBefore(at), inputs)].map((cell) => ({
        gap: largest - a[n * (window.inputs + 1) + cell.input],
        dx: taken(cell.place, row),
      }));
      const winner = seen.find(({ gap }) => gap === 0)!;
      if (isStraight) {
        const meets = seen.filter((one) => one !== winner).map(({ gap, dx }) => ({
          gap,
          rate: dx - winner.dx,
          magnitude: Math.abs(dx - winner.dx), // the difference of two numbers that are known
        }));
        return { dz: winner.dx, magnitude: Math.abs(winner.dx), meets };
      }
      // Who wins after, by the first of equals; that may be a tie but for rounding.
      const after = seen.reduce((best, one) =>
        (one.dx - best.dx) - (one.gap - best.gap) > 0 ? one : best
      );
      const magnitude = Math.abs(after.dx) + Math.abs(after.gap);
      return { dz: after.dx - after.gap, magnitude };
    });
  },

  rows_filter_pool(before, constants, { rows }) {
    const window = windowIn(before), pooled = pooledIn(before), see = sightOf(before, window);
    const [channels, , columns] = window.output, weights = weightsOf(window);
    const margins = before.floats("margins"), ROWS = 4 * constants.ROW_QUADS;
    const changes: Expected[] = [], reaches: Expected[] = [];
    for (const at of rowsOf(before, rows!, constants)) {
      const { n, channel, tap, row } = at, isBias = tap === weights;
      let nearest = 0;
      for (let k = 0; k < pooled.area; k++) {
        const index = 4 * ((n * channels + channel) * pooled.area + k);
        const [ofWeights, ofBias, slope, winner] = margins.subarray(index, index + 4);
        const [top, left] = pooled.cornerOf(k), [below, beside] = pooled.places[winner];
        const position = (top + below) * columns + left + beside;
        const value = slope * see(at, position);
        changes.push({ index: k * ROWS + row, value, scale: Math.abs(value) });
        nearest = Math.max(nearest, isBias ? ofBias : ofWeights);
      }
      const value = 0.999999 / Math.min(Math.max(nearest, 1e-30), 1e37);
      reaches.push({ index: row, value, scale: value }, { index: ROWS + row, value, scale: value });
    }
    return [
      { buffer: "changes", kind: "floats", elements: changes, bound: UNIT },
      { buffer: "reaches", kind: "floats", elements: reaches, bound: 8 * UNIT },
    ];
  },

  sight(before, _constants, _fillings, _after, [, , batch = 1]) {
    const window = windowIn(before), cells = allCells(window), a = before.floats("a");
    const area = areaOf(window.output), { groups, output: [channels] } = window;
    const elements = range(batch * groups * area).map((index): Expected => {
      const n = Math.floor(index / area / groups), group = Math.floor(index / area) % groups;
      const output = group * channels / groups * area + index % area; // of its first channel
      const seen = cells[output].map(({ input }) => Math.abs(a[n * (window.inputs + 1) + input]));
      return { index, value: Math.max(0, ...seen) };
    });
    return [{ buffer: "sights", kind: "floats", elements, bound: 0 }];
  },

  margins(before, { HALF_BY_STEEPEST }, { activation }, _after, [, channels = 1, batch = 1]) {
    const window = windowIn(before), { area } = pooledIn(before), bound = 8 * UNIT;
    const marginOf = marginTwin(before, window, HALF_BY_STEEPEST, activation!);
    const nearness = (margin: number) => {
      const value = margin < 1e-30 ? FAR : 1 / margin;
      // What is below float32's normal numbers may be 0.
      return { value, scale: Math.max(value, 2 ** -126 / bound) };
    };
    const elements = range(batch * channels * area).flatMap((i): Expected[] => {
      const channel = Math.floor(i / area) % channels, n = Math.floor(i / area / channels);
      const { ofWeights, ofBias, winner } = marginOf(n, channel, i % area);
      return [
        { index: 4 * i, ...nearness(ofWeights) },
        { index: 4 * i + 1, ...nearness(ofBias) },
        { index: 4 * i + 2, value: winner.slope, scale: winner.slope },
        { index: 4 * i + 3, value: winner.cell },
      ];
    });
    return [{ buffer: "margins", kind: "floats", elements, bound }];
  },

  respond_taps(before, constants, { loss }, after) {
    const { BATCH, POINTS, CLASSES, ROW_QUADS } = constants, ROWS = 4 * ROW_QUADS;
    const { channels, taps, rows, responses } = mapsOf(before, BATCH);
    const directions = before.floats("directions"), reaches = before.floats("reaches");
    const labels = before.words("labels"), residuals = before.doubles("residuals");
    const points = pointsOf(before, POINTS), sums = new Sums(), lists: Output[] = [];
    for (let local = 0; local < channels; local++) {
      const must = new Set<number>();
      for (let r = 0; r < responses; r++) {
        const row = local * rows + r, n = Math.floor(r / taps), index = local * responses + r;
        const direction = range(CLASSES).map((k) => directions[k * ROWS + row]);
        for (const { offset, coefficient } of points) {
          const moved = Float64Array.from(direction, (along) => offset * along);
          const { change, scale } = lossChange(loss!, residuals, n, labels[n], moved);
          sums.add(index, coefficient * change, Math.abs(coefficient) * scale);
          const far = offset > 0 ? reaches[row] : reaches[ROWS + row];
          if (Math.abs(offset) > far) must.add(index);
        }
      }
      lists.push(itemsOf(after, must, new Set(), local, channels + local * responses));
    }
    const bound = (POINTS + CLASSES + CHANGE_UNITS) * UNIT;
    return [{ buffer: "responses", kind: "floats", elements: sums, bound }, ...lists];
  },

  collect_taps(before, constants) {
    const { BATCH, SLICES, STRIDE } = constants, responses = before.floats("responses");
    const { channels, taps, countOf, tapOf, responses: each } = mapsOf(before, BATCH);
    const sums = new Sums();
    for (const { slice, n } of sliced(constants)) {
      for (let local = 0; local < channels; local++) {
        for (let tap = 0; tap < countOf(local); tap++) {
          const [, target] = tapOf(local, tap);
          sums.add(slice * STRIDE + target, responses[local * each + n * taps + tap]);
        }
      }
    }
    const bound = Math.ceil(BATCH / SLICES) * UNIT;
    return [{ buffer: "gradient", kind: "floats", elements: sums, bound }];
  },
} satisfies Partial<Record<KernelName, Twin>>;
