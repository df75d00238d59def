/**
 * The general way from a moved unit to the loss: rows of changes, one for each sample, unit and
 * move, go through every later layer.
 */

import { type Layer, layerName, layersBehind, weightedLayers } from "../core/network.ts";
import { movedBehind, type Range } from "../core/moved.ts";
import type { Command, Gpu } from "./device.ts";
import { command, type Constants, labelled } from "./kernel.ts";
import type { Fillings } from "./shaders.ts";
import { productOf, type Stage } from "./stage.ts";
import { turnsOf } from "./turns.ts";
import { filterOf, uploadWindow } from "./window.ts";

/** An exact change of an activation, in multiply-adds. */
export const ACTIVATION_WORK = 30;

/** Inputs that a sum takes at a time: llvmpipe ends a thread's loops after 65,535 turns. */
export const PART = 32768;

/** Units that a thread takes of most kernels of rows. */
const UNITS = 16;

/** Room for rows of changes, for all layers in turn. */
export class Rows {
  /** Rows, four side by side. */
  readonly quads: number;
  /** How far each row's unit moves. */
  readonly moves: GPUBuffer; // [quads] of four rows
  /** How far a direction holds, ahead and behind. */
  readonly reaches: GPUBuffer; // [2, quads] of four rows
  readonly #gpu: Gpu;
  readonly #bytes: number; // of one layer's changes
  readonly #buffers: GPUBuffer[] = [];

  /**
   * @param rows that are wanted.
   * @param width of the widest layer that changes.
   * @param work multiply-adds of a row in one layer, at most.
   * @throws {RangeError} when not even `least` rows fit.
   */
  constructor(
    gpu: Gpu,
    rows: number,
    least: number,
    width: number,
    work = width * (width + ACTIVATION_WORK),
  ) {
    // So many that a product's last band of rows has its place.
    const { quads: band } = productOf(gpu);
    const most = band * Math.floor(gpu.scratchBytes / (16 * (width + 1) * band));
    // Nor are there more than a watchdog lets pass: kernels walk them all.
    const wanted = Math.max(least, Math.min(rows, gpu.workOfSubmission / work));
    this.quads = Math.min(most, band * Math.ceil(wanted / 4 / band));
    if (4 * this.quads < least) {
      throw new RangeError(
        `Cannot evaluate ${least} copies of one weight at once: the device's buffers hold ` +
          `${4 * most}; use a smaller batch or narrower layers`,
      );
    }
    this.#gpu = gpu;
    this.#bytes = 16 * this.quads * (width + 1); // for the columns of a product beyond the last
    this.moves = gpu.buffer("moves", 16 * this.quads);
    this.reaches = gpu.buffer("reaches", 32 * this.quads);
  }

  /** The buffer of that number, made where it is first asked for. */
  buffer(i: number): GPUBuffer {
    return this.#buffers[i] ??= this.#gpu.buffer(`changes ${i}`, this.#bytes);
  }
}

/** Units of the widest layer that nudges of dense layers' weights change. */
export function widestOf(layers: readonly Layer[]): number {
  const nudged = layers.flatMap(({ kind }, l) => kind === "dense" ? [l] : []);
  const changed = nudged.flatMap((l) => [l, ...layersBehind(layers, l)]);
  return Math.max(...changed.map((l) => layers[l].outputs));
}

/** Units of a layer that change, by the channel that is nudged: see shaders/shared/row_quads.wgsl. */
export interface Span {
  readonly count: number;
  /** Channels from whom the same units change. */
  readonly reached: number;
  readonly step: number;
}

const wholeOf = ({ outputs }: Layer): Span => ({ count: outputs, reached: 1, step: 0 });

/** What ranges of units, one a channel, have in common; all units where that is nothing. */
function spanOf(layer: Layer, ranges: readonly Range[]): Span {
  const [first, end] = ranges[0], count = end - first;
  const other = ranges.findIndex(([start]) => start !== first);
  const reached = other < 0 ? ranges.length : other;
  const step = other < 0 ? 0 : ranges[other][0];
  const isRegular = ranges.every(([start, end], c) =>
    start === Math.floor(c / reached) * step && end - start === count
  );
  return isRegular ? { count, reached, step } : wholeOf(layer);
}

/** Which units of convolution `l` and of the layers behind it change. */
export function spansOf(layers: readonly Layer[], l: number): ReadonlyMap<number, Span> {
  const { window, outputs } = layers[l], [channels] = window!.output, area = outputs / channels;
  const ranges = new Map<number, Range[]>([l, ...layersBehind(layers, l)].map((m) => [m, []]));
  for (let c = 0; c < channels; c++) {
    const own: Range = [c * area, (c + 1) * area];
    ranges.get(l)!.push(own);
    movedBehind(layers, l, own).forEach(({ units }, m) => ranges.get(m)!.push(units));
  }
  return new Map([...ranges].map(([m, found]) => [m, spanOf(layers[m], found)]));
}

