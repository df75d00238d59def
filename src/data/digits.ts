/**
 * Synthetic handwritten digits: what a network is trained on where MNIST cannot be had.
 *
 * Each digit is a few pen strokes, bent, slanted, inked and centred as MNIST's digits are, so that
 * a network trained on them reads real ones too. Nothing is stored but the strokes below. Which
 * data a run uses is decided elsewhere.
 */

import { type Random, Xoshiro } from "../core/random.ts";
import type { DataSet, Samples } from "./samples.ts";

const SIDE = 28; // height and width of an image, in pixels
const BOX = 20; // MNIST fits the ink into a box of this side
const PIXELS = SIDE * SIDE;
const CLASSES = 10;

/**
 * The ways to write each digit, as `[share of its writers, strokes]`. A stroke is a row of points
 * `x,y` (percent of the digit's height, y downward) joined by a smooth curve; ` / ` lifts the pen
 * or turns a corner. Slant and width are left to chance.
 */
const WRITING: readonly (readonly (readonly [share: number, strokes: string])[])[] = [
  [ // 0: closed, or begun with a hook
    [3, "50,1 22,14 4,52 10,88 36,99 64,86 82,48 74,12 50,1"],
    [1, "66,8 40,3 14,20 5,55 16,90 42,98 70,80 80,45 68,14 48,5 32,14"],
  ],
  [ // 1: a bar, with a flag, with a flag and a base
    [8, "54,0 50,50 46,100"],
    [1, "34,18 52,0 / 52,0 50,50 48,100"],
    [0.5, "30,20 50,0 / 50,0 50,50 50,100 / 24,100 50,99 76,100"],
  ],
  [ // 2: with a corner, with a loop, with a low loop
    [2, "8,22 25,4 50,2 66,18 60,42 35,70 5,97 / 5,97 40,95 80,94"],
    [2, "10,20 30,3 58,6 64,28 48,60 24,88 8,94 4,82 20,74 44,86 62,97 84,92"],
    [1, "12,14 36,2 58,12 58,44 38,82 16,98 4,84 20,68 46,78 84,90"],
  ],
  [ // 3: round, with a flat top, with a curl in the middle
    [3, "8,12 35,1 60,10 58,32 28,46 / 28,46 62,56 68,80 40,98 5,90"],
    [1, "6,5 34,5 60,4 / 60,4 28,42 / 28,42 60,50 68,76 42,98 4,90"],
    [1, "10,12 36,1 60,12 52,34 30,46 22,44 30,42 58,54 66,78 40,98 4,86"],
  ],
  [ // 4: open and round, open and straight, closed
    [3, "14,4 6,30 10,50 36,54 64,46 / 68,2 62,50 56,100"],
    [2, "18,6 4,52 / 4,52 40,52 76,48 / 66,4 58,50 54,100"],
    [0.7, "60,2 30,32 4,62 / 4,62 44,60 80,58 / 60,2 57,50 54,100"],
  ],
  [ // 5: with a cap, in one line, with a cap drawn last and wide
    [2, "76,3 24,5 / 24,5 16,42 / 16,42 45,38 66,58 58,86 32,98 4,90"],
    [1, "76,4 40,8 20,26 34,44 58,60 58,86 32,98 6,90"],
    [1.5, "22,12 14,46 / 14,46 46,42 64,66 46,94 20,98 2,86 / 22,12 54,8 86,2"],
  ],
  [ // 6: with a small loop, with a large one
    [2, "52,1 24,27 6,66 20,95 50,96 66,77 50,60 24,70 12,86"],
    [2, "38,1 12,34 4,70 24,97 60,92 70,66 48,50 22,62 14,80"],
  ],
  [ // 7: plain, rounded, with a serif, with a bar
    [3, "6,10 40,9 72,5 / 72,5 50,50 38,100"],
    [1, "8,16 30,4 58,8 60,28 46,62 38,100"],
    [1, "8,26 10,9 / 10,9 40,8 72,5 / 72,5 50,50 38,100"],
    [1, "6,10 40,8 72,5 / 72,5 50,50 36,100 / 26,50 70,47"],
  ],
  [ // 8: in one line, begun at the upper right, as two rings
    [2, "66,16 42,2 18,14 22,34 42,52 54,74 38,97 14,94 8,74 32,50 60,30 66,14"],
    [2, "74,8 44,2 24,18 34,42 50,62 44,92 20,98 8,82 26,58 56,36 74,8"],
    [1, "42,46 20,36 20,10 46,1 68,12 64,34 42,46 / 42,46 12,66 12,92 38,99 60,90 62,64 42,46"],
  ],
  [ // 9: with a straight tail, narrow, with a round tail
    [2, "60,16 50,3 32,3 13,18 13,38 30,46 48,36 60,16 / 60,14 57,50 50,100"],
    [2, "58,8 34,4 10,28 16,46 42,40 60,10 / 60,10 54,50 44,100"],
    [1, "60,15 38,2 12,18 14,42 38,48 62,20 / 62,14 62,50 54,88 30,98 10,90"],
  ],
];

