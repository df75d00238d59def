/**
 * The differences method for convolutions: a nudge of a filter's weight moves its channel's map. A
 * row of changes for each channel, sample and weight goes through all that stands behind; where that
 * is straight between kinks, one direction serves all points of the stencil.
 */

import { stencilOf } from "../core/estimator.ts";
import { type Layer, layerName, sizeOfShape } from "../core/network.ts";
import { layerBetween, mapsGoStraight, poolBehind } from "../core/plan.ts";
import type { Command } from "./device.ts";
import { command, type Constants, labelled } from "./kernel.ts";
import {
  ACTIVATION_WORK,
  propagate,
  type Propagation,
  Rows,
  type Span,
  spansOf,
  walkersOf,
} from "./rows.ts";
import { type Scope, scoped } from "./scope.ts";
import { productOf, type Stage, uploadStencil } from "./stage.ts";
import { isSuperposed, Superposition, turnsOfWinners, Winners } from "./superposition.ts";

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

/** Room for the rows of convolutions. */
export interface MapRows {
  /** Of directions, which may leave out what a pool takes. */
  readonly straight: Rows;
  /** Of copies. */
  readonly exact: Rows;
}

/**
 * Room for the rows of all convolutions.
 * @param sharing whether copies share directions, where they go straight.
 * @param taps that are nudged, at most.
 */
export function roomForMaps(
  stage: Stage,
  sharing = stage.options.sharing ?? true,
  taps = Infinity,
): MapRows {
  const { layers } = stage.options.network;
  const isStraight = layers.every(({ kind }, l) =>
    kind !== "conv" || mapsGoStraight(layers, l, { sharing })
  );
  return {
    straight: roomFor(stage, true, 1, taps),
    exact: roomFor(stage, false, isStraight ? EXPECTED : 1, taps),
  };
}

/** Room for rows of which one in so many is expected. */
function roomFor(
  { gpu, options: { network, batch, estimator } }: Stage,
  isStraight: boolean,
  expected: number,
  taps: number,
): Rows {
  const { layers } = network, band = bandOf(gpu);
  const points = isStraight ? 1 : stencilOf(estimator).length;
  let width = 1, work = 1, rows = 1;
  layers.forEach((layer, l) => {
    if (layer.kind !== "conv") return;
    const [channels] = layer.window!.output;
    const padded = 4 * Math.ceil((weightsOf(layer) + 1) / 4);
    const wanted = channels * up(Math.ceil(batch * padded * points / expected), band);
    if (isStraight && isSuperposed(gpu, network, l, batch)) {
      width = Math.max(width, network.classes);
      work = Math.max(work, layers[layerBetween(layers, l)!].inputs / channels * network.classes);
      rows = Math.max(rows, wanted);
      return;
    }
    const isPooled = isStraight && pooledOn(gpu, layers, l) !== undefined;
    const spans = [...spansOf(layers, l)].filter(([m]) => !isPooled || m !== l)
      .sort(([a], [b]) => a - b);
    spans.forEach(([m, { count }], i) => {
      const { window, kind } = layers[m];
      const cells = window ? window.kernel[0] * window.kernel[1] : 1;
      const taken = kind === "dense"
        ? Math.max(...spans.slice(0, i).map(([, { count }]) => count))
        : cells;
      width = Math.max(width, count);
      work = Math.max(work, count * (taken + ACTIVATION_WORK));
    });
    rows = Math.max(rows, wanted);
  });
  const least = up(4 * batch * points, band); // of a channel
  return new Rows(gpu, Math.min(rows, taps * least), least, width, work);
}

/** The pool that is taken in one with convolution `l`, where a thread gets to the end of its loops. */
function pooledOn({ loopTurns }: Stage["gpu"], layers: readonly Layer[], l: number) {
  return turnsOfWinners(layers, l) <= 0.9 * loopTurns ? poolBehind(layers, l) : undefined;
}

/** Rows that a product's thread takes: each channel's rows are whole bands of them. */
const bandOf = (gpu: Stage["gpu"]) => 4 * productOf(gpu).quads;

const up = (count: number, to: number) => to * Math.ceil(count / to);
const down = (count: number, to: number) => to * Math.floor(count / to);

/** The dispatches of all weights of convolution `l`. */
export function maps(stage: Stage, l: number, rows: MapRows): Command[] {
  const { gradient, slices, options: { network } } = stage;
  const sums = { buffer: gradient, slices, stride: network.parameters };
  return mapsTo(stage, l, rows, allTaps(network.layers[l]), sums);
}

/**
 * The dispatches of some weights of convolution `l`.
 * @param sharing whether copies share directions, where they go straight.
 */