/** Which rows there are, and what they are made of. */
export interface Propagation {
  /**
   * Those that are listed as items, those of some weights, or one for each unit and sample; of
   * filters' weights all of a part, or what is listed of them.
   */
  readonly rows: "listed" | "all" | "elements" | "taps" | "listed_taps";
  /** Exact changes, or directions as far as they are straight. */
  readonly effect: "exact" | "straight";
  /** Bindings that all kernels share: parameters, part, items. */
  readonly buffers: Record<string, GPUBuffer>;
  /** Of the nudged layer and its rows. */
  readonly constants: Constants;
  /** The most rows that there are. */
  readonly count: number;
  /** Where a channel's map moves: which units change. */
  readonly spans?: ReadonlyMap<number, Span>;
  /** The max pool that is taken in one with the convolution, and what rows_filter_pool.wgsl takes. */
  readonly pool?: { readonly layer: number; readonly buffers: Record<string, GPUBuffer> };
}

/**
 * The dispatches that carry moves of layer `l`'s units, or of its maps, to the logits, of whose
 * changes they leave rows in the buffer that is returned, [classes, row quads].
 */
export function propagate(
  { gpu, options: { network }, forward }: Stage,
  rows: Rows,
  l: number,
  { rows: role, effect, buffers, constants, count, spans, pool }: Propagation,
): { commands: Command[]; logits: GPUBuffer } {
  const { layers } = network, behind = new Set(layersBehind(layers, l));
  const places = turnsOf(layers, (m) => behind.has(m) || (m === l && spans !== undefined && !pool));
  const nudged = `W${weightedLayers(layers).indexOf(layers[l]) + 1}`;
  const named = (m: number) => `${layerName(network, m)}, for ${nudged}`;
  const commands: Command[] = [];
  const quads = Math.min(rows.quads, Math.ceil(count / 4));
  const workgroup = gpu.software ? 8 : 64;
  const spanAt = (m: number) => spans?.get(m) ?? wholeOf(layers[m]);
  for (let m = l; m < layers.length; m++) {
    const layer = layers[m], { kind } = layer;
    const place = places.get(m);
    if (place === undefined) continue;
    const pass = (...made: Command[]) => commands.push(...labelled(named(m), made));
    if (m === pool?.layer) {
      const { count } = spanAt(m);
      pass(command(
        gpu,
        "rows_filter_pool",
        [walkersOf(gpu, quads, count + 20) / 64],
        { ...buffers, ...pool.buffers, changes: rows.buffer(place), reaches: rows.reaches },
        { ...constants, ROW_QUADS: rows.quads, WORKGROUP: 64 },
        { rows: role },
        4 * quads * count * ACTIVATION_WORK,
      ));
      continue;
    }
    const sources = layer.from.filter((from) => from === l || behind.has(from));
    const own = spanAt(m), { count: width } = own;
    const taken = (source: number) => source === l && !spans ? undefined : spanAt(source);
    const bound = (source: number) => ({
      ...buffers,
      moves: rows.moves,
      reaches: rows.reaches,
      values: forward.values(m).buffer,
      companions: forward.companions[m],
      changes: rows.buffer(place),
      changed: changedBuffer(gpu, layer, { own, before: taken(source) }),
      before: source === l && !spans ? rows.moves : rows.buffer(places.get(source) ?? 0),
    });
    const common = { ...constants, ROW_QUADS: rows.quads, WORKGROUP: workgroup };
    const fillings: Fillings = { activation: layer.activation, rows: role, effect };
    const spread = (blocks: number, turns: number): [number, number] => {
      checkTurns(gpu, layerName(network, m), turns);
      return [
        Math.min(Math.ceil(quads / workgroup), walkersOf(gpu, quads, turns) / workgroup),
        blocks,
      ];
    };
    const units = spread(Math.ceil(width / UNITS), UNITS + 1);
    const work = 4 * quads * width * ACTIVATION_WORK;
    if (m === l) {
      const made = {
        ...bound(l),
        a: forward.values(layer.from[0]).buffer,
        window: uploadWindow(gpu, layer),
      };
      pass(command(gpu, "rows_filter", units, made, common, fillings, work));
    } else if (kind === "sum") {
      sources.forEach((source, i) => {
        const part = {
          UNIT: source === l && !spans,
          ADD: i > 0,
          LAST: i === sources.length - 1,
        };
        pass(
          command(gpu, "rows_sum", units, bound(source), { ...common, ...part }, fillings, work),
        );
      });
    } else if (kind === "dense" && taken(sources[0]) === undefined) {
      pass(command(gpu, "hop", units, bound(l), common, fillings, work));
    } else if (kind === "dense") {
      const [source] = sources;
      pass(...dense(gpu, layer, quads, taken(source)!, bound(source), common, fillings));
    } else {
      const [source] = sources, { kernel, output, groups } = layer.window!;
      const cells = kernel[0] * kernel[1];
      const made = {
        ...bound(source),
        a: forward.values(source).buffer,
        window: uploadWindow(gpu, layer),
      };
      if (kind === "maxpool") {
        const turns = UNITS * (1 + 2 * (kernel[0] * (kernel[1] + 2) + 1)) + 1; // looks twice
        const groups = spread(Math.ceil(width / UNITS), turns);
        const compared = 4 * quads * width * (8 * cells + ACTIVATION_WORK);
        pass(command(gpu, "rows_maxpool", groups, made, common, fillings, compared));
      } else {
        const area = output[1] * output[2], given = output[0] / groups;
        const maps = Math.min(layer.window!.input[0] / groups, taken(source)!.count);
        const fours = Math.min(4, Math.ceil(given / 4));
        const blocks = width / area / given * Math.ceil(given / (4 * fours)) * Math.ceil(area / 4);
        const terms = 4 * quads * width * (maps * cells + ACTIVATION_WORK);
        pass(command(
          gpu,
          "rows_conv",
          spread(blocks, maps * (cells + kernel[0] + 2) + 24 * fours + 4),
          made,
          { ...common, FOURS: fours },
          { ...fillings, ...filterOf(layer) },
          terms,
        ));
      }
    }
  }
  return { commands, logits: rows.buffer(places.get(layers.length - 1)!) };
}

