import { deepEqual, equal, notDeepEqual, ok, throws } from "node:assert/strict";
import { loadDataSet } from "../src/cli/datasets.ts";
import { drawDigits } from "../src/data/digits.ts";
import type { Samples } from "../src/data/samples.ts";
import { hasMnist, MNIST } from "./support.ts";

const SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10;
const drawn = drawDigits();

/** Mean of all bytes, as a share of full brightness. */
function brightness({ x }: Samples): number {
  let sum = 0;
  for (const value of x) sum += value;
  return sum / x.length / 255;
}

/** Share of the pixels that are exactly 0. */
function zeros({ x }: Samples): number {
  let count = 0;
  for (const value of x) if (value === 0) count++;
  return count / x.length;
}

/** Number of images of each class. */
function tally({ labels }: Samples): number[] {
  const counts = new Array<number>(CLASSES).fill(0);
  labels.forEach((label) => counts[label]++);
  return counts;
}

/** The mean image of each class. */
function classMeans({ x, labels, count }: Samples): Float64Array[] /* [CLASSES][PIXELS] */ {
  const means = Array.from({ length: CLASSES }, () => new Float64Array(PIXELS));
  const counts = tally({ x, labels, count, inputs: PIXELS });
  labels.forEach((label, n) => {
    for (let i = 0; i < PIXELS; i++) means[label][i] += x[n * PIXELS + i] / counts[label];
  });
  return means;
}

/** Share of the images whose nearest class mean is that of their own class. */
function nearestMeanAccuracy(means: Float64Array[], { x, labels, count }: Samples): number {
  let right = 0;
  for (let n = 0; n < count; n++) {
    const distances = means.map((mean) => {
      let sum = 0;
      for (let i = 0; i < PIXELS; i++) sum += (x[n * PIXELS + i] - mean[i]) ** 2;
      return sum;
    });
    if (distances.indexOf(Math.min(...distances)) === labels[n]) right++;
  }
  return right / count;
}

Deno.test("digits: the data set has the shape it says, 10,000 and 2,000 images by default", () => {
  equal(drawn.name, "synthetic digits");
  equal(drawn.inputs, PIXELS);
  equal(drawn.classes, CLASSES);
  deepEqual(drawn.image, [1, SIDE, SIDE]);
  equal(drawn.train.count, 10_000);
  equal(drawn.test.count, 2_000);
  for (const set of [drawn.train, drawn.test]) {
    ok(set.x instanceof Uint8Array);
    equal(set.inputs, PIXELS);
    equal(set.x.length, set.count * PIXELS);
    equal(set.labels.length, set.count);
  }
});

Deno.test("digits: a seed draws the same bytes again, another seed others", () => {
  const size = { train: 60, test: 40 };
  const first = drawDigits({ seed: 5, ...size });
  deepEqual(drawDigits({ seed: 5, ...size }), first);
  deepEqual(drawDigits(size), drawDigits({ seed: 1, ...size }), "the default seed is 1");
  const other = drawDigits({ seed: 6, ...size });
  notDeepEqual(other.train.x, first.train.x);
  notDeepEqual(other.train.labels, first.train.labels);
  notDeepEqual(other.test.x, first.test.x);
});

Deno.test("digits: the test set is its own stream, whatever the number of training images", () => {
  const few = drawDigits({ train: 20, test: 50 }), many = drawDigits({ train: 50, test: 50 });
  deepEqual(few.test, many.test);
  equal(few.train.count, 20);
  notDeepEqual(many.train.x, many.test.x);
});

Deno.test("digits: no image is drawn twice", () => {
  const seen = new Set<string>();
  for (const { x, count } of [drawn.train, drawn.test]) {
    for (let n = 0; n < count; n++) seen.add(x.subarray(n * PIXELS, (n + 1) * PIXELS).join());
  }
  equal(seen.size, drawn.train.count + drawn.test.count);
});