export function mapsTo(
  stage: Stage,
  l: number,
  rows: MapRows,
  channels: readonly Local[],
  sums: Sums,
  sharing = stage.options.sharing ?? true,
): Command[] {
  const { gpu, options: { network, batch, estimator } } = stage;
  const isStraight = mapsGoStraight(network.layers, l, { sharing });
  const superposition = isStraight && isSuperposed(gpu, network, l, batch)
    ? new Superposition(stage, l)
    : undefined;
  const { quads } = isStraight ? rows.straight : rows.exact;
  const points = isStraight ? 1 : stencilOf(estimator).length, band = bandOf(gpu);
  // As many taps a channel at a time as the rows have room for, about as many of each.
  const most = down(4 * quads / points / batch, 4);
  const locals = channels.flatMap(({ channel, taps }) => {
    const chunks = Math.ceil(taps.length / most), size = Math.ceil(taps.length / chunks);
    return Array.from(
      { length: chunks },
      (_, i): Local => ({ channel, taps: taps.slice(i * size, (i + 1) * size) }),
    );
  }).sort((a, b) => b.taps.length - a.taps.length);
  const m = isStraight && !superposition ? pooledOn(gpu, network.layers, l) : undefined;
  const pool = m === undefined ? undefined : new Winners(stage, l, m);
  const spans = spansOf(network.layers, l);
  const commands: Command[] = [...(superposition ?? pool)?.commands ?? []];
  for (let first = 0; first < locals.length;) {
    const taps = up(locals[first].taps.length, 4);
    const places = up(batch * taps * points, band);
    const room = Math.min(
      Math.floor(4 * quads / places),
      Math.floor(4 * rows.exact.quads / band),
      stage.options.sliced ? 1 : Infinity, // a piece is a channel
    );
    const next = locals.slice(first, first + room);
    // Those with far fewer taps are better off in a part of their own.
    const count = next.findIndex(({ taps: own }) => 2 * own.length <= taps && taps > 4);
    const chosen = count < 0 ? next : next.slice(0, count);
    const part = new Part(stage, l, { rows, spans, pool, superposition, isStraight }, chosen, taps);
    const numbers = chosen.map(({ channel }) => channel);
    const scope: Scope = {
      layer: l,
      of: "units",
      first: Math.min(...numbers),
      end: Math.max(...numbers) + 1,
    };
    commands.push(...scoped(scope, part.commands(sums)));
    first += chosen.length;
  }
  return labelled(layerName(network, l), commands);
}

/** How the copies of a convolution's weights are evaluated, whichever part they are of. */
interface PartWay {
  readonly rows: MapRows;
  readonly spans: ReadonlyMap<number, Span>;
  readonly pool: Winners | undefined;
  readonly superposition: Superposition | undefined;
  readonly isStraight: boolean;
}

/** What is evaluated at a time. */
class Part {
  readonly #stage: Stage;
  readonly #l: number;
  readonly #way: PartWay;
  readonly #locals: number;
  readonly #taps: number; // of each, a multiple of 4
  readonly #bound: Record<string, GPUBuffer>;
  readonly #constants: Constants;

  constructor(
    stage: Stage,
    l: number,
    way: PartWay,
    locals: readonly Local[],
    taps: number,
  ) {
    const { gpu, options: { batch, network, estimator } } = stage;
    this.#stage = stage;
    this.#l = l;
    this.#way = way;
    this.#locals = locals.length;
    this.#taps = taps;
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
      // [locals, batch, taps]
      responses: stage.shared("responses of taps", 4 * locals.length * batch * taps),
    };
    this.#constants = {
      BATCH: batch,
      POINTS: stencilOf(estimator).length,
      CLASSES: network.classes,
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
    const { rows: { straight, exact }, spans, pool } = this.#way;
    const isStraight = effect === "straight";
    return propagate(this.#stage, isStraight ? straight : exact, this.#l, {
      rows,
      effect,
      pool: isStraight ? pool : undefined,
      buffers: { ...this.#bound, ...buffers },
      constants: { ...this.#constants, POINTS: points },
      count: this.#locals * places,
      spans,
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
      { ROW_QUADS: this.#way.rows.exact.quads },
    );
  }

  commands(sums: Sums): Command[] {
    return [...(this.#way.isStraight ? this.#straight() : this.#exact()), this.#collect(sums)];
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
    const buffers = { maps: this.#uniform(places) };
    const { reaches, quads } = this.#way.rows.straight;
    const { commands, logits } = this.#directions(buffers, places, rows);
    return [
      this.#command("list_begin", [1], { items }, {}, { LISTS: locals }),
      ...commands,
      this.#command(
        "respond_taps",
        [walkersOf(gpu, rows / 4, 2 + 6 * (classes + 1)) / 64],
        { ...buffers, directions: logits, reaches, items },
        { work: rows * Number(this.#constants.POINTS) * classes * ACTIVATION_WORK },
        { ROW_QUADS: quads },
      ),
      ...this.#beyond(items),
    ];
  }

  /** The logits' directions, and how far they hold. */
  #directions(buffers: Record<string, GPUBuffer>, places: number, rows: number) {
    const { rows: { straight }, superposition } = this.#way;
    if (superposition) {
      const logits = straight.buffer(0), bound = { ...this.#bound, ...buffers };
      const sum = superposition.add(straight, rows, logits, bound, this.#constants);
      return { commands: [sum], logits };
    }
    const moved = { ...buffers, stencil: this.#stage.whole };
    const { moves, reaches, quads } = straight;
    const { commands, logits } = this.#propagate("taps", "straight", moved, places, 1);
    const begin = this.#command(
      "move_one",
      [Math.ceil(rows / 4 / 64)],
      { ...moved, moves, reaches },
      { rows: "taps" },
      { POINTS: 1, ROW_QUADS: quads },
    );
    return { commands: [begin, ...commands], logits };
  }

  /** The general way of what is listed, so much at a time as the rows have room for. */
  #beyond(items: GPUBuffer): Command[] {
    const { forward, lists, notes, gpu } = this.#stage;
    const points = Number(this.#constants.POINTS), locals = this.#locals, band = bandOf(gpu);
    const most = this.#batch * this.#taps; // items of a channel
    // Few are expected: a fraction of all at a time.
    const wanted = up(Math.ceil(most * points / EXPECTED), band);
    const places = Math.min(wanted, down(4 * this.#way.rows.exact.quads / locals, band));
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
