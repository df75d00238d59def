/**
 * The differences method for convolutions: a nudge of a filter's weight moves its channel's map. A
 * row of changes for each channel, sample and weight goes through all that stands behind; where that
 * is straight between kinks, one direction serves all points of the stencil.
 */

import { stencilOf } from "../core/estimator.ts";
import { type Layer, layerName, sizeOfShape } from "../core/network.ts";
import { mapsGoStraight } from "../core/plan.ts";
import type { Command } from "./device.ts";
import { command, type Constants, labelled } from "./kernel.ts";
import { ACTIVATION_WORK, propagate, type Propagation, Rows, spansOf, walkersOf } from "./rows.ts";
import { productOf, type Stage, uploadStencil } from "./stage.ts";

/** A weight of a filter, by its place in it, the bias behind the last; and where its sum goes. */
interface Tap {
  readonly tap: number;
  readonly target: number;
}

/** Some taps of one channel. */
interface Local {
  readonly channel: number;
  readonly taps: readonly Tap[];
}

/** Where sums over the batch go. */
interface Sums {
  readonly buffer: GPUBuffer; // [slices, stride]
  readonly slices: number;
  readonly stride: number;
}

/** Weights of a filter of a convolution, without its bias. */
const weightsOf = ({ tensors: [{ shape }] }: Layer) => sizeOfShape(shape) / shape[0];

/** All taps of a convolution, by channel. */
function allTaps(layer: Layer): Local[] {
  const weights = weightsOf(layer), [channels] = layer.window!.output;
  const elements = Array.from({ length: channels * (weights + 1) }, (_, i) => layer.offset + i);
  return tapsOf(layer, elements, elements);
}

/** Those taps that have these indices in the parameter vector, by channel. */
export function tapsOf(
  layer: Layer,
  elements: readonly number[],
  targets: readonly number[],
): Local[] {
  const weights = weightsOf(layer), [channels] = layer.window!.output;
  const byChannel = new Map<number, Tap[]>();
  elements.forEach((element, i) => {
    const at = element - layer.offset, isBias = at >= channels * weights;
    const channel = isBias ? at - channels * weights : Math.floor(at / weights);
    const taps = byChannel.get(channel) ?? [];
    taps.push({ tap: isBias ? weights : at % weights, target: targets[i] });
    byChannel.set(channel, taps);
  });
  return [...byChannel].map(([channel, taps]) => ({ channel, taps }));
}

/** Room for the rows of all convolutions. */
export function roomForMaps({ gpu, options: { network, batch, estimator } }: Stage): Rows {
  const { layers } = network, points = stencilOf(estimator).length, band = bandOf(gpu);
  let width = 1, work = 1, rows = 1;
  layers.forEach((layer, l) => {
    if (layer.kind !== "conv") return;
    const spans = [...spansOf(layers, l)].sort(([a], [b]) => a - b);
    spans.forEach(([m, { count }], i) => {
      const { window, kind } = layers[m];
      const cells = window ? window.kernel[0] * window.kernel[1] : 1;
      const taken = kind === "dense"
        ? Math.max(...spans.slice(0, i).map(([, { count }]) => count))
        : cells;
      width = Math.max(width, count);
      work = Math.max(work, count * (taken + ACTIVATION_WORK));
    });
    const [channels] = layer.window!.output;
    const padded = 4 * Math.ceil((weightsOf(layer) + 1) / 4);
    rows = Math.max(rows, channels * up(batch * padded * points, band));
  });
  return new Rows(gpu, rows, up(4 * batch * points, band), width, work);
}

/** Rows that a product's thread takes: each channel's rows are whole bands of them. */
const bandOf = (gpu: Stage["gpu"]) => 4 * productOf(gpu).quads;

const up = (count: number, to: number) => to * Math.ceil(count / to);
const down = (count: number, to: number) => to * Math.floor(count / to);

/** The dispatches of all weights of convolution `l`. */
export function maps(stage: Stage, l: number, rows: Rows): Command[] {
  const { gradient, slices, options: { network } } = stage;
  const sums = { buffer: gradient, slices, stride: network.parameters };
  return mapsTo(stage, l, rows, allTaps(network.layers[l]), sums);
}

