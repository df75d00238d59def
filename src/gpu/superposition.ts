/**
 * Where one layer of units stands between a convolution's maps and the logits: what each unit of the
 * maps, pooled or not, does to the logits of each sample is evaluated once, and added up for every
 * filter's weight that moves it, as far as no kink is met. How far that is is bounded, for all weights
 * of a filter in one.
 */

import { layerBetween, poolBehind } from "../core/plan.ts";
import { type Layer, layerName, type Network } from "../core/network.ts";
import { activationOf } from "../operations/registry.ts";
import type { Command, Gpu } from "./device.ts";
import { command, type Constants, labelled } from "./kernel.ts";
import { ACTIVATION_WORK, PART, type Rows, walkersOf } from "./rows.ts";
import { once, type Scope, scoped } from "./scope.ts";
import { productOf, type Stage } from "./stage.ts";
import { lanesOf, seenBy, uploadWindow } from "./window.ts";

/**
 * Who wins each window of a max pool behind convolution `l`, or of a pool of single cells where there
 * is none, and how far that holds: see margins.wgsl.
 */
export class Winners {
  /** Pooled units of a channel. */
  readonly area: number;
  /** The pool; the convolution where there is none. */
  readonly layer: number;
  readonly buffers: Record<string, GPUBuffer>;
  /** Behind the forward pass, before any rows. */
  readonly commands: Command[];

  constructor({ gpu, forward, options: { network, batch } }: Stage, l: number, m?: number) {
    const { layers } = network, { activation, from: [from], window } = layers[l];
    const { kernel, stride, output } = m === undefined
      ? { kernel: [1, 1], stride: [1, 1], output: window!.output }
      : layers[m].window!;
    const words = Uint32Array.of(...kernel, ...stride, ...output.slice(1));
    const [channels, ...sides] = output, { groups } = window!;
    const [, rows, columns] = window!.output, places = rows * columns;
    this.layer = m ?? l;
    this.area = sides[0] * sides[1];
    this.buffers = {
      a: forward.values(from).buffer,
      window: uploadWindow(gpu, layers[l]),
      pooled: gpu.upload("pooled", words, GPUBufferUsage.UNIFORM),
      sights: gpu.buffer(`sight of ${layerName(network, l)}`, 4 * batch * groups * places),
      margins: gpu.buffer(
        `margins of ${layerName(network, this.layer)}`,
        16 * batch * channels * this.area,
      ),
    };
    const lanes = lanesOf(gpu), cells = kernel[0] * kernel[1];
    const scope: Scope = { layer: l, of: "units", first: 0, end: channels };
    this.commands = [
      ...once(scoped(scope, [command(
        gpu,
        "sight",
        [Math.ceil(places / lanes), groups, batch],
        this.buffers,
        { WORKGROUP: lanes },
        {},
        batch * groups * places * seenBy(window!),
      )])),
      ...scoped({ ...scope, along: { side: 1, each: 1 } }, [command(
        gpu,
        "margins",
        [Math.ceil(this.area / 4 / lanes), channels, batch],
        {
          ...this.buffers,
          values: forward.values(l).buffer,
          companions: forward.companions[l],
        },
        { WORKGROUP: lanes, HALF_BY_STEEPEST: 0.499999 / activationOf(activation).steepest },
        { activation },
        batch * channels * this.area * cells * ACTIVATION_WORK,
      )]),
    ];
  }
}

/** Turns of loops that a thread takes which finds the winners behind convolution `l`, and its like. */
export function turnsOfWinners(layers: readonly Layer[], l: number): number {
  const m = poolBehind(layers, l), seen = seenBy(layers[l].window!);
  const [down, across] = m === undefined ? [1, 1] : layers[m].window!.kernel;
  // Three loops over the window, in the last of which four units may be compared by what they see.
  return 3 * down * (across + 2) + down * across * (5 + 4 * seen);
}

/** Whether the device adds up what the units of convolution `l`'s maps do to the logits. */
export function isSuperposed(gpu: Gpu, { layers, classes }: Network, l: number, batch: number) {
  const between = layerBetween(layers, l);
  if (between === undefined) return false;
  const { inputs, outputs } = layers[between], { window } = layers[l];
  const { output: [channels] } = window!;
  const area = inputs / channels, most = 0.9 * gpu.loopTurns;
  const turns = Math.max(
    turnsOfWinners(layers, l),
    2 * area + 2,
    area + outputs + 3,
  );
  const bytes = 16 * quadsOf(gpu, batch, classes) * (inputs + 1);
  return turns <= most && outputs <= PART && bytes <= gpu.largestBuffer;
}