/** Points of one stroke, x and y in turn. */
type Stroke = Float64Array; // [points, 2]

/** `WRITING`, read: for each digit its styles, in units of the digit's height. */
const STYLES = WRITING.map((styles) =>
  styles.map(([share, strokes]) => ({
    share,
    strokes: strokes.split(" / ").map((stroke): Stroke =>
      Float64Array.from(stroke.split(/[ ,]/), (number) => Number(number) / 100)
    ),
  }))
);

/** How much writers differ. Lengths are in units of the digit's height, unless in pixels. */
const SLANT = [0.11, 0.25] as const; // mean and deviation of dx / dy, to the right as MNIST leans
const TURN = 0.08; // deviation, in radians
const WIDTH = 0.18; // deviation of the logarithm of width / height
const BEND = 0.045; // deviation of the whole digit's smooth distortion
const JITTER = 0.018; // deviation of a single point
const PEN = [1.23, 0.33, 0.6] as const; // mean, deviation and least radius, in pixels

/** Picks one of a digit's styles by their shares. */
function pickStyle(digit: number, random: Random): Stroke[] {
  const styles = STYLES[digit];
  let left = random.uniform() * styles.reduce((sum, style) => sum + style.share, 0);
  return (styles.find((style) => (left -= style.share) < 0) ?? styles[0]).strokes;
}

/** Bends, stretches, slants and turns the strokes of one digit, each time in another way. */
function vary(strokes: Stroke[], random: Random): Stroke[] {
  // The bend is a sum of slow waves over the plane: neighbouring points move together, so that
  // strokes that meet go on meeting.
  const waves = Array.from({ length: 4 }, () => ({
    kx: 4 * random.normal(),
    ky: 4 * random.normal(),
    phase: 2 * Math.PI * random.uniform(),
    dx: BEND * random.normal(),
    dy: BEND * random.normal(),
  }));
  const width = Math.exp(WIDTH * random.normal());
  const slant = SLANT[0] + SLANT[1] * random.normal();
  const turn = TURN * random.normal();
  const cos = Math.cos(turn), sin = Math.sin(turn);
  return strokes.map((stroke) => {
    const varied = new Float64Array(stroke.length); // [points, 2]
    for (let i = 0; i < stroke.length; i += 2) {
      let x = stroke[i] + JITTER * random.normal();
      let y = stroke[i + 1] + JITTER * random.normal();
      for (const { kx, ky, phase, dx, dy } of waves) {
        const wave = Math.sin(kx * stroke[i] + ky * stroke[i + 1] + phase);
        x += dx * wave;
        y += dy * wave;
      }
      x = width * x - slant * y;
      varied[i] = cos * x - sin * y;
      varied[i + 1] = sin * x + cos * y;
    }
    return varied;
  });
}

/** A smooth curve through the points of a stroke (Catmull and Rom's spline), as short lines. */
function smooth(stroke: Stroke): Stroke {
  const last = stroke.length / 2 - 1;
  const pieces = 5; // lines between two points
  const curve = new Float64Array(2 * (last * pieces + 1)); // [lines + 1, 2]
  for (let i = 0, to = 0; i <= last * pieces; i++) {
    const from = Math.min(Math.floor(i / pieces), last - 1);
    const u = i / pieces - from;
    for (let axis = 0; axis < 2; axis++) {
      const point = (k: number) => stroke[2 * Math.min(Math.max(k, 0), last) + axis];
      const a = point(from - 1), b = point(from), c = point(from + 1), d = point(from + 2);
      curve[to++] = b +
        0.5 * u * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a)));
    }
  }
  return curve;
}

/** Scales the curves, in place, so that their ink fills the box, and centres its mass. */
function fit(curves: Stroke[], radius: number): void {
  let left = Infinity, right = -Infinity, top = Infinity, bottom = -Infinity;
  let mass = 0, massX = 0, massY = 0; // a line's ink weighs as much as the line is long
  for (const curve of curves) {
    for (let i = 0; i < curve.length; i += 2) {
      const x = curve[i], y = curve[i + 1];
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      if (i === 0) continue;
      const length = Math.hypot(x - curve[i - 2], y - curve[i - 1]);
      mass += length;
      massX += length * (x + curve[i - 2]) / 2;
      massY += length * (y + curve[i - 1]) / 2;
    }
  }
  const scale = (BOX - 2 * radius) / Math.max(right - left, bottom - top);
  // As MNIST does: the box begins on a pixel's edge and moves by whole pixels until the mass lies
  // nearest to the centre of pixel (14, 14).
  const middle = SIDE / 2 + 0.5;
  const place = (edge: number, mean: number) =>
    Math.round(middle - radius - scale * (mean - edge)) + radius - scale * edge;
  const shiftX = place(left, massX / mass), shiftY = place(top, massY / mass);
  for (const curve of curves) {
    for (let i = 0; i < curve.length; i += 2) {
      curve[i] = scale * curve[i] + shiftX;
      curve[i + 1] = scale * curve[i + 1] + shiftY;
    }
  }
}

