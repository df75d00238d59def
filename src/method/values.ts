/**
 * Gradients of what is inside a network, of someone's backward pass: by what each layer's activation
 * takes and gives. Held against central differences they tell at which operation it goes wrong.
 */

import { layerName, type Network, type Shape } from "../core/network.ts";
import type { Random } from "../core/random.ts";
import { type Freedom, leavesOpen } from "../cpu/freedom.ts";
import { type Side, slopesInside } from "../cpu/kinks.ts";
import type { Unperturbed } from "../cpu/responses.ts";
import { structures } from "../operations/registry.ts";
import { dropout, flatten, reshape } from "../operations/rename.ts";
import { type Checked, openTo, verdictOn } from "./verdict.ts";

/** Which of a network's values something is. */
export interface Place {
  readonly layer: number;
  readonly side: Side;
}

/** A value's gradient, and what is to be said of it. */
export interface CheckedValue extends Checked, Place {}

/** Numbers of one value that are compared, at most. */
const MOST_COMPARED = 2000;

/**
 * What values can be called: z1, a1, z2, ... of the layers with weights, what their activation takes
 * and gives; `dense 1`, `conv 2`, `maxpool 1`, `sum 1`, what the layer gives; `logits`.
 */
export function placesByName(network: Network): Map<string, Place> {
  const { layers } = network, places = new Map<string, Place>();
  let weighted = 0;
  layers.forEach((layer, l) => {
    places.set(layerName(network, l).split(":")[0], { layer: l, side: "values" });
    if (layer.tensors.length === 0) return;
    places.set(`z${++weighted}`, { layer: l, side: "inputs" });
    places.set(`a${weighted}`, { layer: l, side: "values" });
  });
  return places.set("logits", { layer: layers.length - 1, side: "values" });
}

/** Operations that compute nothing. */
const renames = new Set([flatten, reshape, dropout].map(({ name }) => name));

/** What each of a network's nodes gives, and last the layer into the classes. */
export function placesOfNodes({ nodes, layers }: Network): Place[] {
  const places: Place[] = [], activated = new Set<number>();
  let built = 0; // layers so far
  for (const [i, { operation, from = [i - 1] }] of nodes.entries()) {
    const before = places[from[0]];
    if (operation in structures) {
      places.push(renames.has(operation) ? before : { layer: built++, side: "inputs" });
      continue;
    }
    // An activation belongs to the layer that it is behind, or is one of its own.
    const own = before?.layer;
    const isBehind = own !== undefined && before.side === "inputs" && !activated.has(own) &&
      layers[own].activation === operation;
    places.push({ layer: isBehind ? own : built++, side: "values" });
    activated.add(places[i].layer);
  }
  return [...places, { layer: built, side: "values" }];
}

/** The shape of a value of so many samples. */
export const shapeOfValue = ({ layers }: Network, { layer }: Place, batch: number) =>
  [batch, ...layers[layer].shape] as [number, ...Shape];

/** Which of two values is nearer to the data; those of one layer in the order in which they are made. */
export const inOrder = (a: Place, b: Place) =>
  a.layer - b.layer || Number(a.side === "values") - Number(b.side === "values");

/**
 * Holds gradients of values against central differences; of large ones a part, drawn by seed.
 * @param theirs by name, [batch, outputs] each, and where they belong.
 * @returns from the data to the loss.
 */
export function checkValues(
  at: Unperturbed,
  h: number,
  freedom: Freedom,
  theirs: ReadonlyMap<string, { readonly place: Place; readonly data: Float64Array }>,
  tolerance: number,
  random: Random,
): CheckedValue[] {
  const { network, trace: { batch } } = at, isBent = leavesOpen(freedom);
  const sorted = [...theirs].toSorted(([, a], [, b]) => inOrder(a.place, b.place));
  return sorted.map(([name, { place, data }]) => {
    const { layer, side } = place;
    const places = data.length <= MOST_COMPARED
      ? Uint32Array.from({ length: data.length }, (_, i) => i)
      : random.sample(data.length, MOST_COMPARED);
    const reference = slopesInside(at, layer, side, h, places);
    openTo(reference, freedom.derivatives[side][layer], freedom[side][layer], (e) => places[e]);
    const shape = shapeOfValue(network, place, batch.size);
    const said = Float64Array.from(places, (place) => data[place]);
    const called = { name, shape, turned: false };
    return {
      ...verdictOn(called, data.length, said, reference, tolerance, isBent, places),
      layer,
      side,
    };
  });
}