/** The dispatches of some weights of convolution `l`. */
export function mapsTo(
  stage: Stage,
  l: number,
  rows: Rows,
  channels: readonly Local[],
  sums: Sums,
): Command[] {
  const { gpu, options: { network, batch, estimator, sharing = true } } = stage;
  const isStraight = mapsGoStraight(network.layers, l, { sharing });
  const points = isStraight ? 1 : stencilOf(estimator).length, band = bandOf(gpu);
  // As many taps a channel at a time as the rows have room for, about as many of each.
  const most = down(4 * rows.quads / points / batch, 4);
  const locals = channels.flatMap(({ channel, taps }) => {
    const chunks = Math.ceil(taps.length / most), size = Math.ceil(taps.length / chunks);
    return Array.from(
      { length: chunks },
      (_, i): Local => ({ channel, taps: taps.slice(i * size, (i + 1) * size) }),
    );
  }).sort((a, b) => b.taps.length - a.taps.length);
  const commands: Command[] = [];
  for (let first = 0; first < locals.length;) {
    const taps = up(locals[first].taps.length, 4);
    const places = up(batch * taps * points, band), room = Math.floor(4 * rows.quads / places);
    const part = locals.slice(first, first + room);
    // Those with far fewer taps are better off in a part of their own.
    const count = part.findIndex(({ taps: own }) => 2 * own.length <= taps && taps > 4);
    const chosen = count < 0 ? part : part.slice(0, count);
    commands.push(...new Part(stage, l, rows, chosen, taps, isStraight).commands(sums));
    first += chosen.length;
  }
  return labelled(layerName(network, l), commands);
}

/** What is evaluated at a time. */
class Part {
  readonly #stage: Stage;
  readonly #l: number;
  readonly #rows: Rows;
  readonly #locals: number;
  readonly #taps: number; // of each, a multiple of 4
  readonly #isStraight: boolean;
  readonly #responses: GPUBuffer; // [locals, batch, taps]
  readonly #bound: Record<string, GPUBuffer>;
  readonly #constants: Constants;

