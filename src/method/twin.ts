/**
 * What twins are made of: what a kernel found and what it should have made of it, and how float32
 * may err.
 *
 * Errors are relative to a scale: the sum of the magnitudes of what was added up, as rounding
 * errors are (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1: a sum of
 * K products errs by K units of rounding times the sum of their magnitudes). To K come a few
 * units for functions: 4 of special.wgsl's each, and up to 3 for a division, which WGSL allows to be
 * off by 2.5 units in the last place.
 */

import { type Layer, type Loss, residualsOf } from "../core/network.ts";
import type { Groups, Source } from "../gpu/device.ts";
import type { Activation } from "../operations/activation.ts";
import { activationOf, losses as lossFunctions } from "../operations/registry.ts";

/** Half of float32's distance from 1 to the next number: the largest relative rounding error. */
export const UNIT = 2 ** -24;

/** A kernel's buffers by the variable names of its WGSL, as bytes. */
export class Memory {
  readonly #buffers: ReadonlyMap<string, ArrayBuffer>;

  constructor(buffers: ReadonlyMap<string, ArrayBuffer>) {
    this.#buffers = buffers;
  }

  words(name: string): Uint32Array {
    return new Uint32Array(this.#buffers.get(name)!);
  }

  floats(name: string): Float32Array {
    return new Float32Array(this.#buffers.get(name)!);
  }

  /** The same in float64, as the CPU's functions want it. */
  doubles(name: string): Float64Array {
    return Float64Array.from(this.floats(name));
  }
}

/** An element that a kernel should have written. */
export interface Expected {
  readonly index: number;
  readonly value: number;
  /** What its error is relative to; absent where it must be exact. */
  readonly scale?: number;
}

/** The elements that a kernel should have written into one of its buffers. */
export interface Output {
  readonly buffer: string;
  readonly kind: "floats" | "words";
  readonly elements: Iterable<Expected>;
  /** The largest error of an element, relative to its scale. */
  readonly bound: number;
}

/** A kernel's constants. */
export type Numbers = Record<string, number>;

/** What a kernel should have written, of what it found and, where it reads it again, of what it left. */
export type Twin = (
  before: Memory,
  constants: Numbers,
  fillings: Source["fillings"],
  after: Memory,
  groups: Groups,
) => Output[];

/** How much an error of z can change an activation's value, at most; jumps are not for errors. */
export const steepest = (name: Layer["activation"]) => {
  const { states, steepest }: Activation = activationOf(name);
  return states ? 0 : steepest;
};

/** The points of a stencil as a kernel finds them. */
export function pointsOf(memory: Memory, count: number) {
  const table = memory.floats("stencil");
  return Array.from({ length: count }, (_, s) => ({
    offset: table[4 * s],
    coefficient: table[4 * s + 1],
  }));
}

export const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A list of inputs that are not zero, laid out as shaders/shared/listing.wgsl does. */
export function listing(
  values: Float32Array,
  batch: number,
  width: number,
  block: number,
): Output[] {
  const RUN = 1024, blocks = RUN / block, room = RUN + blocks, runs = Math.ceil(width / RUN);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const entries: Expected[] = [], starts: Expected[] = [];
  for (let n = 0; n < batch; n++) {
    for (let run = 0; run < runs; run++) {
      let place = (n * runs + run) * room;
      const row = (n * runs + run) * (blocks + 1);
      starts.push({ index: row, value: place / 2 });
      const end = Math.min(width, RUN * (run + 1));
      for (let b = 0; RUN * run + block * b < end; b++) {
        const first = RUN * run + block * b;
        const put = (input: number, value: number) => {
          entries.push({ index: 2 * place, value: input }, { index: 2 * place + 1, value });
          place++;
        };
        for (let i = first; i < Math.min(first + block, end); i++) {
          if (values[n * width + i] !== 0) put(i, bits[n * width + i]);
        }
        if (place % 2 === 1) put(first, 0); // a zero fills the pair
        starts.push({ index: row + b + 1, value: place / 2 });
      }
    }
  }
  return [
    { buffer: "entries", kind: "words", elements: entries, bound: 0 },
    { buffer: "starts", kind: "words", elements: starts, bound: 0 },
  ];
}

/** The inputs of sample n that are not zero, in blocks `from` to before `to`, off such a list. */
export function* listed(
  memory: Memory,
  inputs: number,
  block: number,
  n: number,
  from: number,
  to: number,
) {
  const RUN = 1024, blocks = RUN / block, runs = Math.ceil((inputs + 1) / RUN);
  const entries = memory.words("entries"), starts = memory.words("starts");
  const values = new Float32Array(entries.buffer);
  for (let b = from; b < to; b++) {
    const row = (n * runs + Math.floor(b / blocks)) * (blocks + 1) + b % blocks;
    for (let e = 2 * starts[row]; e < 2 * starts[row + 1]; e++) {
      yield { i: entries[2 * e], value: values[2 * e + 1] };
    }
  }
}

/** What a unit keeps as it follows from z, whose own error is relative to `magnitude`. */
export function activated(activation: Layer["activation"], z: number, magnitude: number) {
  const { activate, derivative } = activationOf(activation);
  const value = activate(z), slope = derivative(z);
  return {
    value,
    scale: steepest(activation) * magnitude + Math.abs(value),
    slope,
    // Those of sigmoid and tanh change by no more than twice their own size for each unit of z.
    slopeScale: Math.abs(slope) * (1 + 2 * magnitude),
  };
}

/** What the unit (value, derivative, input) is changed by where its input moves by dz. */
export function changed(
  activation: Layer["activation"],
  [a, c, z]: readonly [number, number, number],
  dz: number,
  /** What dz's own error is relative to. */
  magnitude: number,
): { value: number; scale: number } {
  const value = activationOf(activation).change(a, c, z, dz);
  return { value, scale: steepest(activation) * magnitude + Math.abs(value) * (1 + magnitude) };
}

/** Units of rounding that an activation, or its exact change, adds. */
export const ACTIVATION_UNITS = 16;

/** The magnitudes that are added up for a change of a loss, where logits change by d. */
export function lossMagnitude(
  loss: Loss,
  residuals: Float64Array,
  row: number,
  target: number,
  d: Float64Array, // [classes]
): number {
  let sum = 0, v = 0;
  for (let k = 0; k < d.length; k++) {
    const r = residuals[row + k];
    if (loss === "squared-error") {
      sum += Math.abs(d[k]) * (Math.abs(r) + Math.abs(d[k] / 2));
    } else {
      const term = r * Math.expm1(d[k] - d[target]);
      sum += Math.abs(term) * (1 + Math.abs(d[k] - d[target]));
      v += term;
    }
  }
  if (loss === "squared-error") return sum;
  const share = residuals[row + d.length + 1];
  return share * sum / Math.min(1, 1 + v);
}

/** Units of rounding that the exact change of a unit and of the loss behind it add, besides sums. */
export const CHANGE_UNITS = 60;

/** The exact change of sample n's loss, where logits change by d, and what its error is relative to. */
export function lossChange(
  loss: Loss,
  residuals: Float64Array,
  n: number,
  target: number,
  d: Float64Array, // [classes]
) {
  const change = new Float64Array(1), row = n * residualsOf({ loss, classes: d.length });
  lossFunctions[loss].changes(residuals, row, target, d, Float64Array.of(1), change);
  const magnitude = lossMagnitude(loss, residuals, row, target, d);
  return { change: change[0], scale: Math.abs(change[0]) + magnitude };
}

/**
 * What the error of such a change is relative to where logits are sums themselves, of terms whose
 * magnitudes add up to `magnitudes`: as if each logit moved by so much, against all others.
 */
export function lossScale(
  loss: Loss,
  residuals: Float64Array,
  n: number,
  target: number,
  magnitudes: Float64Array, // [classes]
): number {
  const apart = magnitudes.map((most, k) => k === target ? most : -most);
  return lossChange(loss, residuals, n, target, apart).scale;
}

/** Sums by index, with their magnitudes. */
export class Sums {
  readonly #sums = new Map<number, { value: number; scale: number }>();

  add(index: number, value: number, scale = Math.abs(value)): void {
    const sum = this.#sums.get(index);
    if (!sum) this.#sums.set(index, { value, scale });
    else {
      sum.value += value;
      sum.scale += scale;
    }
  }

  *[Symbol.iterator](): Generator<Expected> {
    for (const [index, { value, scale }] of this.#sums) yield { index, value, scale };
  }
}

/** Runs over the batch in slices: a kernel's partial sums. */
export function* sliced({ BATCH, SLICES }: Numbers) {
  for (let slice = 0; slice < SLICES; slice++) {
    const last = Math.floor((slice + 1) * BATCH / SLICES);
    for (let n = Math.floor(slice * BATCH / SLICES); n < last; n++) yield { slice, n };
  }
}