/** Places for the logits of all samples, four side by side: whole bands of a product's. */
const quadsOf = (gpu: Gpu, batch: number, classes: number) => {
  const { quads, lanes } = productOf(gpu), band = quads * lanes;
  return band * Math.ceil(batch * Math.ceil(classes / 4) / band);
};

/** What the units of convolution `l`'s maps do to the logits. */
export class Superposition {
  /** Behind the forward pass, before any rows. */
  readonly commands: Command[];
  readonly #gpu: Gpu;
  readonly #buffers: Record<string, GPUBuffer>;
  readonly #sizes: Constants;
  readonly #area: number;
  readonly #fours: number; // of logits

  constructor(stage: Stage, l: number) {
    const { gpu, forward, parameters, options: { network, batch } } = stage;
    const { layers, classes } = network, between = layerBetween(layers, l)!;
    const winners = new Winners(stage, l, poolBehind(layers, l));
    const { inputs, outputs, offset, activation } = layers[between];
    const [channels] = layers[l].window!.output, { area } = winners;
    const quads = quadsOf(gpu, batch, classes), fours = Math.ceil(classes / 4);
    const { product, quads: quadsOfThread, columns, lanes } = productOf(gpu);
    const sizes = { BETWEEN: outputs, CLASSES: classes, PLACES: quads };
    const own = {
      parameters,
      outlets: stage.shared("outlets", 16 * outputs * quads),
      strengths: stage.shared("strengths", 4 * channels * outputs),
      nearest: stage.shared("nearest", 16 * batch * channels),
      directions: stage.shared("directions of units", 16 * quads * (inputs + 1)),
      companions: forward.companions[between],
    };
    this.#gpu = gpu;
    this.#buffers = { ...winners.buffers, ...own };
    this.#sizes = sizes;
    this.#area = area;
    this.#fours = fours;
    const constants = { ...sizes, BATCH: batch, AREA: area, CHANNELS: channels, WORKGROUP: 64 };
    const groupsOf = (things: number, turns: number) => walkersOf(gpu, things, turns) / 64;
    const scope: Scope = { layer: l, of: "units", first: 0, end: channels };
    this.commands = [
      ...winners.commands,
      ...labelled(layerName(network, between), [
        ...once(scoped(scope, [command(
          gpu,
          "outlets",
          [groupsOf(outputs * batch * fours, 1)],
          own,
          { ...constants, OFFSET: layers[layers.length - 1].offset },
          { activation },
          outputs * batch * fours * ACTIVATION_WORK,
        )])),
        ...scoped({ ...scope, along: { side: 0, each: columns / area } }, [command(
          gpu,
          "unit_directions",
          [Math.ceil(inputs / columns), quads / (quadsOfThread * lanes)],
          { ...own, a: own.outlets },
          { ...sizes, INPUTS: inputs, OFFSET: offset },
          { product },
          4 * quads * outputs * inputs,
        )]),
        ...once(scoped(scope, [command(
          gpu,
          "strengths",
          [groupsOf(channels * outputs, 2 * area + 2)],
          own,
          { ...constants, OFFSET: offset },
          {},
          2 * channels * outputs * area,
        )])),
      ]),
      ...scoped(scope, [command(
        gpu,
        "nearest",
        [groupsOf(batch * channels, area + outputs + 3)],
        this.#buffers,
        constants,
        { activation },
        batch * channels * (area + outputs * ACTIVATION_WORK),
      )]),
    ];
  }

  /** The dispatch that leaves the logits' rows of changes in `changes`, and how far they hold. */
  add(
    { quads, reaches }: Rows,
    count: number, // of rows
    changes: GPUBuffer,
    buffers: Record<string, GPUBuffer>,
    constants: Constants,
  ): Command {
    const fours = Math.min(4, this.#fours), blocks = Math.ceil(this.#fours / fours);
    const walkers = walkersOf(this.#gpu, Math.ceil(count / 4), this.#area + 100);
    return command(
      this.#gpu,
      "superpose",
      [walkers / 64, blocks],
      { ...this.#buffers, ...buffers, changes, reaches },
      { ...constants, ...this.#sizes, POINTS: 1, ROW_QUADS: quads, FOURS: fours },
      {},
      count * this.#area * (4 * fours * blocks + 10),
    );
  }
}
