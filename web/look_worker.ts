/** What a network sees, in the worker: its first weights as pictures, and its feature maps. */

import { layerName, sizeOfShape, weightedLayers } from "../src/core/network.ts";
import { forward, gather } from "../src/cpu/forward.ts";
import { filterSize, isWindowed } from "../src/cpu/windows.ts";
import { DATA, type DataSet, type Network, type Shape } from "../src/mod.ts";
import type { FeatureMaps, Look, Picture } from "./protocol.ts";

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
  return { of: "hidden unit", count: outputs, image: pictureOf(taken) };
}

/** What layers make of one sample, from the first convolution to the first pool behind it. */
function mapsOf(
  network: Network,
  parameters: Float64Array,
  pixels: DataSet["train"]["x"],
): FeatureMaps[] {
  const { layers, inputs } = network, first = layers.indexOf(firstOf(network));
  if (layers[first].kind !== "conv") return [];
  const sample = { count: 1, inputs, x: pixels, labels: new Uint8Array(1) };
  const { values } = forward(network, parameters, gather(sample, Uint32Array.of(0)));
  const pool = layers.findIndex(({ kind }, l) => l > first && /pool$/.test(kind));
  return layers.flatMap(({ shape }, l) =>
    l < first || (pool > 0 && l > pool) || shape.length === 1 ? [] : [{
      behind: layerName(network, l),
      shape,
      values: Float32Array.from(values[l + 1].subarray(0, sizeOfShape(shape))),
    }]
  );
}

/**
 * Looks at a network.
 * @param parameters, gradient [parameters], of one moment.
 * @param digit pixels that were drawn, or the number of a test sample, from 1.
 * @throws {RangeError} when there is no such sample, or it is of another size.
 */
export function look(
  network: Network,
  parameters: Float64Array,
  gradient: Float64Array,
  digit: Uint8Array | number,
  { test }: DataSet,
): Look {
  const { of, count, image } = picturesOf(network), size = image[0] * image[1];
  const place = placeOf(network);
  const pictures = (vector: Float64Array) =>
    Float32Array.from(
      { length: count * size },
      (_, i) => vector[place(Math.floor(i / size), i % size)],
    );
  const isNumber = typeof digit === "number", at = isNumber ? digit - 1 : 0;
  const pixels = isNumber ? test.x.subarray(at * network.inputs, (at + 1) * network.inputs) : digit;
  if (pixels.length !== network.inputs) {
    throw new RangeError(
      isNumber
        ? `Cannot show test digit ${digit}: there are ${test.count}, counted from 1`
        : `Cannot show a digit of ${pixels.length} pixels: the network takes ${network.inputs}`,
    );
  }
  return {
    of,
    count,
    image,
    weights: pictures(parameters),
    gradient: pictures(gradient),
    maps: mapsOf(network, parameters, pixels),
    seen: isNumber ? `test digit ${digit}, a ${test.labels[at]}` : "the digit drawn below",
  };
}
