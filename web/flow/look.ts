/** What a network makes of a sample, and the loss along a weight: pure numbers, in float64. */

import { layerName, sizeOfShape, weightedLayers } from "../../src/core/network.ts";
import { forward, gather } from "../../src/cpu/forward.ts";
import { filterSize, isWindowed } from "../../src/cpu/windows.ts";
import { DATA, type Network, type Samples, type Shape } from "../../src/mod.ts";
import type { LayerValues, Look, Moment, Picture, Slice } from "../run/protocol.ts";

/** Rows and columns that values are painted in: channels below one another. */
export function pictureOf(shape: Shape): Picture {
  if (shape.length === 1) return [1, shape[0]];
  const [channels, rows, columns] = shape;
  return [channels * rows, columns];
}

/** The first layer that has weights. */
const firstOf = ({ layers }: Network) => weightedLayers(layers)[0];

/** Where the first layer's weights lie in the parameter vector, by unit or filter, and pixel. */
export function placeOf(network: Network): (unit: number, pixel: number) => number {
  const layer = firstOf(network), { offset, outputs } = layer;
  if (!isWindowed(layer)) return (unit, pixel) => offset + pixel * outputs + unit;
  const size = filterSize(layer);
  return (filter, pixel) => offset + filter * size + pixel;
}

/** The pictures of the first layer's weights: how many there are, and what of. */
function picturesOf(network: Network): Pick<Look, "of" | "count" | "image"> {
  const layer = firstOf(network), { from: [before], outputs } = layer;
  if (isWindowed(layer)) {
    const { input, output, kernel: [rows, columns], groups } = layer.window;
    const image: Picture = [input[0] / groups * rows, columns];
    return { of: "filter", count: output[0], image };
  }
  const taken = before === DATA ? network.inputShape : network.layers[before].shape;
  return { of: "unit", count: outputs, image: pictureOf(taken) };
}

/** The shares of the classes. */
function softmax(logits: Float64Array): number[] {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const powers = Array.from(logits, (value) => Math.exp(value - largest));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / total);
}

/**
 * One sample's way through a network.
 * @param pixels of the sample, bytes or floats.
 * @throws {RangeError} when it is of another size.
 */
export function look(
  network: Network,
  { step, parameters, gradient }: Moment,
  pixels: Samples["x"],
  test?: Look["test"],
): Look {
  const { inputs, layers, classes } = network;
  if (pixels.length !== inputs) {
    throw new RangeError(
      `Cannot show a digit of ${pixels.length} pixels: the network takes ${inputs}`,
    );
  }
  const { of, count, image } = picturesOf(network), size = image[0] * image[1];
  const place = placeOf(network);
  const pictures = (vector: Float64Array) =>
    Float32Array.from(
      { length: count * size },
      (_, i) => vector[place(Math.floor(i / size), i % size)],
    );
  const sample = { count: 1, inputs, x: pixels, labels: new Uint8Array(1) };
  const { values } = forward(network, parameters, gather(sample, Uint32Array.of(0)));
  const shown = layers.slice(0, -1).map(({ shape }, l): LayerValues => ({
    behind: layerName(network, l),
    shape,
    values: Float32Array.from(values[l + 1].subarray(0, sizeOfShape(shape))),
  }));
  const scale = pixels instanceof Uint8Array ? 1 : 255;
  return {
    step,
    of,
    count,
    image,
    weights: pictures(parameters),
    gradient: gradient && pictures(gradient),
    pixels: Uint8Array.from(pixels, (value) => Math.max(0, Math.min(255, scale * value))),
    layers: shown,
    probabilities: softmax(values.at(-1)!.subarray(0, classes)),
    test,
  };
}

const POINTS = 41;
/** Multiply-adds that a curve may take, about a second's. */
const MOST_WORK = 6e8;

/**
 * The loss along one weight, over as many of the samples as do not take long.
 * @param h of the central difference.
 */
export function slice(
  network: Network,
  { step, parameters }: Moment,
  [unit, pixel]: readonly [unit: number, pixel: number],
  samples: Samples,
  h: number,
): Slice {
  const index = placeOf(network)(unit, pixel), weight = parameters[index];
  const each = network.layers.reduce(
    (sum, { inputs, outputs, window }) =>
      sum +
      (window ? outputs * window.kernel[0] * window.kernel[1] * window.input[0] : inputs * outputs),
    0,
  );
  const fitting = Math.floor(MOST_WORK / (POINTS + 3) / each);
  const count = Math.max(1, Math.min(samples.count, fitting));
  const batch = gather(samples, Uint32Array.from({ length: count }, (_, n) => n));
  const lossAt = (change: number) => {
    const nudged = parameters.slice();
    nudged[index] += change;
    const { losses } = forward(network, nudged, batch);
    return losses.subarray(0, count).reduce((sum, loss) => sum + loss, 0) / count;
  };
  const reach = Math.max(1, 2 * h, 2 * Math.abs(weight));
  const half = (POINTS - 1) / 2;
  const changes = Float64Array.from({ length: POINTS }, (_, i) => reach * (i - half) / half);
  return {
    step,
    changes,
    losses: changes.map(lossAt),
    weight,
    loss: lossAt(0),
    slope: (lossAt(h) - lossAt(-h)) / (2 * h),
    h,
    samples: count,
  };
}
