/**
 * Lists whose items go the general way, in passes of as many as the rows have room for. How many
 * items a list gets is known only once it is filled, and most often they are few: so there are
 * passes for what was needed so far, and a gradient for which they were too few is made again.
 */

import type { Gpu } from "./device.ts";

/** The most lists whose items are counted each on their own; those behind share the last count. */
const MAX_LISTS = 4096;

/** So many times what was needed are there passes for, as the next batch may need more. */
const MARGIN = 1.5;

/** How many items the lists of a gradient may have. */
export class Lists {
  /** The most items that each list had. */
  readonly counts: GPUBuffer; // [MAX_LISTS]
  readonly #needed = new Uint32Array(MAX_LISTS);
  #isOpen = false;

  constructor(gpu: Gpu) {
    this.counts = gpu.buffer("list counts", 4 * MAX_LISTS);
  }

  /** Whether there was a list that may have more items than there are passes for. */
  get mayFallShort(): boolean {
    return this.#isOpen;
  }

  /**
   * Items of the next list that there are to be passes for.
   * @param made lists so far.
   * @param first as long as nothing is known.
   * @param most that there can be.
   */
  roomOf(made: number, first: number, most: number): { index: number; room: number } {
    const index = Math.min(made, MAX_LISTS - 1);
    const room = Math.min(most, Math.max(first, Math.ceil(MARGIN * this.#needed[index])));
    this.#isOpen ||= room < most;
    return { index, room };
  }

  /** Takes note of what was counted: the next lists have room for it. */
  learn(counts: Uint32Array): void { // [MAX_LISTS]
    counts.forEach((count, i) => this.#needed[i] = Math.max(this.#needed[i], count));
  }
}