  constructor(
    stage: Stage,
    l: number,
    rows: Rows,
    locals: readonly Local[],
    taps: number,
    isStraight: boolean,
  ) {
    const { gpu, options: { batch, network, estimator } } = stage;
    this.#stage = stage;
    this.#l = l;
    this.#rows = rows;
    this.#locals = locals.length;
    this.#taps = taps;
    this.#isStraight = isStraight;
    this.#responses = stage.shared("responses of taps", 4 * locals.length * batch * taps);
    const table = new Uint32Array(2 * locals.length * (1 + taps)); // see shaders/shared/maps.wgsl
    locals.forEach(({ channel, taps: own }, i) => {
      table.set([channel, own.length], 2 * i);
      own.forEach(({ tap, target }, t) =>
        table.set([tap, target], 2 * (locals.length + i * taps + t))
      );
    });
    this.#bound = {
      taps: gpu.upload("taps", table),
      parameters: stage.parameters,
      stencil: uploadStencil(gpu, stage.options),
      residuals: stage.forward.residuals,
      labels: stage.forward.labels,
      responses: this.#responses,
      reaches: rows.reaches,
      moves: rows.moves,
    };
    this.#constants = {
      BATCH: batch,
      POINTS: stencilOf(estimator).length,
      CLASSES: network.classes,
      ROW_QUADS: rows.quads,
      WORKGROUP: 64,
    };
  }

  get #batch(): number {
    return this.#stage.options.batch;
  }

  /** Rows that there are places for, of each channel, with so many points a response. */
  #places(points: number): number {
    return up(this.#batch * this.#taps * points, bandOf(this.#stage.gpu));
  }

  /** See shaders/shared/maps.wgsl. */
  #uniform(rows: number, firstItem = 0, items = 0): GPUBuffer {
    const words = Uint32Array.of(this.#locals, this.#taps, rows, firstItem, items, 0, 0, 0);
    return this.#stage.gpu.upload("maps", words, GPUBufferUsage.UNIFORM);
  }

  #command(
    kernel: Parameters<typeof command>[1],
    groups: Command["groups"],
    buffers: Record<string, GPUBuffer>,
    { rows, work }: { rows?: Propagation["rows"]; work?: number } = {},
    constants: Constants = {},
  ): Command {
    const { gpu, options: { network: { loss } } } = this.#stage;
    return command(
      gpu,
      kernel,
      groups,
      { ...this.#bound, ...buffers },
      { ...this.#constants, ...constants },
      { rows, loss },
      work,
    );
  }

  #propagate(
    rows: Propagation["rows"],
    effect: Propagation["effect"],
    buffers: Record<string, GPUBuffer>,
    places: number,
    points: number,
  ) {
    return propagate(this.#stage, this.#rows, this.#l, {
      rows,
      effect,
      buffers: { ...this.#bound, ...buffers },
      constants: { ...this.#constants, POINTS: points },
      count: this.#locals * places,
      spans: spansOf(this.#stage.options.network.layers, this.#l),
    });
  }

  /** The loss of what was propagated. */
  #loss(
    rows: Propagation["rows"],
    buffers: Record<string, GPUBuffer>,
    changes: GPUBuffer,
    items: number, // of a channel
  ): Command {
    const { gpu, options: { network: { classes } } } = this.#stage;
    const count = this.#locals * items;
    return this.#command(
      "rows_loss",
      [walkersOf(gpu, count, classes + 1) / 64],
      { ...buffers, changes },
      { rows, work: count * Number(this.#constants.POINTS) * classes * ACTIVATION_WORK },
    );
  }

  commands(sums: Sums): Command[] {
    return [...(this.#isStraight ? this.#straight() : this.#exact()), this.#collect(sums)];
  }

  /** Each copy by rows of its own. */
  #exact(): Command[] {
    const points = Number(this.#constants.POINTS), places = this.#places(points);
    const buffers = { maps: this.#uniform(places) };
    const { commands, logits } = this.#propagate("taps", "exact", buffers, places, points);
    return [...commands, this.#loss("taps", buffers, logits, this.#batch * this.#taps)];
  }

  /** One direction a tap and sample; copies beyond its reach by rows of their own. */
  #straight(): Command[] {
    const { gpu, options: { network: { classes } } } = this.#stage;
    const places = this.#places(1), locals = this.#locals, rows = locals * places;
    const items = this.#stage.shared("items of taps", 4 * locals * (1 + this.#batch * this.#taps));
    const one = gpu.upload(
      "one",
      Float32Array.of(1, ...new Array(15).fill(0)),
      GPUBufferUsage.UNIFORM,
    );
    const buffers = { maps: this.#uniform(places), stencil: one };
    const { commands, logits } = this.#propagate("taps", "straight", buffers, places, 1);
    return [
      this.#command("list_begin", [1], { items }, {}, { LISTS: locals }),
      this.#command("move_one", [Math.ceil(rows / 4 / 64)], buffers, { rows: "taps" }, {
        POINTS: 1,
      }),
      ...commands,
      this.#command(
        "respond_taps",
        [walkersOf(gpu, rows / 4, 2 + 6 * (classes + 1)) / 64],
        { maps: buffers.maps, directions: logits, items },
        { work: rows * Number(this.#constants.POINTS) * classes * ACTIVATION_WORK },
      ),
      ...this.#beyond(items),
    ];
  }

  /** The general way of what is listed, so much at a time as the rows have room for. */
  #beyond(items: GPUBuffer): Command[] {
    const { forward, lists, notes, gpu } = this.#stage;
    const points = Number(this.#constants.POINTS), locals = this.#locals, band = bandOf(gpu);
    const most = this.#batch * this.#taps; // items of a channel
    // Few are expected: a fraction of all at a time.
    const wanted = up(Math.ceil(most * points / EXPECTED), band);
    const places = Math.min(wanted, down(4 * this.#rows.quads / locals, band));
    const perPass = Math.floor(places / points);
    const { index, room } = this.#stage.roomOf(Math.min(perPass, most), most);
    const commands: Command[] = [];
    if (room < most) {
      const part = gpu.upload(
        "part",
        Uint32Array.of(0, 0, index, room, 0, 0, 0, 0),
        GPUBufferUsage.UNIFORM,
      );
      const bound = { part, items, step: forward.step, notes: notes.buffer, counts: lists.counts };
      commands.push(
        this.#command("list_end", [1], bound, {}, { BAD: notes.at, LISTS: locals }),
      );
    }
    for (let first = 0; first < room; first += perPass) {
      const count = Math.min(perPass, room - first);
      const buffers = { maps: this.#uniform(places, first, count), items };
      const { commands: passes, logits } = this.#propagate(
        "listed_taps",
        "exact",
        buffers,
        places,
        points,
      );
      commands.push(...passes, this.#loss("listed_taps", buffers, logits, count));
    }
    return commands;
  }

  #collect({ buffer, slices, stride }: Sums): Command {
    return this.#command(
      "collect_taps",
      [Math.ceil(this.#locals * this.#taps / 64), slices],
      { maps: this.#uniform(this.#places(1)), gradient: buffer },
      { work: this.#locals * this.#taps * this.#batch },
      { SLICES: slices, STRIDE: stride },
    );
  }
}

/** Of so many nudges one is expected to go beyond a kink. */
const EXPECTED = 16;
