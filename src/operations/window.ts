/** What convolutions and pools have in common: a window that moves over maps. */

import { type Maps, type Pair, type Shape, textOfShape, type Window } from "./structure.ts";

/** Where a window stands, as it is told. */
export interface Placement {
  readonly kernel: Pair;
  /** Default 1 for a convolution, the kernel for a pool. */
  readonly stride?: Pair;
  /** Above, to the left, below, to the right; "same" for as many as give ceil(size / stride). */
  readonly pad?: readonly [number, number, number, number] | "same";
  /** Default 1. */
  readonly dilation?: Pair;
}

/** Refuses rows where maps are wanted. */
export function mapsOf(shape: Shape): Maps {
  if (shape.length === 3) return shape;
  throw new RangeError(
    `it takes maps, [channels, height, width], and gets a row of ${shape[0]} values; put it ` +
      `before dense layers, and give data a shape, as --input-shape 1x28x28 does`,
  );
}

/**
 * The window over a map.
 * @throws {RangeError} where it does not fit.
 */
export function windowOf(
  input: Maps,
  channels: number,
  groups: number,
  { kernel, stride = [1, 1], pad = [0, 0, 0, 0], dilation = [1, 1] }: Placement,
): Window {
  const sizes = [input[1], input[2]];
  const all = [...kernel, ...stride, ...dilation];
  if (all.some((size) => !Number.isInteger(size) || size < 1)) {
    throw new RangeError("kernel, stride and dilation are whole numbers from 1");
  }
  const spans = kernel.map((size, d) => (size - 1) * dilation[d] + 1);
  const before: number[] = [], outputs: number[] = [];
  sizes.forEach((size, d) => {
    const around = pad === "same"
      ? Math.max(0, (Math.ceil(size / stride[d]) - 1) * stride[d] + spans[d] - size)
      : pad[d] + pad[d + 2];
    before.push(pad === "same" ? Math.floor(around / 2) : pad[d]);
    if (!(Number.isInteger(before[d]) && before[d] >= 0 && around >= before[d])) {
      throw new RangeError("padding is whole numbers from 0");
    }
    if (spans[d] > size + around) {
      const padded = around > 0 ? `its padded input, ${size + around}` : "its input";
      const span = dilation[d] > 1 ? `${kernel[d]} (${spans[d]} with its gaps)` : `${kernel[d]}`;
      throw new RangeError(
        `the kernel, ${span}, is larger than ${
          around > 0 ? padded : `${padded}, ${textOfShape(sizes)}`
        }`,
      );
    }
    if (Math.max(before[d], around - before[d]) >= spans[d]) {
      throw new RangeError(
        `its padding, ${Math.max(before[d], around - before[d])}, is as large as its kernel, ` +
          `${spans[d]}; windows of padding alone say nothing`,
      );
    }
    outputs.push(Math.floor((size + around - spans[d]) / stride[d]) + 1);
  });
  return {
    input,
    output: [channels, outputs[0], outputs[1]],
    kernel,
    stride,
    dilation,
    pad: [before[0], before[1]],
    groups,
  };
}

const isWhole = (text: string | undefined, least: number) =>
  text !== undefined && /^\d+$/.test(text) && Number(text) >= least;

/** Reads a size, 3, or two, 3x5. */
export function pairOf(text: string | undefined, what: string): Pair {
  const parts = text?.split("x") ?? [];
  if (parts.length < 1 || parts.length > 2 || !parts.every((part) => isWhole(part, 1))) {
    throw new SyntaxError(`${what} is a whole number from 1, or two as in 3x5, not ${text}`);
  }
  return [Number(parts[0]), Number(parts.at(-1))];
}

/** A pair as people type it. */
export const textOfPair = ([down, across]: Pair): string =>
  down === across ? `${down}` : `${down}x${across}`;

