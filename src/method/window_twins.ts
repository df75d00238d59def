/** Twins of the kernels of convolutions and pools: see twins.ts. */

import { directionSign } from "../core/directions.ts";
import type { Window } from "../core/network.ts";
import type { Source } from "../gpu/device.ts";
import type { KernelName } from "../gpu/shaders.ts";
import {
  activated,
  ACTIVATION_UNITS,
  changed,
  type Expected,
  type Memory,
  type Numbers,
  pointsOf,
  range,
  sliced,
  Sums,
  type Twin,
  UNIT,
} from "./twin.ts";
import { type Cell, cellsOf, countsOf, weightsOf } from "./windows.ts";

/** A window as a kernel finds it, and what goes with it. */
export interface Found extends Window {
  /** Values of a sample that it takes, and gives. */
  readonly inputs: number;
  readonly outputs: number;
  /** Where its filters are in the parameters. */
  readonly offset: number;
  /** Lines of this part of its sums. */
  readonly first: number;
  readonly behind: number;
}

/** Reads it off the uniform that src/gpu/window.ts uploads. */
export function windowIn(memory: Memory): Found {
  const words = [...memory.words("window")], pair = (at: number) => [words[at], words[at + 1]];
  const [[height, width], [rows, columns]] = [pair(0), pair(2)];
  const [groups, taken, given, offset, first, behind] = words.slice(12);
  const [kernel, stride, dilation, pad] = [4, 6, 8, 10].map((at) => pair(at) as [number, number]);
  return {
    input: [groups * taken, height, width],
    output: [groups * given, rows, columns],
    kernel,
    stride,
    dilation,
    pad,
    groups,
    inputs: groups * taken * height * width,
    outputs: groups * given * rows * columns,
    offset,
    first,
    behind,
  };
}

/** The cells of the lines of this part of sums over inputs, output by output. */
function byOutput(window: Found): Cell[][] {
  const cells: Cell[][] = range(window.outputs).map(() => []);
  for (const cell of cellsOf(window)) {
    const line = Math.floor(cell.weight / window.kernel[1]);
    if (line >= window.first && line < window.behind) cells[cell.output].push(cell);
  }
  return cells;
}

/** Lines of a sum over inputs. */
const linesOf = ({ input, groups, kernel }: Window) => input[0] / groups * kernel[0];

const filterAt = (window: Found, output: number) =>
  Math.floor(output / window.output[1] / window.output[2]);
const biasAt = (window: Found, output: number) =>
  window.offset + window.output[0] * weightsOf(window) + filterAt(window, output);
export const weightAt = (window: Found, { filter, weight }: Cell) =>
  window.offset + filter * weightsOf(window) + weight;

/** The largest of values, by their places, where they have moved: the first of equals. */
const largestOf = (
  cells: readonly Cell[],
  x: (input: number) => number,
  dx: (input: number) => number = () => 0,
) =>
  cells.map(({ input }) => input).reduce((best, at) =>
    (x(at) - x(best)) + (dx(at) - dx(best)) > 0 ? at : best
  );

/** All cells of each output of a pool. */
export const allCells = (window: Found) => byOutput({ ...window, first: 0, behind: Infinity });

/** How many cells each output's sum is divided by. */
export function divisorsOf(
  window: Found,
  { filter }: Source["fillings"],
): (output: number) => number {
  if (filter === "weights") return () => 1;
  const counts = countsOf(window);
  return (output) => counts[output];
}

/** A value and what its companions are, where z is known. */
function* unit(
  { activation }: Source["fillings"],
  { outputs }: Found,
  n: number,
  output: number,
  z: number,
  magnitude: number,
): Generator<["values" | "companions", Expected]> {
  const on = activated(activation!, z, magnitude), at = 2 * (n * outputs + output);
  yield ["values", { index: n * (outputs + 1) + output, value: on.value, scale: on.scale }];
  yield ["companions", { index: at, value: on.slope, scale: on.slopeScale }];
  yield ["companions", { index: at + 1, value: z, scale: magnitude }];
}

/** A sum and the sum of its magnitudes. */
class Sum {
  value = 0;
  magnitude = 0;

  add(term: number, magnitude = Math.abs(term)): void {
    this.value += term;
    this.magnitude += magnitude;
  }
}

/** Bounds of sums over windows. */
const boundOf = (window: Found, factor = 1) =>
  (factor * weightsOf(window) + 6 + ACTIVATION_UNITS) * UNIT;

