/** Windows of convolutions and pools as kernels take them: see shaders/shared/window.wgsl. */

import type { Layer, Window } from "../core/network.ts";
import type { Gpu } from "./device.ts";
import type { Fillings } from "./shaders.ts";

/** Part of a long sum: the first of its lines, and the one behind the last. */
export type Lines = readonly [first: number, behind: number];

/** The window of a layer that has one. */
export function windowOf({ window }: Layer): Window {
  if (!window) throw new TypeError("Cannot take a window: the layer has none");
  return window;
}

/** Channels that each group takes and gives. */
export function channelsOf({ input, output, groups }: Window): [taken: number, given: number] {
  return [input[0] / groups, output[0] / groups];
}

/** Multiply-adds of a sample: terms of all outputs' sums, padding included. */
export function workOf({ output, kernel, ...window }: Window): number {
  const [taken] = channelsOf({ output, kernel, ...window });
  return output[0] * output[1] * output[2] * taken * kernel[0] * kernel[1];
}

/** What sums a convolution or an average pool are made of. */
export function filterOf({ kind }: Layer): Fillings {
  return { filter: kind === "conv" ? "weights" : "mean" };
}

/** Uploads the window of a layer, with a part of its sums. */
export function uploadWindow(gpu: Gpu, layer: Layer, [first, behind]: Lines = [0, 0]): GPUBuffer {
  const window = windowOf(layer), { input, output, kernel, dilation, pad, groups } = window;
  // Where there is one place alone, how far the next would be says nothing, and may be too far.
  const stride = window.stride.map((step, d) => output[d + 1] === 1 ? 1 : step);
  const words = Uint32Array.of(
    ...[...input.slice(1), ...output.slice(1), ...kernel, ...stride, ...dilation, ...pad],
    ...[groups, ...channelsOf(window), layer.offset, first, behind],
  );
  return gpu.upload("window", words, GPUBufferUsage.UNIFORM);
}

/**
 * Cuts sums of so many lines, each of `length` terms, into parts that the device's loops run to
 * their end.
 */
export function partsOf({ loopTurns }: Gpu, lines: number, length: number): Lines[] {
  // A turn begins and ends each loop; what is left over is for what comes behind the sums.
  const most = Math.max(1, Math.floor(Math.min(lines, 0.9 * loopTurns / (length + 2))));
  return Array.from(
    { length: Math.ceil(lines / most) },
    (_, i) => [i * most, Math.min((i + 1) * most, lines)],
  );
}

/**
 * Refuses pools whose windows a thread cannot look through on the device.
 * @throws {RangeError} with the most cells that it can.
 */
export function checkPool(gpu: Gpu, { kernel: [down, across] }: Window): void {
  if (down * (across + 2) <= 0.9 * gpu.loopTurns) return;
  throw new RangeError(
    `Cannot find the largest of ${down}x${across} cells on ${gpu.adapter}: it breaks loops off ` +
      `behind some ${Math.floor(0.9 * gpu.loopTurns)}; use smaller pools, or --backend cpu`,
  );
}

/** Threads of a workgroup of kernels that give each a part of a sample. */
export const lanesOf = ({ software }: Gpu) => software ? 8 : 64;

/** Positions of a map, and channels, that a thread takes: see shaders/shared/window_block.wgsl. */
const POSITIONS = 16, CHANNELS = 8;

/** Workgroups for all blocks of maps of so many channels a group. */
export function blocksOf(gpu: Gpu, groups: number, channels: number, cells: number): number {
  const blocks = groups * Math.ceil(channels / CHANNELS) * Math.ceil(cells / POSITIONS);
  return Math.ceil(blocks / lanesOf(gpu));
}

/** Turns of loops over all that a unit of a convolution sees, each loop's last turn ending it. */
export const seenBy = ({ input: [maps], groups, kernel: [down, across] }: Window) =>
  maps / groups * down * (across + 2);