/**
 * Refuses a layer through which a thread cannot carry one row on the device.
 * @throws {RangeError} with the turns of loops that it takes and the device allows.
 */
function checkTurns({ adapter, loopTurns }: Gpu, layer: string, turns: number): void {
  const most = Math.floor(0.9 * loopTurns);
  if (turns <= most) return;
  throw new RangeError(
    `Cannot carry changes through ${layer} on ${adapter}: it breaks loops off behind ${most} ` +
      `turns, and these take ${turns}; use smaller kernels or fewer channels, or --backend cpu`,
  );
}

/**
 * Threads that walk so many things of so many turns each: on software devices few, but so many that
 * no thread's loops take more turns than the device allows. A multiple of 64.
 */
export function walkersOf(gpu: Gpu, things: number, turns: number): number {
  const least = Math.ceil(things * turns / (0.9 * gpu.loopTurns));
  return 64 * Math.ceil(Math.max(least, gpu.software ? 512 : 65536) / 64);
}

/**
 * The layer whose units change, as shaders/shared/row_quads.wgsl has it, in a part of its sums.
 * @param own which of its units.
 * @param before which units of the layer before, where it is not one nudged unit.
 */
export function changedBuffer(
  gpu: Gpu,
  layer: Layer,
  { own = wholeOf(layer), before, from = 0, to }: {
    own?: Span;
    before?: Span;
    from?: number;
    to?: number;
  } = {},
) {
  const { offset, outputs } = layer, inputs = before?.count ?? layer.inputs;
  const words = Uint32Array.of(
    ...[own.count, offset, inputs, from, to ?? inputs, outputs],
    ...[own.reached, own.step, before?.reached ?? 1, before?.step ?? 0, 0, 0],
  );
  return gpu.upload("changed", words, GPUBufferUsage.UNIFORM);
}

/** Rows of changes times a matrix, in parts where the sums are long. */
function dense(
  gpu: Gpu,
  layer: Layer,
  quads: number,
  before: Span,
  buffers: Record<string, GPUBuffer>,
  constants: Constants,
  fillings: Fillings,
): Command[] {
  const { outputs } = layer, inputs = before.count;
  const { product, quads: quadsOfThread, columns, lanes } = productOf(gpu);
  const groups: [number, number] = [
    Math.ceil(outputs / columns),
    Math.min(
      Math.ceil(quads / (quadsOfThread * lanes)),
      walkersOf(gpu, quads / quadsOfThread, Math.min(inputs, PART) + 20 + 8 * columns) / lanes,
    ),
  ];
  const commands = [];
  for (let from = 0; from < inputs; from += PART) {
    const to = Math.min(from + PART, inputs);
    commands.push(command(
      gpu,
      "rows_dense",
      groups,
      { ...buffers, a: buffers.before, changed: changedBuffer(gpu, layer, { before, from, to }) },
      { ...constants, CONTINUED: from > 0 },
      { ...fillings, product },
      4 * quads * outputs * (to - from + ACTIVATION_WORK),
    ));
  }
  return commands;
}
