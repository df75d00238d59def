/** What every way to the gradient works on: the forward pass behind it and the buffer to fill. */

import { checkFloat32, estimatorAt, stencilOf } from "../core/estimator.ts";
import type { EngineOptions } from "../engine.ts";
import type { Gpu } from "./device.ts";
import type { Forward } from "./forward.ts";
import type { Lists } from "./lists.ts";

/** What a gradient is made of. */
export interface Parts {
  readonly gpu: Gpu;
  readonly options: EngineOptions;
  readonly forward: Forward;
  readonly parameters: GPUBuffer; // [parameters]
  readonly gradient: GPUBuffer; // [slices, parameters]
  /** Partial gradients that the update sums. */
  readonly slices: number;
  /** Keys of the random directions, where the estimator has any. */
  readonly keys: GPUBuffer; // [steps, queries]
  /** Slopes along them. */
  readonly slopes: GPUBuffer; // [queries]
  /** How long lists may be. */
  readonly lists: Lists;
  /** Where a step is noted whose lists were longer, as shaders/shared/notes.wgsl has it. */
  readonly notes: { readonly buffer: GPUBuffer; readonly at: number };
}

/** A gradient to be made. */
export interface Stage extends Parts {
  /** A stencil of one point: what is evaluated, as it is. */
  readonly whole: GPUBuffer;
  /** A buffer of that name that takes turns, as large as its largest use. */
  shared(name: string, bytes: number): GPUBuffer;
  /** Items of the next list that there are to be passes for; see `Lists.roomOf`. */
  roomOf(first: number, most: number): { readonly index: number; readonly room: number };
}

/** Makes one. */
export function createStage(parts: Parts): Stage {
  const { gpu } = parts, buffers = new Map<string, GPUBuffer>();
  let lists = 0;
  return {
    ...parts,
    whole: wholeStencil(gpu),
    shared(name, bytes) {
      const known = buffers.get(name);
      if (known && known.size >= bytes) return known;
      const buffer = gpu.buffer(name, bytes);
      buffers.set(name, buffer);
      return buffer;
    },
    roomOf: (first, most) => parts.lists.roomOf(lists++, first, most),
  };
}

/** The same where the weights of layer `l` are nudged, as they are there. */
export function stageAt(stage: Stage, l: number): Stage {
  const { options } = stage, estimator = estimatorAt(options.estimator, options.network, l);
  return { ...stage, options: { ...options, estimator } };
}

/** Numbers in a stencil's table: four a point, of twice MOST_POINTS and some behind that stays 0. */
const STENCIL = 4 * 128;

/** How rows and columns of a product are shared out: which product, and what a workgroup takes. */
export function productOf(gpu: Gpu) {
  return gpu.software
    ? { product: "blocks" as const, quads: 5, columns: 16, lanes: 8 }
    : { product: "tiles" as const, quads: 16, columns: 64, lanes: 1 };
}

/**
 * The stencil as kernels take it, a row a point: (offset h, coefficient / (h batch), reach, and the sum
 * of this and all farther points' coefficients on its side). Points are evenly spaced, those ahead
 * before those behind, so that kernels find them by division, too; rows behind the last are 0.
 * @param reach the most by which a nudge moves what it moves first: in the first row.
 * @throws {RangeError} when float32 has no room for h.
 */
export function uploadStencil(
  gpu: Gpu,
  { estimator, batch }: EngineOptions,
  reach = Infinity,
): GPUBuffer {
  checkFloat32(estimator, batch);
  const table = new Float32Array(STENCIL), stencil = stencilOf(estimator);
  const [{ offset: spacing }] = stencil, step = Math.fround(spacing * estimator.h);
  stencil.forEach(({ offset, coefficient }, s) => {
    const farther = stencil.filter((point) => point.offset / offset >= 1);
    const beyond = farther.reduce((sum, point) => sum + point.coefficient, 0);
    const scale = 1 / (estimator.h * batch);
    const place = Math.round(offset / spacing) * step;
    table.set([place, coefficient * scale, 0, beyond * scale], 4 * s);
  });
  table[2] = Math.min(reach, 3e38);
  return gpu.upload("stencil", table, GPUBufferUsage.UNIFORM | GPUBufferUsage.STORAGE);
}

/** A stencil of one point, 1 away, with the coefficient 1. */
function wholeStencil(gpu: Gpu): GPUBuffer {
  const table = new Float32Array(STENCIL);
  table.set([1, 1]);
  return gpu.upload("whole", table, GPUBufferUsage.UNIFORM);
}
