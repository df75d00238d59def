/**
 * What the kernels of the responses should have made of their buffers: slots, lists, rows of changes
 * through the layers behind, and the sums that are collected from them. Bounds are as twin.ts says.
 *
 * Where threads put items into a list in the order they come, any order is right.
 */

import { tables } from "../gpu/narrow.ts";
import type { KernelName } from "../gpu/shaders.ts";
import { activationOf } from "../operations/registry.ts";
import { changedLayer, FAR, itemsOf, partOf, rowsOf, rowsThrough, unitAt } from "./row_twins.ts";
import {
  ACTIVATION_UNITS,
  CHANGE_UNITS,
  changed,
  type Expected,
  listed,
  lossChange,
  lossScale,
  type Memory,
  type Numbers,
  pointsOf,
  range,
  sliced,
  steepest,
  Sums,
  type Twin,
  UNIT,
} from "./twin.ts";

/** The largest change for which series are taken: TINY in shaders/shared/special.wgsl. */
const TINY = 2 ** -12;

/** What states lie within reach of is looked for a little farther: FARTHER in list_states.wgsl. */
const FARTHER = Math.fround(1.0000153);

/** Inputs of a run, and the blocks in it: see shaders/shared/entries_layout.wgsl. */
const RUN = 1024;
const runsOf = (width: number) => Math.ceil(width / RUN);

/** The responses of a unit and sample in the buffer, by run and slot. */
function* slotsOf(memory: Memory, batch: number, { WIDTH, SLOTS }: Numbers) {
  const slots = memory.floats("slots"), counts = memory.words("slot_counts");
  for (let n = 0; n < batch; n++) {
    for (let run = 0; run < runsOf(WIDTH); run++) {
      const first = (n * runsOf(WIDTH) + run) * SLOTS;
      for (let slot = 1; slot < counts[n * runsOf(WIDTH) + run]; slot++) {
        yield { n, row: first + slot, input: slots[first + slot] };
      }
    }
  }
}

