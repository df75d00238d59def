/**
 * The textbook's method, literally: every nudged copy of the network runs the whole forward pass,
 * and the losses are combined. In float64 it is the reference that all else is measured against.
 */

import type { Stencil } from "../core/estimator.ts";
import { layerOf, type Network } from "../core/network.ts";
import { type Batch, forward, mean } from "./forward.ts";
import type { Share } from "./share.ts";

/**
 * The gradient of the mean loss by a stencil of whole forward passes, for this share's parameters; 0
 * for the others.
 * @param stencils of the layers, by index.
 * @param elements that are asked for, by their index; default all.
 */
export function copies(
  network: Network,
  parameters: Float64Array, // [parameters]
  batch: Batch,
  stencils: readonly Stencil[],
  { index: first, of }: Share,
  elements?: Uint32Array,
): Float64Array { // [parameters] or [elements]
  const copy = parameters.slice();
  const lossAt = () => mean(forward(network, copy, batch).losses);
  // Coefficients that do not sum to 0 (the forward difference) need the unperturbed loss too.
  const bases = stencils.map(({ points }) => {
    const centre = points.reduce((sum, point) => sum - point.coefficient, 0);
    return centre === 0 ? 0 : centre * lossAt();
  });
  const gradient = new Float64Array(elements?.length ?? network.parameters);
  for (let place = first; place < gradient.length; place += of) {
    const index = elements?.[place] ?? place;
    const l = layerOf(network, index), { points, h } = stencils[l];
    let sum = bases[l];
    for (const { offset, coefficient } of points) {
      copy[index] = parameters[index] + offset * h;
      sum += coefficient * lossAt();
    }
    copy[index] = parameters[index];
    gradient[place] = sum / h;
  }
  return gradient;
}
