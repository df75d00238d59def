/**
 * What each kernel should have made of its buffers, in float64: one function a kernel, under the name
 * of its file, from the very numbers that the kernel found. Whatever runs dispatch by dispatch can
 * compare each with its twin, and so say which kernel is wrong, not only that something is. Bounds
 * are as twin.ts says.
 */

import { directionSign } from "../core/directions.ts";
import { type Loss, residualsOf } from "../core/network.ts";
import { initOptimizer, type OptimizerName, updateParameters } from "../core/optimizers.ts";
import type { Source } from "../gpu/device.ts";
import type { KernelName } from "../gpu/shaders.ts";
import { activationOf, losses as lossFunctions } from "../operations/registry.ts";
import { type Measured, worseOf } from "./measured.ts";
import { MAP_TWINS } from "./map_twins.ts";
import { SUPERPOSITION_TWINS } from "./superposition_twins.ts";
import { RESPONSE_TWINS } from "./response_twins.ts";
import { WINDOW_TWINS } from "./window_twins.ts";
import {
  activated,
  ACTIVATION_UNITS,
  CHANGE_UNITS,
  changed,
  type Expected,
  listed,
  listing,
  lossChange,
  type Memory,
  pointsOf,
  range,
  sliced,
  Sums,
  type Twin,
  UNIT,
} from "./twin.ts";

/** A loss of all rows, as the kernel of that loss leaves it. */
const lossTwin = (loss: Loss): Twin =>
(
  before,
  { BATCH, ROWS, CLASSES, EPSILON = 0, COPY_STRIDE, SAMPLE_STRIDE, CLASS_STRIDE, KEEP, HAS_GOALS },
) => {
  const logits = before.floats("logits"), labels = before.words("labels");
  const residuals: Expected[] = [], losses: Expected[] = [];
  const isCrossEntropy = loss === "cross-entropy";
  const goalOf = (n: number) => {
    if (!HAS_GOALS) return undefined;
    const [step] = before.words("step");
    const row = CLASSES * before.words("indices")[step * BATCH + n % BATCH];
    return Float64Array.from(before.floats("goals").subarray(row, row + CLASSES));
  };
  const length = residualsOf({ loss, classes: CLASSES });
  for (let n = 0; n < ROWS; n++) {
    const first = Math.floor(n / BATCH) * COPY_STRIDE + n % BATCH * SAMPLE_STRIDE;
    const z = Float64Array.from({ length: CLASSES }, (_, k) => logits[first + k * CLASS_STRIDE]);
    const left = new Float64Array(length);
    const value = lossFunctions[loss].value(z, labels[n % BATCH], EPSILON, left, 0, goalOf(n));
    // An exponential is off by the rounding of its argument, a logarithm by that of its terms.
    const spread = 1 + Math.max(...z) - Math.min(...z) + Math.abs(Math.log(EPSILON || 1));
    losses.push({ index: n, value, scale: isCrossEntropy ? spread + Math.abs(value) : value });
    if (!KEEP) continue;
    // The last of a cross-entropy's is no result, but how far its series may be trusted.
    for (let k = 0; k < (isCrossEntropy ? length - 1 : length); k++) {
      if (!Number.isFinite(left[k])) continue;
      const isLogarithm = k >= CLASSES + 3;
      const scale = Math.abs(left[k]) * (isCrossEntropy ? spread : 1) + (isLogarithm ? spread : 0);
      residuals.push({ index: n * length + k, value: left[k], scale });
    }
  }
  const bound = (CLASSES + 20) * UNIT;
  return [
    { buffer: "residuals", kind: "floats", elements: residuals, bound },
    { buffer: "losses", kind: "floats", elements: losses, bound },
  ];
};

/** Which of an optimiser's two numbers a parameter it keeps. */
const STATE: Record<OptimizerName, readonly number[]> = {
  sgd: [],
  momentum: [0],
  nesterov: [0],
  adagrad: [1],
  rmsprop: [1],
  adam: [0, 1],
};

