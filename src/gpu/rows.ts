/**
 * The general way from a moved unit to the loss: rows of changes, one for each sample, unit and
 * move, go through every later layer.
 */

import { type Layer, layerName, layersBehind, weightedLayers } from "../core/network.ts";
import type { Command, Gpu } from "./device.ts";
import { command, type Constants, labelled } from "./kernel.ts";
import type { Fillings } from "./shaders.ts";
import { productOf, type Stage } from "./stage.ts";
import { turnsOf } from "./turns.ts";

/** An exact change of an activation, in multiply-adds. */
export const ACTIVATION_WORK = 30;

/** Inputs that a sum takes at a time: llvmpipe ends a thread's loops after 65,535 turns. */
const PART = 32768;

/** Units that a thread of hop and rows_sum takes. */
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
   * @throws {RangeError} when not even `least` rows fit.
   */
  constructor(gpu: Gpu, rows: number, least: number, width: number) {
    // So many that a product's last band of rows has its place.
    const { quads: band } = productOf(gpu);
    const most = band * Math.floor(gpu.scratchBytes / (16 * (width + 1) * band));
    // Nor are there more than a watchdog lets pass: kernels walk them all.
    const patient = Math.max(least, gpu.workOfSubmission / (width * (width + ACTIVATION_WORK)));
    this.quads = Math.min(most, band * Math.ceil(Math.min(rows, patient) / 4 / band));
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

/** Which rows there are, and what they are made of. */
export interface Propagation {
  /** Those that are listed as items, those of some weights, or one for each unit and sample. */
  readonly rows: "listed" | "all" | "elements";
  /** Exact changes, or directions as far as they are straight. */
  readonly effect: "exact" | "straight";
  /** Bindings that all kernels share: parameters, part, items. */
  readonly buffers: Record<string, GPUBuffer>;
  /** Of the nudged layer and its rows. */
  readonly constants: Constants;
  /** The most rows that there are. */
  readonly count: number;
}

/**
 * The dispatches that carry moves of layer `l`'s units to the logits, of whose changes they leave
 * rows in the buffer that is returned, [classes, row quads].
 */
export function propagate(
  { gpu, options: { network }, forward }: Stage,
  rows: Rows,
  l: number,
  { rows: role, effect, buffers, constants, count }: Propagation,
): { commands: Command[]; logits: GPUBuffer } {
  const { layers } = network, behind = new Set(layersBehind(layers, l));
  const places = turnsOf(layers, (m) => behind.has(m));
  const nudged = `W${weightedLayers(layers).indexOf(layers[l]) + 1}`;
  const named = (m: number) => `${layerName(network, m)}, for ${nudged}`;
  const commands: Command[] = [];
  const quads = Math.min(rows.quads, Math.ceil(count / 4));
  const workgroup = gpu.software ? 8 : 64;
  for (let m = l + 1; m < layers.length; m++) {
    const layer = layers[m];
    const place = places.get(m);
    if (place === undefined) continue;
    const sources = layer.from.filter((from) => from === l || behind.has(from));
    const bound = {
      ...buffers,
      moves: rows.moves,
      reaches: rows.reaches,
      values: forward.values(m).buffer,
      companions: forward.companions[m],
      changes: rows.buffer(place),
      changed: changedBuffer(gpu, layer, 0, layer.inputs),
    };
    const common = { ...constants, ROW_QUADS: rows.quads, WORKGROUP: workgroup };
    const fillings: Fillings = { activation: layer.activation, rows: role, effect };
    const spread: [number, number] = [
      Math.min(Math.ceil(quads / workgroup), walkersOf(gpu, quads, UNITS + 1) / workgroup),
      Math.ceil(layer.outputs / UNITS),
    ];
    const work = 4 * quads * layer.outputs * ACTIVATION_WORK;
    const before = (source: number) => source === l ? rows.moves : rows.buffer(places.get(source)!);
    const pass = (...made: Command[]) => commands.push(...labelled(named(m), made));
    if (layer.kind === "sum") {
      sources.forEach((source, i) => {
        const part = {
          UNIT: source === l,
          ADD: i > 0,
          LAST: i === sources.length - 1,
        };
        const taken = { ...bound, before: before(source) };
        pass(command(gpu, "rows_sum", spread, taken, { ...common, ...part }, fillings, work));
      });
    } else if (sources[0] === l) {
      pass(command(gpu, "hop", spread, bound, common, fillings, work));
    } else {
      pass(...dense(gpu, layer, quads, before(sources[0]), bound, common, fillings));
    }
  }
  return { commands, logits: rows.buffer(places.get(layers.length - 1)!) };
}

/**
 * Threads that walk so many things of so many turns each: on software devices few, but so many that
 * no thread's loops take more turns than the device allows. A multiple of 64.
 */
export function walkersOf(gpu: Gpu, things: number, turns: number): number {
  const least = Math.ceil(things * turns / (0.9 * gpu.loopTurns));
  return 64 * Math.ceil(Math.max(least, gpu.software ? 512 : 65536) / 64);
}

/** The layer whose units change, as shaders/shared/row_quads.wgsl has it, in a part of its sums. */
export function changedBuffer(
  gpu: Gpu,
  { inputs, outputs, offset }: Layer,
  from: number,
  to: number,
) {
  const words = Uint32Array.of(outputs, offset, inputs, from, to, 0, 0, 0);
  return gpu.upload("changed", words, GPUBufferUsage.UNIFORM);
}

/** Rows of changes times a matrix, in parts where the sums are long. */
function dense(
  gpu: Gpu,
  layer: Layer,
  quads: number,
  a: GPUBuffer,
  buffers: Record<string, GPUBuffer>,
  constants: Constants,
  fillings: Fillings,
): Command[] {
  const { inputs, outputs } = layer;
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
      { ...buffers, a, changed: changedBuffer(gpu, layer, from, to) },
      { ...constants, CONTINUED: from > 0 },
      { ...fillings, product },
      4 * quads * outputs * (to - from + ACTIVATION_WORK),
    ));
  }
  return commands;
}