/** Reads `stride S`, `pad P` and what else is known, in any order. */
export function placementOf(
  words: readonly string[],
  kernel: Pair,
  known: readonly ("stride" | "pad" | "dilation" | "groups")[],
): Placement & { groups?: number } {
  const read: { -readonly [K in keyof Placement]: Placement[K] } & { groups?: number } = { kernel };
  for (let i = 0; i < words.length; i += 2) {
    const [name, value] = [words[i], words[i + 1]];
    if (!(known as readonly string[]).includes(name)) {
      throw new SyntaxError(`there is no ${name}, but ${known.join(", ")}`);
    }
    if (read[name as keyof typeof read] !== undefined) {
      throw new SyntaxError(`${name} is said twice`);
    }
    if (name === "stride" || name === "dilation") read[name] = pairOf(value, name);
    else if (name === "groups") {
      if (!isWhole(value, 1)) {
        throw new SyntaxError(`groups is a whole number from 1, not ${value}`);
      }
      read.groups = Number(value);
    } else if (value === "same") read.pad = "same";
    else {
      const sides = value?.split("x") ?? [];
      if (![1, 2, 4].includes(sides.length) || !sides.every((side) => isWhole(side, 0))) {
        throw new SyntaxError(
          `pad is same, a whole number from 0, two as in 1x2, or four: above x left x below x ` +
            `right; not ${value}`,
        );
      }
      const [top, left = top, below = top, right = left] = sides.map(Number);
      read.pad = [top, left, below, right];
    }
  }
  return read;
}

/** What differs from the usual, as people type it; the inverse of `placementOf`. */
export function wordsOfPlacement(
  { stride, pad, dilation, groups }: Omit<Placement, "kernel"> & { groups?: number },
): string[] {
  const words: string[] = [];
  if (stride) words.push("stride", textOfPair(stride));
  if (pad === "same") words.push("pad", pad);
  else if (pad?.some((side) => side > 0)) {
    const [top, left, below, right] = pad;
    const isEven = top === below && left === right;
    words.push("pad", isEven ? textOfPair([top, left]) : pad.join("x"));
  }
  if (dilation?.some((step) => step > 1)) words.push("dilation", textOfPair(dilation));
  if (groups !== undefined && groups > 1) words.push("groups", `${groups}`);
  return words;
}

/** What each cell of each window looks at along one side: 0 is down, 1 across. -1 is padding. */
function looksOf(
  { input, output, kernel, stride, dilation, pad }: Window,
  side: 0 | 1,
): Int32Array { // [outputs, kernel] of that side
  const [outputs, cells] = [output[side + 1], kernel[side]];
  return Int32Array.from({ length: outputs * cells }, (_, i) => {
    const at = Math.floor(i / cells) * stride[side] - pad[side] + i % cells * dilation[side];
    return at < input[side + 1] ? Math.max(at, -1) : -1;
  });
}

const known = new WeakMap<Window, Int32Array>();

/**
 * Which of a map's values each cell of each window looks at, in row-major order of places and of
 * cells; -1 is padding. The same for every channel.
 */
export function tapsOf(window: Window): Int32Array { // [places, cells]
  const before = known.get(window);
  if (before) return before;
  const { input: [, , width], output: [, height, across], kernel: [cellsDown, cellsAcross] } =
    window;
  const down = looksOf(window, 0), right = looksOf(window, 1);
  const taps = new Int32Array(height * across * cellsDown * cellsAcross);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < across; x++) {
      for (let dy = 0; dy < cellsDown; dy++) {
        for (let dx = 0; dx < cellsAcross; dx++) {
          const row = down[y * cellsDown + dy], column = right[x * cellsAcross + dx];
          taps[at++] = row < 0 || column < 0 ? -1 : row * width + column;
        }
      }
    }
  }
  known.set(window, taps);
  return taps;
}

/** How many cells of all windows over one map look at a value, not at padding. */
export function tapCount(window: Window): number {
  const [down, across] = ([0, 1] as const).map((side) =>
    looksOf(window, side).filter((at) => at >= 0).length
  );
  return down * across;
}

/** Rows and columns of the input that no window looks at. */
export function skippedBy(window: Window): Pair {
  const [rows, columns] = ([0, 1] as const).map((side) =>
    window.input[side + 1] - new Set(looksOf(window, side).filter((at) => at >= 0)).size
  );
  return [rows, columns];
}