/** The twins by kernel. */
export const TWINS: Partial<Record<KernelName, Twin>> = {
  ...MAP_TWINS,
  ...SUPERPOSITION_TWINS,
  ...RESPONSE_TWINS,
  ...WINDOW_TWINS,

  gather(before, { BATCH, WIDTH, BYTES }, { block = 0 }, after) {
    const indices = before.words("indices"), labels = before.words("sample_labels");
    const [step] = before.words("step");
    const floats = before.floats("samples"), bytes = new Uint8Array(floats.buffer);
    const x: Expected[] = [], chosen: Expected[] = [];
    for (let n = 0; n < BATCH; n++) {
      const index = indices[step * BATCH + n];
      chosen.push({ index: n, value: labels[index] });
      for (let i = 0; i < WIDTH; i++) {
        const at = index * (WIDTH - 1) + i;
        const value = i === WIDTH - 1 ? 1 : BYTES ? bytes[at] / 255 : floats[at];
        x.push({ index: n * WIDTH + i, value, scale: Math.abs(value) });
      }
    }
    return [
      { buffer: "x", kind: "floats", elements: x, bound: BYTES ? 6 * UNIT : 0 },
      { buffer: "labels", kind: "words", elements: chosen, bound: 0 },
      ...listing(after.floats("x"), BATCH, WIDTH, block),
    ];
  },

  compact(before, { WIDTH }, { block = 0 }, _after, [, batch = 1]) {
    return listing(before.floats("a"), batch, WIDTH, block);
  },

  dense(before, { INPUTS, OUTPUTS, OFFSET }, { activation, block = 0 }, _after, [, batch = 1]) {
    const w = before.floats("parameters");
    const values: Expected[] = [], companions: Expected[] = [];
    for (let n = 0; n < batch; n++) {
      const inputs = [...listed(before, INPUTS, block, n, 0, Math.ceil((INPUTS + 1) / block))];
      for (let j = 0; j < OUTPUTS; j++) {
        let z = 0, magnitude = 0;
        for (const { i, value } of inputs) {
          const term = value * w[OFFSET + i * OUTPUTS + j];
          z += term;
          magnitude += Math.abs(term);
        }
        const on = activated(activation!, z, magnitude);
        values.push({ index: n * (OUTPUTS + 1) + j, value: on.value, scale: on.scale });
        const index = 2 * (n * OUTPUTS + j);
        companions.push({ index, value: on.slope, scale: on.slopeScale });
        companions.push({ index: index + 1, value: z, scale: magnitude });
      }
      values.push({ index: n * (OUTPUTS + 1) + OUTPUTS, value: 1 });
    }
    const bound = (INPUTS + 1 + ACTIVATION_UNITS) * UNIT;
    return [
      { buffer: "values", kind: "floats", elements: values, bound },
      { buffer: "companions", kind: "floats", elements: companions, bound },
    ];
  },

  pointwise(before, { WIDTH, ADD, LAST }, { activation }, _after, [, batch = 1]) {
    const a = before.floats("a"), known = before.floats("values");
    const values: Expected[] = [], companions: Expected[] = [];
    for (let n = 0; n < batch; n++) {
      for (let k = 0; k < WIDTH; k++) {
        const index = n * (WIDTH + 1) + k, at = 2 * (n * WIDTH + k);
        const z = a[index] + (ADD ? known[index] : 0);
        const magnitude = Math.abs(a[index]) + (ADD ? Math.abs(known[index]) : 0);
        const on = activated(LAST ? activation! : "identity", z, magnitude);
        values.push({ index, value: on.value, scale: on.scale });
        companions.push({ index: at + 1, value: z, scale: magnitude });
        if (LAST) companions.push({ index: at, value: on.slope, scale: on.slopeScale });
      }
      values.push({ index: n * (WIDTH + 1) + WIDTH, value: 1 });
    }
    const bound = (1 + ACTIVATION_UNITS) * UNIT;
    return [
      { buffer: "values", kind: "floats", elements: values, bound },
      { buffer: "companions", kind: "floats", elements: companions, bound },
    ];
  },

  "cross-entropy_loss": lossTwin("cross-entropy"),
  "squared-error_loss": lossTwin("squared-error"),
  "zero-one_loss": lossTwin("zero-one"),

  logit_slopes(before, { CLASSES, BATCH, POINTS }, { loss }) {
    const labels = before.words("labels"), residuals = before.doubles("residuals");
    const points = pointsOf(before, POINTS), sums = new Sums();
    for (let n = 0; n < BATCH; n++) {
      for (let k = 0; k < CLASSES; k++) {
        for (const { offset, coefficient } of points) {
          const d = new Float64Array(CLASSES);
          d[k] = offset;
          const { change, scale } = lossChange(loss!, residuals, n, labels[n], d);
          sums.add(n * CLASSES + k, coefficient * change, Math.abs(coefficient) * scale);
        }
      }
    }
    const bound = (POINTS + CHANGE_UNITS) * UNIT;
    return [{ buffer: "slopes", kind: "floats", elements: sums, bound }];
  },

  output_gradient(before, constants, { loss }) {
    const { INPUTS, CLASSES, OFFSET, BATCH, POINTS, SLICES, PARAMETERS } = constants;
    const a = before.floats("a"), labels = before.words("labels");
    const residuals = before.doubles("residuals"), points = pointsOf(before, POINTS);
    const sums = new Sums();
    for (const { slice, n } of sliced(constants)) {
      for (let i = 0; i <= INPUTS; i++) {
        for (let k = 0; k < CLASSES; k++) {
          const index = slice * PARAMETERS + OFFSET + i * CLASSES + k;
          for (const { offset, coefficient } of points) {
            const d = new Float64Array(CLASSES);
            d[k] = offset * a[n * (INPUTS + 1) + i];
            const { change, scale } = lossChange(loss!, residuals, n, labels[n], d);
            sums.add(index, coefficient * change, Math.abs(coefficient) * scale);
          }
        }
      }
    }
    const bound = (Math.ceil(BATCH / SLICES) + POINTS + CHANGE_UNITS) * UNIT;
    return [{ buffer: "gradient", kind: "floats", elements: sums, bound }];
  },

  hidden_gradient(before, constants, { activation, loss, block = 0 }) {
    const { INPUTS, OUTPUTS, OFFSET, NEXT, CLASSES, BATCH, POINTS } = constants;
    const { SLICES, PARAMETERS } = constants;
    const { change } = activationOf(activation!);
    const w = before.floats("parameters"), labels = before.words("labels");
    const values = before.floats("values"), companions = before.floats("companions");
    const residuals = before.doubles("residuals"), points = pointsOf(before, POINTS);
    const sums = new Sums();
    for (const { slice, n } of sliced(constants)) {
      const start = slice * PARAMETERS + OFFSET;
      for (
        const { i, value } of listed(before, INPUTS, block, n, 0, Math.ceil((INPUTS + 1) / block))
      ) {
        for (let j = 0; j < OUTPUTS; j++) {
          for (const { offset, coefficient } of points) {
            const s = values[n * (OUTPUTS + 1) + j], at = 2 * (n * OUTPUTS + j);
            const da = change(s, companions[at], companions[at + 1], offset * value);
            const d = Float64Array.from(
              { length: CLASSES },
              (_, k) => da * w[NEXT + j * CLASSES + k],
            );
            const on = lossChange(loss!, residuals, n, labels[n], d);
            const index = start + i * OUTPUTS + j;
            sums.add(index, coefficient * on.change, Math.abs(coefficient) * on.scale);
          }
        }
      }
    }
    const bound = (Math.ceil(BATCH / SLICES) + POINTS + CLASSES + CHANGE_UNITS) * UNIT;
    return [{ buffer: "gradient", kind: "floats", elements: sums, bound }];
  },

  backprop_output(before, { CLASSES, BATCH }, { loss }) {
    const residuals = before.doubles("residuals"), labels = before.words("labels");
    const length = residualsOf({ loss: loss!, classes: CLASSES });
    const elements = range(BATCH * CLASSES).map((index): Expected => {
      const n = Math.floor(index / CLASSES), k = index % CLASSES;
      const { derivative } = lossFunctions[loss!];
      const value = derivative(residuals, n * length, labels[n], CLASSES, k) / BATCH;
      return { index, value, scale: Math.abs(value) };
    });
    return [{ buffer: "errors", kind: "floats", elements, bound: 12 * UNIT }];
  },

  backprop_hidden(before, constants, _fillings, _after, [, batch = 1]) {
    const { WIDTH, OUTPUTS, OFFSET, DENSE, ADD, LAST } = constants;
    const w = before.floats("parameters"), next = before.floats("next_errors");
    const companions = before.floats("companions"), errors = before.floats("errors");
    const elements = range(batch * WIDTH).map((index): Expected => {
      const n = Math.floor(index / WIDTH), i = index % WIDTH;
      const terms = DENSE
        ? range(OUTPUTS).map((j) => w[OFFSET + i * OUTPUTS + j] * next[n * OUTPUTS + j])
        : [next[index]];
      if (ADD) terms.push(errors[index]);
      const slope = LAST ? companions[2 * index] : 1;
      const sum = terms.reduce((a, b) => a + b, 0);
      const scale = terms.reduce((a, b) => a + Math.abs(b), 0);
      return { index, value: slope * sum, scale: Math.abs(slope) * scale };
    });
    return [{ buffer: "errors", kind: "floats", elements, bound: (OUTPUTS + 8) * UNIT }];
  },

  backprop_gradient(before, constants, { block = 0 }) {
    const { INPUTS, OUTPUTS, OFFSET, PARAMETERS, BATCH } = constants;
    const errors = before.floats("errors");
    const sums = new Sums();
    for (const { slice, n } of sliced(constants)) {
      for (
        const { i, value } of listed(before, INPUTS, block, n, 0, Math.ceil((INPUTS + 1) / block))
      ) {
        for (let j = 0; j < OUTPUTS; j++) {
          const index = slice * PARAMETERS + OFFSET + i * OUTPUTS + j;
          sums.add(index, value * errors[n * OUTPUTS + j]);
        }
      }
    }
    return [{ buffer: "gradient", kind: "floats", elements: sums, bound: (BATCH + 2) * UNIT }];
  },

  transpose(before, { INPUTS, BATCH, SAMPLE_QUADS: QUADS }) {
    const x = before.floats("x");
    const elements = range(INPUTS * QUADS * 4).map((index): Expected => {
      const i = Math.floor(index / QUADS / 4), n = Math.min(index % (4 * QUADS), BATCH - 1);
      return { index, value: x[n * (INPUTS + 1) + i] };
    });
    return [{ buffer: "turned", kind: "floats", elements, bound: 0 }];
  },

  copies_dense(before, constants, { activation, perturbation }) {
    const { BATCH, SAMPLE_QUADS: QUADS, COPIES, POINTS, DIRECTIONS, QUERIES, INPUTS, OUTPUTS } =
      constants;
    const { OFFSET, FROM, TO, SHARED } = constants;
    const [first] = before.words("copies"), w = before.floats("parameters");
    const a = before.floats("a"), values = before.floats("values");
    const points = pointsOf(before, POINTS);
    const random = perturbation === "signs";
    const chosen = perturbation === "chosen" ? before.words("chosen") : undefined;
    const [step] = random ? before.words("step") : [0];
    const keys = random ? before.words("keys") : undefined;
    const elements: Expected[] = [];
    const count = Math.min(COPIES, DIRECTIONS * POINTS - first);
    for (let copy = 0; copy < count; copy++) {
      const direction = Math.floor((first + copy) / POINTS);
      const nudged = chosen ? chosen[direction] : direction;
      const { offset } = points[(first + copy) % POINTS];
      for (let j = 0; j < OUTPUTS; j++) {
        const weights = range(INPUTS + 1).map((i) => {
          const at = OFFSET + i * OUTPUTS + j;
          if (!keys) return w[at] + (at === nudged ? offset : 0);
          return w[at] + offset * directionSign(keys[step * QUERIES + direction], at);
        });
        for (let n = 0; n < BATCH; n++) {
          const index = (copy * OUTPUTS + j) * 4 * QUADS + n;
          let z = FROM > 0 ? values[index] : weights[INPUTS], magnitude = Math.abs(z);
          for (let i = FROM; i < TO; i++) {
            const term = a[((SHARED ? 0 : copy) * INPUTS + i) * 4 * QUADS + n] * weights[i];
            z += term;
            magnitude += Math.abs(term);
          }
          const on = activated(TO < INPUTS ? "identity" : activation!, z, magnitude);
          elements.push({ index, value: on.value, scale: on.scale });
        }
      }
    }
    const bound = (INPUTS + 2 + ACTIVATION_UNITS) * UNIT;
    return [{ buffer: "values", kind: "floats", elements, bound }];
  },

  copies_sum(before, constants, { activation }, _after, [, count = 1]) {
    const { SAMPLE_QUADS: QUADS, COPIES, WIDTH, SHARED, ADD, LAST } = constants;
    const a = before.floats("a"), values = before.floats("values");
    const length = 4 * QUADS * WIDTH; // of a copy
    const elements = range(Math.min(COPIES, count) * length).map((index): Expected => {
      const taken = a[SHARED ? index % length : index], known = ADD ? values[index] : 0;
      const magnitude = Math.abs(taken) + Math.abs(known);
      const on = activated(LAST ? activation! : "identity", taken + known, magnitude);
      return { index, value: on.value, scale: on.scale };
    });
    return [{ buffer: "values", kind: "floats", elements, bound: (1 + ACTIVATION_UNITS) * UNIT }];
  },

  copies_slope(before, { BATCH, POINTS, ROWS, DIRECTIONS, CENTRE }) {
    const [first] = before.words("copies"), points = pointsOf(before, POINTS);
    const copies = before.floats("copy_losses"), losses = before.floats("losses");
    const sums = new Sums();
    const terms = Math.ceil(BATCH / 32) * (POINTS + 1) + 40;
    const from = first / POINTS,
      to = Math.min(DIRECTIONS, from + Math.floor(ROWS / BATCH / POINTS));
    for (let direction = from; direction < to; direction++) {
      for (let n = 0; n < BATCH; n++) {
        points.forEach(({ coefficient }, s) => {
          const row = (direction - from) * POINTS + s;
          sums.add(direction, coefficient * copies[row * BATCH + n]);
        });
        sums.add(direction, Math.fround(CENTRE) * losses[n]);
      }
    }
    return [{ buffer: "slopes", kind: "floats", elements: sums, bound: terms * UNIT }];
  },

  directions_dense(before, constants, { activation, block = 0 }) {
    const { INPUTS, OUTPUTS, OFFSET, BATCH, QUERIES, FIRST, UNITS, BEFORE, AFTER } = constants;
    const [step] = before.words("step"), keys = before.words("keys");
    const w = before.floats("parameters"), changes = before.floats("changes");
    const values = before.floats("values"), companions = before.floats("companions");
    const elements: Expected[] = [];
    for (let query = 0; query < QUERIES; query++) {
      const key = keys[step * QUERIES + query];
      for (let n = 0; n < BATCH; n++) {
        const row = (query * BATCH + n) * UNITS;
        const inputs = [...listed(before, INPUTS, block, n, 0, Math.ceil((INPUTS + 1) / block))];
        for (let j = 0; j < OUTPUTS; j++) {
          pointsOf(before, 2).forEach(({ offset }, point) => {
            let dz = 0, magnitude = 0;
            const add = (term: number) => {
              dz += term;
              magnitude += Math.abs(term);
            };
            const d = (i: number) => offset * directionSign(key, OFFSET + i * OUTPUTS + j);
            for (const { i, value } of inputs) add(value * d(i));
            for (let i = 0; i < (FIRST ? 0 : INPUTS); i++) {
              add(changes[2 * (row + BEFORE + i) + point] * (w[OFFSET + i * OUTPUTS + j] + d(i)));
            }
            const s = values[n * (OUTPUTS + 1) + j], at = 2 * (n * OUTPUTS + j);
            const on = [s, companions[at], companions[at + 1]] as const;
            const index = 2 * (row + AFTER + j) + point;
            elements.push({ index, ...changed(activation!, on, dz, magnitude) });
          });
        }
      }
    }
    const bound = (2 * INPUTS + 2 + ACTIVATION_UNITS) * UNIT;
    return [{ buffer: "changes", kind: "floats", elements, bound }];
  },

  directions_sum(before, constants, { activation }, _after, [, , queries = 1]) {
    const { WIDTH, BATCH, UNITS, BEFORE, AFTER, NONE, ADD, LAST } = constants;
    const changes = before.floats("changes");
    const values = before.floats("values"), companions = before.floats("companions");
    const elements: Expected[] = [];
    for (let row = 0; row < queries * BATCH; row++) {
      for (let j = 0; j < WIDTH; j++) {
        for (const point of [0, 1]) {
          const index = 2 * (row * UNITS + AFTER + j) + point;
          const taken = NONE ? 0 : changes[2 * (row * UNITS + BEFORE + j) + point];
          const known = ADD ? changes[index] : 0, magnitude = Math.abs(taken) + Math.abs(known);
          const s = values[row % BATCH * (WIDTH + 1) + j], at = 2 * (row % BATCH * WIDTH + j);
          const on = [s, companions[at], companions[at + 1]] as const;
          elements.push({
            index,
            ...changed(LAST ? activation! : "identity", on, taken + known, magnitude),
          });
        }
      }
    }
    return [{ buffer: "changes", kind: "floats", elements, bound: (1 + ACTIVATION_UNITS) * UNIT }];
  },

  directions_slope(before, constants, { loss }, _after, [queries]) {
    const { CLASSES, BATCH, UNITS, AFTER } = constants;
    const changes = before.floats("changes"), labels = before.words("labels");
    const residuals = before.doubles("residuals"), points = pointsOf(before, 2);
    const sums = new Sums();
    for (let query = 0; query < queries; query++) {
      for (let n = 0; n < BATCH; n++) {
        points.forEach(({ coefficient }, s) => {
          const row = (query * BATCH + n) * UNITS + AFTER;
          const d = Float64Array.from({ length: CLASSES }, (_, k) => changes[2 * (row + k) + s]);
          const { change, scale } = lossChange(loss!, residuals, n, labels[n], d);
          sums.add(query, coefficient * change, Math.abs(coefficient) * scale);
        });
      }
    }
    const bound = (BATCH + CLASSES + CHANGE_UNITS) * UNIT;
    return [{ buffer: "slopes", kind: "floats", elements: sums, bound }];
  },

  directions_gradient(before, { PARAMETERS, QUERIES }) {
    const [step] = before.words("step"), keys = before.words("keys");
    const slopes = before.floats("slopes");
    const sums = new Sums();
    for (let query = 0; query < QUERIES; query++) {
      for (let index = 0; index < PARAMETERS; index++) {
        const sign = directionSign(keys[step * QUERIES + query], index);
        sums.add(index, sign * slopes[query] / QUERIES);
      }
    }
    return [{ buffer: "gradient", kind: "floats", elements: sums, bound: (QUERIES + 4) * UNIT }];
  },

  total(before, { PARAMETERS, SLICES }) {
    const gradient = before.floats("gradient");
    const sums = new Sums();
    for (let i = 0; i < PARAMETERS * SLICES; i++) sums.add(i % PARAMETERS, gradient[i]);
    return [{ buffer: "gradient", kind: "floats", elements: sums, bound: SLICES * UNIT }];
  },

  update(before, { PARAMETERS, SLICES, WEIGHT_DECAY }, { optimizer }) {
    const w = before.doubles("parameters"), slices = before.floats("gradient");
    const pairs = before.floats("state"), [step] = before.words("step");
    const [rate, , , steps] = before.floats("rates").subarray(4 * step, 4 * step + 4);
    /** One step, of the numbers as they are or of their magnitudes. */
    const take = (of: (value: number) => number) => {
      const gradient = new Float64Array(PARAMETERS), state = initOptimizer(PARAMETERS);
      for (let i = 0; i < PARAMETERS * SLICES; i++) gradient[i % PARAMETERS] += of(slices[i]);
      for (let i = 0; i < PARAMETERS; i++) {
        state.first[i] = of(pairs[2 * i]);
        state.second[i] = of(pairs[2 * i + 1]);
      }
      state.steps = steps - 1;
      const parameters = new Float64Array(PARAMETERS);
      updateParameters(
        { name: optimizer as OptimizerName, weightDecay: 0 },
        parameters,
        gradient,
        state,
        rate,
      );
      return { change: parameters, state };
    };
    const stepped = take((value) => value), size = take(Math.abs);
    const values: Expected[] = [], states: Expected[] = [];
    for (let i = 0; i < PARAMETERS; i++) {
      const decay = rate * Math.fround(WEIGHT_DECAY) * w[i];
      // A velocity and the gradient may pull apart, so that the rule of their magnitudes says little.
      const hasVelocity = optimizer === "momentum" || optimizer === "nesterov";
      const scale = Math.abs(w[i]) + Math.abs(size.change[i]) +
        (hasVelocity ? 2 * Math.abs(pairs[2 * i]) + 2 * rate * sumOf(slices, i, PARAMETERS) : 0);
      values.push({ index: i, value: w[i] + stepped.change[i] - decay, scale });
      const pair = [
        [stepped.state.first, size.state.first],
        [stepped.state.second, size.state.second],
      ];
      for (const at of STATE[optimizer!]) {
        const [value, magnitude] = pair[at];
        states.push({
          index: 2 * i + at,
          value: value[i],
          scale: Math.abs(magnitude[i]) + 2 * Math.abs(pairs[2 * i + at]) +
            (hasVelocity ? rate * sumOf(slices, i, PARAMETERS) : 0),
        });
      }
    }
    const bound = (SLICES + 16) * UNIT;
    return [
      { buffer: "parameters", kind: "floats", elements: values, bound },
      { buffer: "state", kind: "floats", elements: states, bound },
    ];
  },

  finish(before, { BATCH }) {
    const losses = before.floats("losses"), [step] = before.words("step");
    let value = 0, scale = 0;
    for (let n = 0; n < BATCH; n++) {
      value += losses[n] / BATCH;
      scale += Math.abs(losses[n]) / BATCH;
    }
    return [
      {
        buffer: "mean_losses",
        kind: "floats",
        elements: [{ index: step, value, scale }],
        bound: (BATCH + 4) * UNIT,
      },
      { buffer: "step", kind: "words", elements: [{ index: 0, value: step + 1 }], bound: 0 },
    ];
  },

  score(before, { CLASSES, BATCH }) {
    const logits = before.floats("logits"), losses = before.floats("losses");
    const [step] = before.words("step");
    const elements = range(BATCH).flatMap((n): Expected[] => {
      const row = logits.subarray(n * (CLASSES + 1), n * (CLASSES + 1) + CLASSES);
      const index = 2 * (step * BATCH + n);
      return [
        { index, value: losses[n] },
        { index: index + 1, value: row.indexOf(Math.max(...row)) },
      ];
    });
    return [{ buffer: "scores", kind: "floats", elements, bound: 0 }];
  },
};

/** The magnitudes of all slices of element i. */
function sumOf(slices: Float32Array, i: number, parameters: number): number {
  let sum = 0;
  for (let at = i; at < slices.length; at += parameters) sum += Math.abs(slices[at]);
  return sum;
}

/** How far a kernel is from its twin, in the output that is the furthest off. */
export function compareWithTwin(
  twin: Twin,
  { constants, fillings, groups }: Source,
  before: Memory,
  after: Memory,
): Measured {
  const numbers = Object.fromEntries(
    Object.entries(constants).map(([name, value]) => [name, Number(value)]),
  );
  return twin(before, numbers, fillings, after, groups).map(({ buffer, kind, elements, bound }) => {
    const actual = after[kind](buffer);
    let worst = 0;
    for (const { index, value, scale = 1 } of elements) {
      const distance = Math.abs(actual[index] - value);
      const error = distance === 0 ? 0 : distance / scale;
      if (!(error <= worst)) worst = error;
    }
    return { worst, bound };
  }).reduce(worseOf);
}
