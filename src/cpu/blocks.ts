/**
 * Which weights a gradient is asked for, as blocks of inputs by units that are evaluated together.
 *
 * A unit of a convolution is an output channel, and its inputs are the weights of its filter. The
 * last input of either is the constant 1, whose weight is the bias.
 */

import { type Layer, weightedLayers } from "../core/network.ts";
import { filterSize, isWindowed } from "./windows.ts";

/** Weights from some inputs into some units of one layer. */
export interface Block {
  readonly layer: number;
  readonly inputs: Uint32Array;
  readonly units: Uint32Array;
  /** Where each unit's weights stand in what is asked for; absent where all are. */
  readonly places?: ReadonlyMap<number, Uint32Array>; // [inputs] each
}

/** How a layer's weights lie in the parameter vector. */
interface Weights {
  /** Without the constant 1. */
  readonly inputs: number;
  readonly units: number;
  /** Where the weight from input i into unit j is. */
  indexOf(i: number, j: number): number;
  /** The input and the unit of the weight that many behind the layer's first. */
  at(place: number): readonly [input: number, unit: number];
}

/** A dense layer has a row an input, a convolution a row a unit and the biases behind. */
export function weightsOf(layer: Layer): Weights {
  const { inputs, outputs, offset } = layer;
  if (!isWindowed(layer)) {
    return {
      inputs,
      units: outputs,
      indexOf: (i, j) => offset + i * outputs + j,
      at: (place) => [Math.floor(place / outputs), place % outputs],
    };
  }
  const size = filterSize(layer), [units] = layer.window.output;
  return {
    inputs: size,
    units,
    indexOf: (i, j) => offset + (i < size ? j * size + i : units * size + j),
    at: (place) =>
      place < units * size
        ? [place % size, Math.floor(place / size)]
        : [size, place - units * size],
  };
}

const upTo = (count: number) => Uint32Array.from({ length: count }, (_, i) => i);

/** All weights: a block a layer. */
function allBlocks(layers: readonly Layer[]): Block[] {
  return weightedLayers(layers).map((layer) => {
    const { inputs, units } = weightsOf(layer);
    return { layer: layers.indexOf(layer), inputs: upTo(inputs + 1), units: upTo(units) };
  });
}

/**
 * The blocks of a gradient.
 * @param elements indices in the parameter vector, in any order; default all of it. Units of which the
 *   same inputs are asked for share a block.
 */
export function blocksOf(layers: readonly Layer[], elements?: Uint32Array): Block[] {
  if (!elements) return allBlocks(layers);
  return weightedLayers(layers).flatMap((layer) => {
    const { inputs, units, at } = weightsOf(layer);
    const ofUnit = new Map<number, [input: number, place: number][]>();
    elements.forEach((element, place) => {
      const index = element - layer.offset;
      if (index < 0 || index >= (inputs + 1) * units) return;
      const [input, unit] = at(index);
      if (!ofUnit.has(unit)) ofUnit.set(unit, []);
      ofUnit.get(unit)!.push([input, place]);
    });
    const alike = new Map<string, { inputs: Uint32Array; places: Map<number, Uint32Array> }>();
    for (const [unit, weights] of ofUnit) {
      const inputs = Uint32Array.from(weights, ([input]) => input), key = inputs.join();
      const block = alike.get(key) ?? { inputs, places: new Map() };
      alike.set(key, block);
      block.places.set(unit, Uint32Array.from(weights, ([, place]) => place));
    }
    return Array.from(alike.values(), ({ inputs, places }) => ({
      layer: layers.indexOf(layer),
      inputs,
      units: Uint32Array.from(places.keys()),
      places,
    }));
  });
}