/** Lowers `squared` to the squared distance of each pixel's centre to the line, where inked. */
function drawLine(
  squared: Float64Array, // [SIDE, SIDE]
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  reach: number,
): void {
  const dx = x1 - x0, dy = y1 - y0;
  const perLength = 1 / (dx * dx + dy * dy || 1);
  const firstColumn = Math.max(Math.ceil(Math.min(x0, x1) - reach - 0.5), 0);
  const lastColumn = Math.min(Math.floor(Math.max(x0, x1) + reach - 0.5), SIDE - 1);
  const firstRow = Math.max(Math.ceil(Math.min(y0, y1) - reach - 0.5), 0);
  const lastRow = Math.min(Math.floor(Math.max(y0, y1) + reach - 0.5), SIDE - 1);
  for (let row = firstRow; row <= lastRow; row++) {
    const py = row + 0.5 - y0;
    for (let column = firstColumn; column <= lastColumn; column++) {
      const px = column + 0.5 - x0;
      const along = Math.min(Math.max((px * dx + py * dy) * perLength, 0), 1);
      const offX = px - along * dx, offY = py - along * dy;
      const distance = offX * offX + offY * offY;
      const at = row * SIDE + column;
      if (distance < squared[at]) squared[at] = distance;
    }
  }
}

/** Draws one image of a digit into `image`. */
function drawDigit(digit: number, random: Random, image: Uint8Array /* [SIDE, SIDE] */): void {
  const curves = vary(pickStyle(digit, random), random).map(smooth);
  const radius = Math.max(PEN[0] + PEN[1] * random.normal(), PEN[2]);
  fit(curves, radius);
  const reach = radius + 0.5; // the edge fades over one pixel, half of it outside the radius
  const squared = new Float64Array(PIXELS).fill(reach * reach); // [SIDE, SIDE]
  for (const curve of curves) {
    for (let i = 2; i < curve.length; i += 2) {
      drawLine(squared, curve[i - 2], curve[i - 1], curve[i], curve[i + 1], reach);
    }
  }
  for (let i = 0; i < PIXELS; i++) {
    image[i] = Math.round(255 * Math.min(reach - Math.sqrt(squared[i]), 1));
  }
}

/** Draws `count` images, with as many of each digit as of any other, in random order. */
function drawSamples(count: number, random: Random): Samples {
  const labels = Uint8Array.from(random.sample(count, count), (place) => place % CLASSES); // [count]
  const x = new Uint8Array(count * PIXELS); // [count, PIXELS]
  labels.forEach((digit, i) => drawDigit(digit, random, x.subarray(i * PIXELS, (i + 1) * PIXELS)));
  return { count, inputs: PIXELS, x, labels };
}

/**
 * Draws a training and a test set of handwritten-looking digits: 28 x 28 bytes each, bright ink on
 * a background of exact zeros, centred as MNIST's. The same options draw the same bytes. The test
 * set is a stream of its own: it depends on the seed and its own size, not on `train`.
 *
 * @param options.seed 32-bit seed (default 1).
 * @param options.train number of training images (default 10,000).
 * @param options.test number of test images (default 2,000).
 * @throws {RangeError} when the seed is no 32-bit unsigned integer, or a number of images is not a
 * whole number of at least 1.
 */
export function drawDigits(
  options: { seed?: number; train?: number; test?: number } = {},
): DataSet {
  const { seed = 1, train = 10_000, test = 2_000 } = options;
  for (const [name, count] of Object.entries({ train, test })) {
    if (!Number.isInteger(count) || count < 1) {
      throw new RangeError(
        `Cannot draw ${count} ${name} images: their number must be whole and at least 1; ` +
          `give ${name} such a number`,
      );
    }
  }
  const seeds = new Xoshiro(seed);
  const stream = () => new Xoshiro(Math.floor(seeds.uniform() * 2 ** 32));
  return {
    name: "synthetic digits",
    inputs: PIXELS,
    classes: CLASSES,
    image: [1, SIDE, SIDE],
    train: drawSamples(train, stream()),
    test: drawSamples(test, stream()),
  };
}
