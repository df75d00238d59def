/**
 * Slots of a layer's inputs: which nudges of its weights are one evaluation, as their inputs are
 * equal. What they are is in shaders/shared/slots_layout.wgsl.
 */

import { DATA } from "../core/network.ts";
import type { Command } from "./device.ts";
import { type Forward, RUN } from "./forward.ts";
import { command } from "./kernel.ts";
import type { Stage } from "./stage.ts";

/** The slots of one layer's values, or of the data. */
export interface Slots {
  /** Slots that a sample has room for, all runs together, those of the input 0 included. */
  readonly perSample: number;
  /** Slots that a run has room for. */
  readonly perRun: number;
  readonly runs: number;
  readonly places: GPUBuffer; // [batch, runs, 2 pairs of a run]
  readonly slots: GPUBuffer; // [batch, runs, perRun]
  readonly counts: GPUBuffer; // [batch, runs]
  /** Finds them, behind the forward pass. */
  readonly command: Command;
}

/** Values of a byte that are not 0. */
const BYTES = 255;

/** Slots of the values of layer `l`, or of the data. */
export function slotsOf(
  { gpu, options: { batch, sharing = true } }: Stage,
  forward: Forward,
  l: number,
): Slots {
  const { width, lists } = forward.values(l);
  const { runs, entries, starts } = lists!;
  const { block } = gpu;
  const coded = sharing && l === DATA && forward.bytes;
  const listed = Math.min(RUN + RUN / block, width + 1 + Math.ceil((width + 1) / block));
  const perRun = 1 + (coded ? Math.min(BYTES, listed) : listed);
  const places = gpu.buffer("places", 4 * batch * runs * (RUN + RUN / block));
  const slots = gpu.buffer("slots", 4 * batch * runs * perRun);
  const counts = gpu.buffer("slot counts", 4 * batch * runs);
  return {
    perSample: runs * perRun,
    perRun,
    runs,
    places,
    slots,
    counts,
    command: command(
      gpu,
      "slots",
      [runs, batch],
      { entries, starts, places, slots, slot_counts: counts },
      { WIDTH: width + 1, CODED: coded, SLOTS: perRun },
      { block },
    ),
  };
}