/** What a direction moves a unit by, whose sum's change is known. */
function moved(
  before: Memory,
  { activation }: Source["fillings"],
  { outputs }: Found,
  n: number,
  output: number,
  { value, magnitude }: Sum,
) {
  const values = before.floats("values"), companions = before.floats("companions");
  const at = 2 * (n * outputs + output);
  const on = [values[n * (outputs + 1) + output], companions[at], companions[at + 1]] as const;
  return changed(activation!, on, value, magnitude);
}

/** What backprop's kernels leave: the errors summed up, by what is there and what comes behind. */
function errorsTwin(
  before: Memory,
  { ADD, LAST }: Numbers,
  window: Found,
  batch: number,
  /** Adds sample n's terms, by the input. */
  add: (n: number, to: (input: number, term: number) => void) => void,
): Expected[] {
  const errors = before.floats("errors"), companions = before.floats("companions");
  return range(batch).flatMap((n) => {
    const sums = range(window.inputs).map(() => new Sum());
    add(n, (input, term) => sums[input].add(term));
    return sums.map((sum, input): Expected => {
      const index = n * window.inputs + input, slope = LAST ? companions[2 * index] : 1;
      if (ADD) sum.add(errors[index]);
      return { index, value: slope * sum.value, scale: Math.abs(slope) * sum.magnitude };
    });
  });
}

