/** What every way to the gradient works on: the forward pass behind it and the buffer to fill. */

import { checkFloat32, stencilOf } from "../core/estimator.ts";
import type { EngineOptions } from "../engine.ts";
import type { Gpu } from "./device.ts";
import type { Forward } from "./forward.ts";

/** A gradient to be made. */
export interface Stage {
  readonly gpu: Gpu;
  readonly options: EngineOptions;
  readonly forward: Forward;
  readonly parameters: GPUBuffer; // [parameters]
  readonly gradient: GPUBuffer; // [slices, parameters]
  /** Partial gradients that the update sums. */
  readonly slices: number;
  /** Keys of the random directions, where the estimator has any. */
  readonly keys: GPUBuffer; // [steps, queries]
}

/**
 * The stencil as kernels take it: (offset h, coefficient / (h batch)) a point, four of them.
 * @throws {RangeError} when float32 has no room for h.
 */
export function uploadStencil(gpu: Gpu, { estimator, batch }: EngineOptions): GPUBuffer {
  checkFloat32(estimator, batch);
  const table = new Float32Array(16);
  stencilOf(estimator).forEach(({ offset, coefficient }, s) => {
    table.set([offset * estimator.h, coefficient / (estimator.h * batch)], 4 * s);
  });
  return gpu.upload("stencil", table, GPUBufferUsage.UNIFORM);
}