Deno.test("digits: labels are balanced and in random order", () => {
  deepEqual(tally(drawn.train), new Array(CLASSES).fill(1_000));
  deepEqual(tally(drawn.test), new Array(CLASSES).fill(200));
  const uneven = tally(drawDigits({ train: 43, test: 7 }).train);
  ok(Math.max(...uneven) - Math.min(...uneven) <= 1, `${uneven}`);
  // In random order each step between neighbours (0 to 9, modulo 10) is as frequent as any other.
  const { labels, count } = drawn.train;
  const steps = new Array<number>(CLASSES).fill(0);
  for (let n = 1; n < count; n++) steps[(labels[n] - labels[n - 1] + CLASSES) % CLASSES]++;
  for (const times of steps) ok(Math.abs(times / count - 0.1) < 0.02, `${steps}`);
});

Deno.test("digits: bright ink with soft edges on a background of zeros, as MNIST's", () => {
  for (const set of [drawn.train, drawn.test]) {
    const empty = zeros(set), mean = brightness(set);
    ok(empty > 0.78 && empty < 0.84, `share of zeros ${empty}`);
    ok(mean > 0.11 && mean < 0.15, `mean brightness ${mean}`);
    let full = 0, soft = 0;
    for (const v of set.x) v === 255 ? full++ : v > 0 && soft++;
    ok(full > 0.04 * set.x.length, `${full} full pixels`);
    ok(soft > 0.05 * set.x.length, `${soft} soft pixels`);
  }
});

Deno.test("digits: the ink fills a box of 20 pixels, its mass in the middle", () => {
  const { x, count } = drawn.train;
  let filling = 0, centred = 0;
  for (let n = 0; n < count; n++) {
    let mass = 0, massX = 0, massY = 0;
    let left = SIDE, right = -1, top = SIDE, bottom = -1;
    for (let i = 0; i < PIXELS; i++) {
      const v = x[n * PIXELS + i], column = i % SIDE, row = Math.floor(i / SIDE);
      if (v === 0) continue;
      mass += v;
      massX += v * column;
      massY += v * row;
      left = Math.min(left, column);
      right = Math.max(right, column);
      top = Math.min(top, row);
      bottom = Math.max(bottom, row);
    }
    ok(mass > 0, `image ${n} is empty`);
    const side = Math.max(right - left, bottom - top) + 1;
    ok(side <= 20, `image ${n} is ${side} pixels wide or high`);
    if (side === 20) filling++;
    if (Math.abs(massX / mass - 14) <= 1 && Math.abs(massY / mass - 14) <= 1) centred++;
  }
  ok(filling >= 0.99 * count, `${filling} of ${count} fill the box`);
  ok(centred >= 0.95 * count, `${centred} of ${count} are centred`);
});

Deno.test("digits: the classes can be told apart by their mean images", () => {
  const accuracy = nearestMeanAccuracy(classMeans(drawn.train), drawn.test);
  ok(accuracy >= 0.75, `accuracy ${accuracy}`);
});

Deno.test("digits: they are as bright as MNIST, and their mean images read it", async () => {
  if (!hasMnist()) return;
  const { test: real } = await loadDataSet(MNIST, { seed: 1, tell: () => {} });
  const ratio = brightness(drawn.train) / brightness(real);
  ok(Math.abs(ratio - 1) < 0.1, `brightness is ${ratio} of MNIST's`);
  const difference = zeros(drawn.train) - zeros(real);
  ok(Math.abs(difference) < 0.03, `share of zeros differs by ${difference}`);
  const accuracy = nearestMeanAccuracy(classMeans(drawn.train), real);
  ok(accuracy >= 0.65, `accuracy ${accuracy}`);
});

Deno.test("digits: what cannot be drawn is refused in one line", () => {
  const refused = (message: RegExp) => ({ name: "RangeError", message });
  throws(() => drawDigits({ train: 0 }), refused(/^Cannot draw 0 train images: [^\n]+; [^\n]+$/));
  throws(() => drawDigits({ train: -3 }), refused(/^Cannot draw -3 train images: /));
  throws(() => drawDigits({ test: 2.5 }), refused(/^Cannot draw 2.5 test images: /));
  throws(() => drawDigits({ test: NaN }), refused(/^Cannot draw NaN test images: /));
  throws(() => drawDigits({ seed: -1 }), refused(/^Cannot seed with -1: /));
});