export const WINDOW_TWINS = {
  conv(before, _constants, fillings, _after, [, batch = 1]) {
    const window = windowIn(before), { inputs, outputs } = window;
    const isFilter = fillings.filter === "weights", isLast = window.behind === linesOf(window);
    const a = before.floats("a"), known = before.floats("values");
    const w = isFilter ? before.floats("parameters") : undefined;
    const cells = byOutput(window), divisor = divisorsOf(window, fillings);
    const elements = { values: [] as Expected[], companions: [] as Expected[] };
    for (let n = 0; n < batch; n++) {
      for (let output = 0; output < outputs; output++) {
        const sum = new Sum(), index = n * (outputs + 1) + output;
        if (window.first > 0) sum.add(known[index]);
        else if (w) sum.add(w[biasAt(window, output)]);
        for (const cell of cells[output]) {
          sum.add(a[n * (inputs + 1) + cell.input] * (w ? w[weightAt(window, cell)] : 1));
        }
        if (!isLast) elements.values.push({ index, value: sum.value, scale: sum.magnitude });
        else {
          const by = divisor(output), z = sum.value / by;
          for (const [buffer, one] of unit(fillings, window, n, output, z, sum.magnitude / by)) {
            elements[buffer].push(one);
          }
        }
      }
      if (isLast) elements.values.push({ index: n * (outputs + 1) + outputs, value: 1 });
    }
    return (["values", "companions"] as const).map((buffer) => ({
      buffer,
      kind: "floats",
      elements: elements[buffer],
      bound: boundOf(window),
    }));
  },

  maxpool(before, _constants, fillings, _after, [, batch = 1]) {
    const window = windowIn(before), { inputs, outputs } = window, cells = allCells(window);
    const a = before.floats("a"), winners: Expected[] = [];
    const elements = { values: [] as Expected[], companions: [] as Expected[] };
    for (let n = 0; n < batch; n++) {
      for (let output = 0; output < outputs; output++) {
        const of = (input: number) => a[n * (inputs + 1) + input];
        const winner = largestOf(cells[output], of);
        winners.push({ index: n * outputs + output, value: winner });
        for (
          const [buffer, one] of unit(fillings, window, n, output, of(winner), Math.abs(of(winner)))
        ) elements[buffer].push(one);
      }
      elements.values.push({ index: n * (outputs + 1) + outputs, value: 1 });
    }
    return [
      ...(["values", "companions"] as const).map((buffer) => ({
        buffer,
        kind: "floats" as const,
        elements: elements[buffer],
        bound: ACTIVATION_UNITS * UNIT,
      })),
      { buffer: "winners", kind: "words", elements: winners, bound: 0 },
    ];
  },

  backprop_conv(before, constants, fillings, _after, [, batch = 1]) {
    const window = windowIn(before), { outputs, first, behind, kernel, output: [filters] } = window;
    const w = fillings.filter === "weights" ? before.floats("parameters") : undefined;
    const next = before.floats("next_errors"), divisor = divisorsOf(window, fillings);
    const given = filters / window.groups;
    const cells = [...cellsOf(window)].filter(({ filter, weight }) => {
      const line = filter % given * kernel[0] + Math.floor(weight / kernel[1]) % kernel[0];
      return line >= first && line < behind;
    });
    const elements = errorsTwin(before, constants, window, batch, (n, add) => {
      for (const cell of cells) {
        const error = next[n * outputs + cell.output] / divisor(cell.output);
        add(cell.input, error * (w ? w[weightAt(window, cell)] : 1));
      }
    });
    const bound = (given * kernel[0] * kernel[1] + 12) * UNIT;
    return [{ buffer: "errors", kind: "floats", elements, bound }];
  },

  backprop_maxpool(before, constants, _fillings, _after, [, batch = 1]) {
    const window = windowIn(before), { outputs, kernel } = window;
    const next = before.floats("next_errors"), winners = before.words("winners");
    const elements = errorsTwin(before, constants, window, batch, (n, add) => {
      for (let at = n * outputs; at < (n + 1) * outputs; at++) add(winners[at], next[at]);
    });
    const bound = (kernel[0] * kernel[1] + 8) * UNIT;
    return [{ buffer: "errors", kind: "floats", elements, bound }];
  },

  backprop_filters(before, constants) {
    const window = windowIn(before), { inputs, outputs, first, behind } = window;
    const { PARAMETERS, BATCH } = constants, [, rows, columns] = window.output;
    const a = before.floats("a"), errors = before.floats("errors");
    const known = before.floats("gradient"), sums = new Sums();
    const isHere = (output: number) => {
      const row = Math.floor(output / columns) % rows;
      return row >= first && row < behind;
    };
    const cells = [...cellsOf(window)].filter(({ output }) => isHere(output));
    for (const slice of range(constants.SLICES)) { // also what sees padding alone
      for (const weight of range(window.output[0] * (weightsOf(window) + 1))) {
        const index = slice * PARAMETERS + window.offset + weight;
        sums.add(index, first > 0 ? known[index] : 0);
      }
    }
    for (const { slice, n } of sliced(constants)) {
      const start = slice * PARAMETERS;
      for (const cell of cells) {
        const error = errors[n * outputs + cell.output];
        sums.add(start + weightAt(window, cell), error * a[n * (inputs + 1) + cell.input]);
      }
      for (const output of range(outputs).filter(isHere)) {
        sums.add(start + biasAt(window, output), errors[n * outputs + output]);
      }
    }
    const bound = (BATCH * rows * columns + 4) * UNIT;
    return [{ buffer: "gradient", kind: "floats", elements: sums, bound }];
  },

  copies_conv(before, constants, fillings) {
    const window = windowIn(before), { inputs, outputs } = window;
    const { BATCH, SAMPLE_QUADS: QUADS, COPIES, POINTS, DIRECTIONS, QUERIES, SHARED } = constants;
    const [first] = before.words("copies"), points = pointsOf(before, POINTS);
    const a = before.floats("a"), values = before.floats("values");
    const w = fillings.filter === "weights" ? before.floats("parameters") : undefined;
    const isRandom = w && fillings.perturbation === "signs";
    const chosen = w && fillings.perturbation === "chosen" ? before.words("chosen") : undefined;
    const [step] = isRandom ? before.words("step") : [0];
    const keys = isRandom ? before.words("keys") : undefined;
    const cells = byOutput(window), divisor = divisorsOf(window, fillings);
    const isLast = window.behind === linesOf(window), elements: Expected[] = [];
    for (let copy = 0; copy < Math.min(COPIES, DIRECTIONS * POINTS - first); copy++) {
      const direction = Math.floor((first + copy) / POINTS);
      const nudged = chosen ? chosen[direction] : direction;
      const { offset } = points[(first + copy) % POINTS];
      const weight = (at: number) => {
        if (!w) return 1;
        if (!keys) return w[at] + (at === nudged ? offset : 0);
        return w[at] + offset * directionSign(keys[step * QUERIES + direction], at);
      };
      for (let output = 0; output < outputs; output++) {
        const weights = cells[output].map((cell) => weight(weightAt(window, cell)));
        const bias = w ? weight(biasAt(window, output)) : 0;
        for (let n = 0; n < BATCH; n++) {
          const index = (copy * outputs + output) * 4 * QUADS + n, sum = new Sum();
          sum.add(window.first > 0 ? values[index] : bias);
          cells[output].forEach(({ input }, i) =>
            sum.add(a[((SHARED ? 0 : copy) * inputs + input) * 4 * QUADS + n] * weights[i])
          );
          const by = isLast ? divisor(output) : 1;
          const on = activated(
            isLast ? fillings.activation! : "identity",
            sum.value / by,
            sum.magnitude / by,
          );
          elements.push({ index, value: on.value, scale: on.scale });
        }
      }
    }
    return [{ buffer: "values", kind: "floats", elements, bound: boundOf(window) }];
  },

  copies_maxpool(before, constants, { activation }, _after, [, , count = 1]) {
    const window = windowIn(before), { inputs, outputs } = window, cells = allCells(window);
    const { SAMPLE_QUADS: QUADS, COPIES, SHARED } = constants, a = before.floats("a");
    const elements: Expected[] = [];
    for (let copy = 0; copy < Math.min(COPIES, count); copy++) {
      for (let output = 0; output < outputs; output++) {
        for (let n = 0; n < 4 * QUADS; n++) {
          const of = (input: number) => a[((SHARED ? 0 : copy) * inputs + input) * 4 * QUADS + n];
          const z = of(largestOf(cells[output], of));
          const on = activated(activation!, z, Math.abs(z));
          const index = (copy * outputs + output) * 4 * QUADS + n;
          elements.push({ index, value: on.value, scale: on.scale });
        }
      }
    }
    return [{ buffer: "values", kind: "floats", elements, bound: ACTIVATION_UNITS * UNIT }];
  },

  directions_conv(before, constants, fillings) {
    const window = windowIn(before), { inputs, outputs } = window;
    const { BATCH, QUERIES, FIRST, UNITS, BEFORE, AFTER } = constants;
    const isFilter = fillings.filter === "weights", isLast = window.behind === linesOf(window);
    const a = before.floats("a"), changes = before.floats("changes");
    const w = isFilter ? before.floats("parameters") : undefined;
    const [step] = isFilter ? before.words("step") : [0];
    const keys = isFilter ? before.words("keys") : undefined;
    const cells = byOutput(window), divisor = divisorsOf(window, fillings);
    const elements: Expected[] = [];
    for (let query = 0; query < QUERIES; query++) {
      const sign = (at: number) => keys ? directionSign(keys[step * QUERIES + query], at) : 0;
      for (let n = 0; n < BATCH; n++) {
        const row = (query * BATCH + n) * UNITS;
        for (let output = 0; output < outputs; output++) {
          pointsOf(before, 2).forEach(({ offset }, point) => {
            const sum = new Sum(), index = 2 * (row + AFTER + output) + point;
            if (window.first > 0) sum.add(changes[index]);
            else if (w) sum.add(offset * sign(biasAt(window, output)));
            for (const cell of cells[output]) {
              const at = weightAt(window, cell), d = offset * sign(at);
              sum.add(a[n * (inputs + 1) + cell.input] * d);
              if (FIRST) continue;
              sum.add(changes[2 * (row + BEFORE + cell.input) + point] * ((w ? w[at] : 1) + d));
            }
            if (!isLast) {
              elements.push({ index, value: sum.value, scale: sum.magnitude });
              return;
            }
            sum.value /= divisor(output);
            sum.magnitude /= divisor(output);
            elements.push({ index, ...moved(before, fillings, window, n, output, sum) });
          });
        }
      }
    }
    return [{ buffer: "changes", kind: "floats", elements, bound: boundOf(window, 2) }];
  },

  directions_maxpool(before, constants, fillings, _after, [, , queries = 1]) {
    const window = windowIn(before), { inputs, outputs } = window, cells = allCells(window);
    const { BATCH, FIRST, UNITS, BEFORE, AFTER } = constants;
    const a = before.floats("a"), changes = before.floats("changes");
    const winners = before.words("winners"), elements: Expected[] = [];
    for (let query = 0; query < queries; query++) {
      for (let n = 0; n < BATCH; n++) {
        const row = (query * BATCH + n) * UNITS;
        const x = (input: number) => a[n * (inputs + 1) + input];
        for (let output = 0; output < outputs; output++) {
          for (const point of [0, 1]) {
            const dx = (input: number) => FIRST ? 0 : changes[2 * (row + BEFORE + input) + point];
            const winner = winners[n * outputs + output], sum = new Sum();
            const after = largestOf(cells[output], x, dx);
            sum.add(x(after) - x(winner));
            sum.add(dx(after));
            const index = 2 * (row + AFTER + output) + point;
            elements.push({ index, ...moved(before, fillings, window, n, output, sum) });
          }
        }
      }
    }
    const bound = (4 + ACTIVATION_UNITS) * UNIT;
    return [{ buffer: "changes", kind: "floats", elements, bound }];
  },
} satisfies Partial<Record<KernelName, Twin>>;
