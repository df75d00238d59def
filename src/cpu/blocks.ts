/** Which weights a gradient is asked for, as blocks of inputs by units that are evaluated together. */

import { type Layer, weightedLayers } from "../core/network.ts";

/** Weights from some inputs into some units of one layer. */
export interface Block {
  readonly layer: number;
  readonly inputs: Uint32Array;
  readonly units: Uint32Array;
  /** Where the weights from each input stand in what is asked for; absent where all are. */
  readonly places?: Uint32Array; // [inputs], of one unit
}

const upTo = (count: number) => Uint32Array.from({ length: count }, (_, i) => i);

/** All weights: a block a layer. */
function allBlocks(layers: readonly Layer[]): Block[] {
  return weightedLayers(layers).map((layer) => ({
    layer: layers.indexOf(layer),
    inputs: upTo(layer.inputs + 1),
    units: upTo(layer.outputs),
  }));
}

/**
 * The blocks of a gradient.
 * @param elements indices in the parameter vector, in any order; default all of it. Then a block is
 *   of one unit.
 */
export function blocksOf(layers: readonly Layer[], elements?: Uint32Array): Block[] {
  if (!elements) return allBlocks(layers);
  return weightedLayers(layers).flatMap((layer) => {
    const { inputs, outputs, offset } = layer;
    const ofUnit = new Map<number, [input: number, place: number][]>();
    elements.forEach((element, place) => {
      const at = element - offset;
      if (at < 0 || at >= (inputs + 1) * outputs) return;
      const unit = at % outputs;
      if (!ofUnit.has(unit)) ofUnit.set(unit, []);
      ofUnit.get(unit)!.push([Math.floor(at / outputs), place]);
    });
    return [...ofUnit].map(([unit, weights]) => ({
      layer: layers.indexOf(layer),
      inputs: Uint32Array.from(weights, ([input]) => input),
      units: Uint32Array.of(unit),
      places: Uint32Array.from(weights, ([, place]) => place),
    }));
  });
}