/** The twins of the kernels of responses. */
export const RESPONSE_TWINS: Partial<Record<KernelName, Twin>> = {
  slots(before, { WIDTH, CODED, SLOTS }, { block = 0 }, _after, [, batch = 1]) {
    const blocks = RUN / block, runs = runsOf(WIDTH);
    const entries = before.words("entries"), starts = before.words("starts");
    const values = new Float32Array(entries.buffer);
    const places: Expected[] = [], slots: Expected[] = [], counts: Expected[] = [];
    for (let group = 0; group < batch * runs; group++) {
      const row = group * (blocks + 1), run = group % runs;
      const own = Math.min(blocks, Math.ceil((WIDTH - run * RUN) / block));
      const first = 2 * starts[row], last = 2 * starts[row + own];
      const byteAt = (e: number) => Math.round(255 * values[2 * e + 1]);
      const bytes = [0, ...range(last - first).map((i) => byteAt(first + i))];
      const distinct = [...new Set(bytes)].sort((a, b) => a - b);
      for (let e = first; e < last; e++) {
        const slot = CODED ? distinct.indexOf(byteAt(e)) : 1 + e - first;
        places.push({ index: e, value: slot << 8 | entries[2 * e] % block });
        if (!CODED) slots.push({ index: group * SLOTS + slot, value: values[2 * e + 1] });
      }
      if (CODED) {
        distinct.slice(1).forEach((byte, i) => {
          slots.push({ index: group * SLOTS + 1 + i, value: byte / 255, scale: byte / 255 });
        });
      }
      counts.push({ index: group, value: CODED ? distinct.length : 1 + last - first });
    }
    return [
      { buffer: "places", kind: "words", elements: places, bound: 0 },
      { buffer: "slots", kind: "floats", elements: slots, bound: 6 * UNIT },
      { buffer: "slot_counts", kind: "words", elements: counts, bound: 0 },
    ];
  },

  list_begin(_before, { LISTS }) {
    const elements = range(LISTS).map((index): Expected => ({ index, value: 0 }));
    return [{ buffer: "items", kind: "words", elements, bound: 0 }];
  },

  list_end(before, { BAD, LISTS }) {
    const [, , list, room] = before.words("part");
    const count = Math.max(...before.words("items").subarray(0, LISTS)); // of the longest
    const [step] = before.words("step"), note = before.words("notes")[BAD + 2];
    return [
      {
        buffer: "counts",
        kind: "words",
        elements: [{ index: list, value: Math.max(before.words("counts")[list], count) }],
        bound: 0,
      },
      {
        buffer: "notes",
        kind: "words",
        elements: [{ index: BAD + 2, value: count > room ? Math.min(note, step) : note }],
        bound: 0,
      },
    ];
  },

  list_slots(before, constants, _fillings, after, [, groups = 1]) {
    const { width, own } = partOf(before), must = new Set<number>();
    const responses: Expected[] = [];
    for (const { row, input } of slotsOf(before, groups / runsOf(constants.WIDTH), constants)) {
      for (let unit = 0; unit < own; unit++) {
        if (input !== 0) must.add(row * width + unit);
        else responses.push({ index: row * width + unit, value: 0 });
      }
    }
    return [
      itemsOf(after, must),
      { buffer: "responses", kind: "floats", elements: responses, bound: 0 },
    ];
  },

  list_states(before, _constants, { activation }, after, [, batch = 1]) {
    const { firstUnit, outputs, width, own } = partOf(before);
    const companions = before.floats("companions");
    const { values: { length }, of } = activationOf(activation!).states!;
    const [, , reach] = before.floats("stencil"), far = Math.fround(reach * FARTHER);
    const must = new Set<number>(), responses: Expected[] = [];
    for (let n = 0; n < batch; n++) {
      for (let unit = 0; unit < own; unit++) {
        const z = companions[2 * (n * outputs + firstUnit + unit) + 1];
        const [from, to] = [z - far, z + far].map((z) => of(Math.fround(z)));
        for (let q = from; q <= to; q++) {
          const index = (n * length + q) * width + unit;
          if (q === of(z)) responses.push({ index, value: 0 });
          else must.add(index);
        }
      }
    }
    return [
      itemsOf(after, must),
      { buffer: "responses", kind: "floats", elements: responses, bound: 0 },
    ];
  },

  nudge(before, constants, { activation, rows }) {
    const { outputs, width } = partOf(before), unit = unitAt(before, outputs);
    const slots = before.floats("slots"), points = pointsOf(before, constants.POINTS);
    const elements = [...rowsOf(before, rows!, constants)].map((at): Expected => {
      const { offset } = points[at.row % constants.POINTS];
      const dz = offset * slots[Math.floor(at.response / width)];
      return { index: at.row, ...changed(activation!, unit(at.n, at.unit), dz, Math.abs(dz)) };
    });
    return [{ buffer: "moves", kind: "floats", elements, bound: (1 + ACTIVATION_UNITS) * UNIT }];
  },

  nudge_elements(before, constants, { activation, rows }) {
    const { outputs } = partOf(before), unit = unitAt(before, outputs);
    const { BATCH, INPUTS, POINTS } = constants, items = before.words("items");
    const a = before.floats("a"), points = pointsOf(before, POINTS);
    const elements = [...rowsOf(before, rows!, constants)].map((at): Expected => {
      const input = items[2 * Math.floor(at.response / BATCH) + 1];
      const dz = points[at.row % POINTS].offset * a[at.n * (INPUTS + 1) + input];
      return { index: at.row, ...changed(activation!, unit(at.n, at.unit), dz, Math.abs(dz)) };
    });
    return [{ buffer: "moves", kind: "floats", elements, bound: (1 + ACTIVATION_UNITS) * UNIT }];
  },

  collect_elements(before, { BATCH, ELEMENTS }) {
    const responses = before.floats("responses"), sums = new Sums();
    for (let i = 0; i < ELEMENTS * BATCH; i++) sums.add(Math.floor(i / BATCH), responses[i]);
    return [{ buffer: "sums", kind: "floats", elements: sums, bound: BATCH * UNIT }];
  },

  flip(before, constants, { activation, rows }) {
    const { outputs, width } = partOf(before), companions = before.floats("companions");
    const { values, of } = activationOf(activation!).states!;
    const elements = [...rowsOf(before, rows!, constants)].map((at): Expected => {
      const to = Math.floor(at.response / width) % values.length;
      const from = of(companions[2 * (at.n * outputs + at.unit) + 1]);
      return { index: at.row, value: values[to] - values[from], scale: 1 };
    });
    return [{ buffer: "moves", kind: "floats", elements, bound: 2 * UNIT }];
  },

  move_one(before, constants, { rows }) {
    const all = [...rowsOf(before, rows!, constants)], ROWS = 4 * constants.ROW_QUADS;
    const filled = (from: number, value: number) =>
      all.map(({ row }): Expected => ({ index: from + row, value }));
    return [
      { buffer: "moves", kind: "floats", elements: filled(0, 1), bound: 0 },
      {
        buffer: "reaches",
        kind: "floats",
        elements: [...filled(0, FAR), ...filled(ROWS, FAR)],
        bound: 0,
      },
    ];
  },

  hop(before, constants, fillings) {
    const { width, offset } = changedLayer(before);
    const w = before.floats("parameters"), moves = before.floats("moves");
    return rowsThrough(before, constants, fillings, true, 1, ({ row, unit }, k) => {
      const dz = moves[row] * w[offset + unit * width + k];
      return { dz, magnitude: Math.abs(dz) };
    });
  },

  rows_dense(before, constants, fillings) {
    const { width, offset, inputs, first, behind, startBefore } = changedLayer(before);
    const ROWS = 4 * constants.ROW_QUADS;
    const w = before.floats("parameters"), a = before.floats("a");
    const known = before.floats("changes");
    return rowsThrough(before, constants, fillings, behind === inputs, inputs, (at, k) => {
      const { row } = at, start = startBefore(at);
      let dz = first > 0 ? known[k * ROWS + row] : 0, magnitude = Math.abs(dz);
      for (let i = first; i < behind; i++) {
        const term = a[i * ROWS + row] * w[offset + (start + i) * width + k];
        dz += term;
        magnitude += Math.abs(term);
      }
      return { dz, magnitude };
    });
  },

  rows_sum(before, constants, fillings) {
    const { UNIT: isUnit, ADD, LAST, ROW_QUADS } = constants;
    const taken = before.floats("before"), moves = before.floats("moves");
    const known = before.floats("changes"), { inputs, startOf, startBefore } = changedLayer(before);
    return rowsThrough(before, constants, fillings, Boolean(LAST), 1, (at, k) => {
      const { row, unit } = at, index = k * 4 * ROW_QUADS + row;
      const place = startOf(at) + k - startBefore(at), isTaken = place >= 0 && place < inputs;
      const moved = isTaken ? taken[place * 4 * ROW_QUADS + row] : 0;
      const one = isUnit ? (unit === k ? moves[row] : 0) : moved;
      const two = ADD ? known[index] : 0;
      return { dz: one + two, magnitude: Math.abs(one) + Math.abs(two) };
    });
  },

  rows_loss(before, constants, { loss, rows }) {
    const { POINTS, CLASSES, ROW_QUADS } = constants;
    const changes = before.floats("changes"), labels = before.words("labels");
    const residuals = before.doubles("residuals"), points = pointsOf(before, POINTS);
    const sums = new Sums();
    for (const { row, response, n } of rowsOf(before, rows!, constants)) {
      const d = Float64Array.from({ length: CLASSES }, (_, k) => changes[k * 4 * ROW_QUADS + row]);
      const { coefficient } = points[row % POINTS];
      const { change, scale } = lossChange(loss!, residuals, n, labels[n], d);
      sums.add(response, coefficient * change, Math.abs(coefficient) * scale);
    }
    const bound = (CLASSES + POINTS + CHANGE_UNITS) * UNIT;
    return [{ buffer: "responses", kind: "floats", elements: sums, bound }];
  },

  respond(before, constants, { activation, loss }, after, [, batch = 1]) {
    const { POINTS, CLASSES, ROW_QUADS } = constants, ROWS = 4 * ROW_QUADS;
    const { firstUnit, outputs, width, own } = partOf(before), unitOf = unitAt(before, outputs);
    const directions = before.floats("directions"), reaches = before.floats("reaches");
    const labels = before.words("labels"), residuals = before.doubles("residuals");
    const points = pointsOf(before, POINTS), sums = new Sums();
    const must = new Set<number>(), unsure = new Set<number>();
    const bound = (POINTS + CLASSES + CHANGE_UNITS) * UNIT;
    for (const { n, row, input } of slotsOf(before, batch, constants)) {
      for (let unit = 0; unit < own; unit++) {
        const index = row * width + unit, at = n * width + unit, on = unitOf(n, firstUnit + unit);
        const direction = Float64Array.from(
          { length: CLASSES },
          (_, k) => directions[k * ROWS + at],
        );
        for (const { offset, coefficient } of points) {
          const dz = offset * input;
          const { value: da, scale } = changed(activation!, on, dz, Math.abs(dz));
          const moved = direction.map((along) => along * da);
          const change = lossChange(loss!, residuals, n, labels[n], moved);
          // Where a kink lets little of the nudge through, what is left is off by the nudge's rounding.
          const most = direction.map((along) => along * scale);
          const ofNudge = lossChange(loss!, residuals, n, labels[n], most).scale;
          const size = Math.abs(coefficient) * (change.scale + ofNudge);
          sums.add(index, coefficient * change.change, size);
          const far = da > 0 ? reaches[at] : reaches[ROWS + at], error = bound * scale;
          if (Math.abs(da) - error > far) must.add(index);
          else if (Math.abs(da) + error > far) unsure.add(index);
        }
      }
    }
    must.forEach((index) => unsure.delete(index));
    return [
      { buffer: "responses", kind: "floats", elements: sums, bound },
      itemsOf(after, must, unsure),
    ];
  },

  reach(before, { WIDTH, BATCH, FARTHEST }) {
    const a = before.floats("a").subarray(0, BATCH * WIDTH);
    const value = Math.fround(FARTHEST) * a.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
    const elements = [{ index: 2, value, scale: value }];
    return [{ buffer: "stencil", kind: "floats", elements, bound: UNIT }];
  },

  narrow_series(before, { WIDTH, FIRST }, { activation }, _after, [, batch = 1]) {
    const unit = unitAt(before, WIDTH), { change } = activationOf(activation!);
    const elements = range(batch * WIDTH).flatMap((i): Expected[] => {
      const [a, c, z] = unit(Math.floor(i / WIDTH), i % WIDTH);
      // f(z + d) - f(z) = c (d + q d^2 + ...), of which both sides leave c q d^2.
      const d = 1e-4, q = (change(a, c, z, d) + change(a, c, z, -d)) / (2 * c * d * d);
      return [
        { index: 2 * (FIRST + i), value: c, scale: Math.abs(c) },
        { index: 2 * (FIRST + i) + 1, value: q, scale: 1 + Math.abs(q) },
      ];
    });
    // What follows of the series is below d^2, and counts for less than a unit.
    return [{ buffer: "series", kind: "floats", elements, bound: ACTIVATION_UNITS * UNIT }];
  },

  narrow_table(before, { ROWS, COLUMNS, MATRIX, ROW_STRIDE, COLUMN_STRIDE, FIRST }) {
    const w = before.floats("parameters"), width = 4 * (Math.ceil(COLUMNS / 4) + 1);
    const elements = range(ROWS).flatMap((r): Expected[] => {
      const row = range(COLUMNS).map((c) => w[MATRIX + r * ROW_STRIDE + c * COLUMN_STRIDE]);
      const sum = row.reduce((sum, weight) => sum + Math.abs(weight), 0);
      const behind = [Math.max(...row) - Math.min(...row), sum, 0, 0];
      return range(width).map((i): Expected => {
        const index = 4 * FIRST + r * width + i;
        if (i < width - 4) return { index, value: row[i] ?? 0 };
        const value = behind[i - width + 4];
        return { index, value, scale: value };
      });
    });
    return [{ buffer: "table", kind: "floats", elements, bound: (COLUMNS + 1) * UNIT }];
  },

  narrow(before, constants, { activation, loss }, after, [, batch = 1]) {
    const { BATCH, OUTPUTS, POINTS, OFFSET_NEXT, CLASSES } = constants;
    const { firstUnit, width, own } = partOf(before);
    const layers = [1, 2, 3]
      .map((i) => [constants[`WIDTH_${i}`], constants[`STEEPEST_${i}`]])
      .filter(([width]) => width > 0);
    const widths = layers.map(([width]) => width);
    const matrices = tables({ widths, classes: CLASSES });
    const table = before.floats("table"), w = before.floats("parameters");
    const series = before.floats("series"), labels = before.words("labels");
    const residuals = before.doubles("residuals"), points = pointsOf(before, POINTS);
    const [, , reach] = before.floats("stencil"), { range: most } = activationOf(activation!);
    const moved = Math.min(steepest(activation!) * reach, most[1] - most[0]);
    const weightInto = (unit: number, k: number) =>
      w[OFFSET_NEXT + (firstUnit + unit) * widths[0] + k];
    /** A number of a table: a weight, or behind a row's how far they lie apart, and their sum. */
    const at = (t: number, row: number, column: number) => {
      const quads = Math.ceil(matrices[t].columns / 4) + 1;
      return table[4 * (matrices[t].first + row * quads) + column];
    };
    const behind = (t: number, row: number, i: number) =>
      at(t, row, 4 * Math.ceil(matrices[t].columns / 4) + i);
    const output = matrices.length - 1;
    /** How far nudges of a unit move what stands behind it, at most. */
    const farthest = range(own).map((unit) => {
      let sizes = range(widths[0]).map((k) => Math.abs(weightInto(unit, k)));
      let size = 1, largest = 1;
      layers.forEach(([, slope], i) => {
        const widest = Math.max(...sizes);
        largest = Math.max(largest, size * widest);
        size *= slope;
        if (i < layers.length - 1) {
          size *= widest;
          sizes = range(widths[i + 1]).map((m) => behind(i, m, 1));
        }
      });
      const apart = sizes.reduce((sum, weight, k) => sum + weight * behind(output, k, 0), 0);
      return moved * Math.max(largest, size * apart);
    });
    const sums = new Sums(), must = new Set<number>(), unsure = new Set<number>();
    const firsts = [0, OUTPUTS, ...widths.slice(0, -1)]
      .map((_, i, all) => BATCH * all.slice(0, i + 1).reduce((sum, units) => sum + units, 0));
    /** A change by its series. */
    const through = (at: number, dz: number) => series[2 * at] * dz * (1 + series[2 * at + 1] * dz);
    for (const { n, row, input } of slotsOf(before, batch, constants)) {
      for (let unit = 0; unit < own; unit++) {
        const index = row * width + unit, far = Math.max(reach, farthest[unit]);
        // A unit whose bound is TINY but for rounding may go either way.
        if (far > TINY * (1 + 1e-4)) {
          must.add(index);
          continue;
        }
        if (far > TINY * (1 - 1e-4)) {
          unsure.add(index);
          continue;
        }
        for (const { offset, coefficient } of points) {
          const da = through(n * OUTPUTS + firstUnit + unit, offset * input);
          let changes = range(widths[0]).map((k) =>
            through(firsts[1] + n * widths[0] + k, da * weightInto(unit, k))
          );
          let magnitudes = changes.map(Math.abs);
          widths.slice(1).forEach((width, i) => {
            const of = (terms: number[]) =>
              range(width).map((m) => terms.reduce((sum, term, k) => sum + term * at(i, m, k), 0));
            const sizes = range(width).map((m) =>
              magnitudes.reduce((sum, term, k) => sum + term * Math.abs(at(i, m, k)), 0)
            );
            const place = (m: number) => firsts[i + 2] + n * width + m;
            changes = of(changes).map((dz, m) => through(place(m), dz));
            magnitudes = sizes.map((size, m) => Math.abs(series[2 * place(m)]) * size);
          });
          const d = new Float64Array(CLASSES), size = new Float64Array(CLASSES);
          changes.forEach((change, k) => {
            for (let c = 0; c < CLASSES; c++) {
              d[c] += change * at(output, k, c);
              size[c] += magnitudes[k] * Math.abs(at(output, k, c));
            }
          });
          const { change } = lossChange(loss!, residuals, n, labels[n], d);
          const scale = lossScale(loss!, residuals, n, labels[n], size);
          sums.add(index, coefficient * change, Math.abs(coefficient) * scale);
        }
      }
    }
    const units = widths.reduce((sum, width) => sum + width, 0);
    const bound = (units + CLASSES + POINTS + CHANGE_UNITS) * UNIT;
    return [
      { buffer: "responses", kind: "floats", elements: sums, bound },
      itemsOf(after, must, unsure),
    ];
  },

  collect(before, constants, { block = 0 }) {
    const { INPUTS, OUTPUTS, OFFSET, PARAMETERS, SLOTS, BATCH, SLICES } = constants;
    const { firstUnit, width, own } = partOf(before);
    const places = before.words("places"), starts = before.words("starts");
    const responses = before.floats("responses"), runs = runsOf(INPUTS + 1), blocks = RUN / block;
    const sums = new Sums();
    for (const { slice, n } of sliced(constants)) {
      for (let b = 0; b * block <= INPUTS; b++) {
        const group = n * runs + Math.floor(b / blocks), row = group * (blocks + 1) + b % blocks;
        const into = (input: number, unit: number) =>
          slice * PARAMETERS + OFFSET + (b * block + input) * OUTPUTS + firstUnit + unit;
        for (let unit = 0; unit < own; unit++) {
          for (let i = 0; i < Math.min(block, INPUTS + 1 - b * block); i++) {
            sums.add(into(i, unit), 0);
          }
          for (let e = 2 * starts[row]; e < 2 * starts[row + 1]; e++) {
            const slot = places[e] >>> 8, input = places[e] & 255;
            sums.add(into(input, unit), responses[(group * SLOTS + slot) * width + unit]);
          }
        }
      }
    }
    const bound = Math.ceil(2 * BATCH / SLICES) * UNIT;
    return [{ buffer: "gradient", kind: "floats", elements: sums, bound }];
  },

  collect_states(before, constants, { activation, block = 0 }) {
    const { INPUTS, OUTPUTS, OFFSET, PARAMETERS, POINTS, BATCH, SLICES } = constants;
    const { firstUnit, width, own } = partOf(before), companions = before.floats("companions");
    const responses = before.floats("responses"), points = pointsOf(before, POINTS);
    const { values: { length }, of } = activationOf(activation!).states!;
    const sums = new Sums();
    for (const { slice, n } of sliced(constants)) {
      const inputs = [...listed(before, INPUTS, block, n, 0, Math.ceil((INPUTS + 1) / block))];
      for (let unit = 0; unit < own; unit++) {
        const z = companions[2 * (n * OUTPUTS + firstUnit + unit) + 1];
        const into = (i: number) => slice * PARAMETERS + OFFSET + i * OUTPUTS + firstUnit + unit;
        for (let i = 0; i <= INPUTS; i++) sums.add(into(i), 0);
        for (const { i, value } of inputs) {
          for (const { offset, coefficient } of points) {
            const from = of(z), to = of(Math.fround(z + Math.fround(offset * value)));
            const responseTo = (q: number) => responses[(n * length + q) * width + unit];
            // The kernel adds up what each threshold on the way brings.
            let scale = 0;
            for (let q = from; q !== to; q += Math.sign(to - from)) {
              scale += Math.abs(responseTo(q)) + Math.abs(responseTo(q + Math.sign(to - from)));
            }
            sums.add(into(i), coefficient * responseTo(to), Math.abs(coefficient) * scale);
          }
        }
      }
    }
    const states = activationOf(activation!).states!.values.length;
    const bound = (Math.ceil(BATCH / SLICES) * (POINTS + states) + POINTS) * UNIT;
    return [{ buffer: "gradient", kind: "floats", elements: sums, bound }];
  },
};
