/**
 * The differences method on the device: nudged copies of the network as exact changes from the
 * unperturbed pass. For each layer's weights the plan says which way the copies go, and so what
 * they are evaluated once for; here are the kernels that take them there.
 */

import { stencilOf } from "../core/estimator.ts";
import { type Layer, layerName } from "../core/network.ts";
import type { Samples } from "../data/samples.ts";
import type { EngineOptions } from "../engine.ts";
import type { Command, Gpu } from "./device.ts";
import { laneCount, tilesOf } from "./forward.ts";
import { command, type Constants } from "./kernel.ts";
import { ACTIVATION_WORK, propagate, type Propagation, Rows } from "./rows.ts";
import { type Slots, slotsOf } from "./slots.ts";
import { type Stage, uploadStencil } from "./stage.ts";

/** The largest input of a layer: the data's, or what its activation can reach. */
function largestInput({ network: { layers }, samples }: EngineOptions, { from: [from] }: Layer) {
  if (from < 0) return largestValue(samples);
  const { kind, activation } = layers[from];
  return kind === "sum" || ["relu", "identity"].includes(activation) ? Infinity : 1;
}

/** The largest absolute value of the samples, the constant 1 included. */
function largestValue({ x }: Samples): number {
  if (x instanceof Uint8Array) return 1;
  let largest = 1;
  for (const value of x) largest = Math.max(largest, Math.abs(value));
  return largest;
}

/** The most by which a nudge of a layer's weights moves a unit's input. */
function reachOf(options: EngineOptions, layer: Layer): number {
  const { estimator } = options;
  const farthest = Math.max(...stencilOf(estimator).map(({ offset }) => Math.abs(offset)));
  return Math.min(largestInput(options, layer) * estimator.h * farthest, 3e38);
}

/**
 * Partial sums that a gradient is made in: a hardware device wants more threads than one batch-long
 * loop for each weight gives it, and a software device ends loops that are too long.
 */
export function slicesOf(gpu: Gpu, { network, estimator, batch }: EngineOptions): number {
  if (!gpu.software) return Math.min(batch, 25);
  // The loops of collect_states.wgsl, the longest, over one sample. Each counts one turn more: the
  // one that ends it.
  const points = stencilOf(estimator).length;
  const hasStates = network.layers.some(({ activation }) => activation === "step");
  const turnsOfEntry = hasStates ? 2 + points * 6 : 1;
  const turns = batch * (8 + gpu.block * turnsOfEntry);
  return Math.min(batch, Math.max(2, Math.ceil(turns / (0.9 * gpu.loopTurns))));
}

/** The dispatches that fill the gradient behind a forward pass. */
export function differences(stage: Stage): Command[] {
  const { layers } = stage.options.network;
  const slots = new Map<number, Slots>();
  let rows: Rows | undefined;
  return layers.flatMap((layer, l) => {
    if (layer.kind !== "dense") return [];
    const way = wayOf(stage.options, l);
    if (way === "logit") return logits(stage, l);
    const [from] = layer.from, commands: Command[] = [];
    if (way !== "states" && !slots.has(from)) {
      slots.set(from, slotsOf(stage, stage.forward, from));
      commands.push(slots.get(from)!.command);
    }
    if (way !== "direct") rows ??= roomForRows(stage);
    const responses = new Responses(stage, l, rows, way === "states" ? undefined : slots.get(from)!);
    return [...commands, ...responses.commands(way)];
  });
}

/** Room for the rows of any layer's responses. */
function roomForRows({ gpu, options: { network: { layers }, batch, estimator } }: Stage): Rows {
  const widest = Math.max(...layers.map(({ outputs }) => outputs));
  const inputs = Math.max(...layers.map((layer) => layer.inputs));
  const points = stencilOf(estimator).length;
  return new Rows(gpu, batch * (inputs + 1) * widest * points, 4 * batch, widest);
}

/** One fused kernel: a nudge moves one logit. */
function logits({ gpu, options, forward, gradient, slices }: Stage, l: number): Command[] {
  const { network, estimator, batch } = options;
  const layer = network.layers[l], { inputs, outputs, offset } = layer;
  return [command(
    gpu,
    "output_gradient",
    [Math.ceil((inputs + 1) * Math.ceil(outputs / 4) / 64), slices],
    {
      a: forward.values(layer.from[0]).buffer,
      residuals: forward.residuals,
      labels: forward.labels,
      gradient,
      stencil: uploadStencil(gpu, options),
    },
    {
      INPUTS: inputs,
      CLASSES: outputs,
      OFFSET: offset,
      BATCH: batch,
      POINTS: stencilOf(estimator).length,
      EPSILON: network.epsilon,
      SLICES: slices,
      PARAMETERS: network.parameters,
      REACH: reachOf(options, layer),
    },
    { loss: network.loss },
  )];
}

export type Way = "logit" | "states" | "direct" | "straight" | "rows";

/** Activations made of straight pieces. */
const PIECES = ["identity", "relu"];

function wayOf({ network: { layers }, sharing = true }: EngineOptions, l: number): Way {
  const last = layers.length - 1;
  if (l === last) return "logit";
  if (!sharing) return "rows";
  if (layers[l].activation === "step") return "states";
  const changed = new Set([l]);
  layers.forEach(({ from }, m) => {
    if (m > l && from.some((source) => changed.has(source))) changed.add(m);
  });
  changed.delete(l);
  if (changed.size === 1) return "direct";
  return [...changed].every((m) => PIECES.includes(layers[m].activation)) ? "straight" : "rows";
}

/** States that a unit has. */
const STATES = 2;

/**
 * The responses of a layer's units, and the gradient that is collected from them, part by part: so
 * many units at a time as there is room for.
 */
class Responses {
  readonly #stage: Stage;
  readonly #l: number;
  readonly #rows: Rows | undefined;
  readonly #slots: Slots | undefined; // none where units have states
  readonly #perSample: number;
  /** Units of a part, a multiple of 4. */
  readonly #units: number;
  readonly #responses: GPUBuffer; // [batch, perSample, units]
  readonly #stencil: GPUBuffer;
  readonly #constants: Constants;

  constructor(stage: Stage, l: number, rows: Rows | undefined, slots: Slots | undefined) {
    const { gpu, options, slices } = stage;
    const { network, batch, estimator } = options;
    const layer = network.layers[l], { inputs, outputs, offset } = layer;
    this.#stage = stage;
    this.#l = l;
    this.#rows = rows;
    this.#slots = slots;
    this.#perSample = slots?.perSample ?? STATES;
    const most = Math.min(
      gpu.scratchBytes / (4 * batch * this.#perSample),
      rows ? 4 * rows.quads / batch : Infinity,
    );
    this.#units = Math.min(4 * Math.ceil(outputs / 4), Math.max(4, 4 * Math.floor(most / 4)));
    this.#responses = gpu.buffer(
      `responses of ${layerName(network, l)}`,
      4 * batch * this.#perSample * this.#units,
    );
    this.#stencil = uploadStencil(gpu, options, reachOf(options, layer));
    this.#constants = {
      BATCH: batch,
      INPUTS: inputs,
      OUTPUTS: outputs,
      OFFSET: offset,
      WIDTH: inputs + 1, // of lists
      CLASSES: network.classes,
      EPSILON: network.epsilon,
      PARAMETERS: network.parameters,
      POINTS: stencilOf(estimator).length,
      SLICES: slices,
      SLOTS: slots?.perRun ?? 0,
      PER_SAMPLE: this.#perSample,
      NEXT: network.layers.at(-1)!.offset,
      ROW_QUADS: rows?.quads ?? 0,
    };
  }

  commands(way: Exclude<Way, "logit">): Command[] {
    const { outputs } = this.#layer;
    const commands: Command[] = [];
    for (let first = 0; first < outputs; first += this.#units) {
      commands.push(...this.#part(way, first));
    }
    return commands;
  }

  get #layer(): Layer {
    return this.#stage.options.network.layers[this.#l];
  }

  /** The dispatches of the units from `first` on. */
  #part(way: Exclude<Way, "logit">, first: number): Command[] {
    const part = this.#partBuffer(first, 0, 0);
    switch (way) {
      case "direct":
        return [this.#respond("direct", part, {}), this.#collect(part)];
      case "straight": {
        const { commands, logits } = this.#propagate("all", "straight", { part }, 0);
        const items = this.#items();
        const found = { directions: logits, reaches: this.#rows!.reaches, items };
        // The way of what is listed takes the rows that hold the directions.
        return [
          this.#command("list_begin", [1], { items }),
          this.#moveOne(part),
          ...commands,
          this.#respond("straight", part, found),
          ...this.#listed(first, items, "nudge"),
          this.#collect(part),
        ];
      }
      case "rows": {
        const items = this.#items(), slots = this.#slots!;
        return [
          this.#command("list_begin", [1], { items }),
          this.#command(
            "list_slots",
            [Math.ceil(slots.perRun / 64), slots.runs * this.#batch],
            { part, items, slots: slots.slots, slot_counts: slots.counts },
          ),
          ...this.#listed(first, items, "nudge"),
          this.#collect(part),
        ];
      }
      case "states": {
        const items = this.#items();
        return [
          this.#command("list_begin", [1], { items }),
          this.#command(
            "list_states",
            [Math.ceil(this.#units / 64), this.#batch],
            { part, items, values: this.#values, responses: this.#responses },
          ),
          ...this.#listed(first, items, "flip"),
          this.#collectStates(part),
        ];
      }
    }
  }

  get #batch(): number {
    return this.#stage.options.batch;
  }

  get #values(): GPUBuffer {
    return this.#stage.forward.values(this.#l).buffer;
  }

  /** See shaders/shared/part.wgsl. */
  #partBuffer(firstUnit: number, firstItem: number, items: number): GPUBuffer {
    const words = Uint32Array.of(firstUnit, this.#units, firstItem, items);
    return this.#stage.gpu.upload("part", words, GPUBufferUsage.UNIFORM);
  }

  /** Room for the places of all responses of a part. */
  #items(): GPUBuffer {
    return this.#stage.shared("items", 4 + this.#responses.size);
  }

  /** A kernel on this layer, the most of whose bindings and constants are always the same. */
  #command(
    kernel: Parameters<typeof command>[1],
    groups: Command["groups"],
    buffers: Record<string, GPUBuffer>,
    constants: Constants = {},
    fillings: Parameters<typeof command>[5] = {},
    work = 0,
  ): Command {
    const { gpu, options: { network } } = this.#stage;
    const { activation } = this.#layer;
    return command(
      gpu,
      kernel,
      groups,
      { stencil: this.#stencil, ...buffers },
      { ...this.#constants, ...constants },
      { activation, loss: network.loss, block: gpu.block, ...fillings },
      work,
    );
  }

  #respond(
    way: "direct" | "straight",
    part: GPUBuffer,
    found: Record<string, GPUBuffer>,
  ): Command {
    const { gpu, options: { network }, forward, parameters } = this.#stage;
    const quads = this.#units / 4, slots = this.#slots!;
    const workgroup = gpu.software ? 8 : laneCount(quads), stride = gpu.software ? 1 : 8;
    return this.#command(
      "respond",
      [Math.ceil(quads / workgroup), this.#batch, stride],
      {
        part,
        slots: slots.slots,
        slot_counts: slots.counts,
        values: this.#values,
        companions: forward.companions[this.#l],
        residuals: forward.residuals,
        labels: forward.labels,
        responses: this.#responses,
        parameters,
        ...found,
      },
      { WORKGROUP: workgroup, STRIDE: stride },
      { direction: way },
      this.#batch * slots.perSample * this.#units * Number(this.#constants.POINTS) *
        network.classes,
    );
  }

  #moveOne(part: GPUBuffer): Command {
    const { moves, reaches, quads } = this.#rows!;
    const groups = Math.ceil(Math.min(quads, this.#batch * this.#units / 4) / 64);
    return this.#command("move_one", [groups], { part, moves, reaches }, { WORKGROUP: 64 }, {
      rows: "all",
    });
  }

  #propagate(
    rows: Propagation["rows"],
    effect: Propagation["effect"],
    buffers: Record<string, GPUBuffer>,
    count: number,
    constants: Constants = {},
  ) {
    return propagate(this.#stage, this.#rows!, this.#l, {
      rows,
      effect,
      buffers: { parameters: this.#stage.parameters, ...buffers },
      constants: {
        BATCH: this.#batch,
        OUTPUTS: this.#layer.outputs,
        POINTS: this.#constants.POINTS,
        PER_SAMPLE: this.#perSample,
        ...constants,
      },
      count: count || this.#batch * this.#units,
    });
  }

  /** The general way of all that is listed, so much at a time as the rows have room for. */
  #listed(firstUnit: number, items: GPUBuffer, move: "nudge" | "flip"): Command[] {
    const { forward, options: { network } } = this.#stage;
    const rows = this.#rows!, isFlip = move === "flip";
    const points = isFlip ? 1 : Number(this.#constants.POINTS);
    const stencil = isFlip ? this.#stage.whole : this.#stencil;
    const most = Math.floor(4 * rows.quads / points);
    const total = this.#batch * this.#units * (this.#perSample - 1);
    const commands: Command[] = [];
    for (let first = 0; first < total; first += most) {
      const count = Math.min(most, total - first);
      const part = this.#partBuffer(firstUnit, first, count);
      const constants = { POINTS: points, WORKGROUP: 64 };
      const listed = { part, items, stencil };
      const { commands: passes, logits } = this.#propagate(
        "listed",
        "exact",
        listed,
        count * points,
        { POINTS: points },
      );
      commands.push(
        this.#command(
          move,
          [Math.ceil(count * points / 4 / 64)],
          {
            ...listed,
            ...(isFlip ? {} : { slots: this.#slots!.slots }),
            moves: rows.moves,
            values: this.#values,
            companions: forward.companions[this.#l],
          },
          constants,
          { rows: "listed" },
          count * points * ACTIVATION_WORK,
        ),
        ...passes,
        this.#command(
          "rows_loss",
          [Math.ceil(count / 64)],
          {
            ...listed,
            changes: logits,
            residuals: forward.residuals,
            labels: forward.labels,
            responses: this.#responses,
          },
          constants,
          { rows: "listed" },
          count * points * network.classes * ACTIVATION_WORK,
        ),
      );
    }
    return commands;
  }

  #collect(part: GPUBuffer): Command {
    return this.#sum("collect", part, { places: this.#slots!.places }, this.#lists.starts);
  }

  #collectStates(part: GPUBuffer): Command {
    const { entries, starts } = this.#lists;
    const companions = this.#stage.forward.companions[this.#l];
    return this.#sum("collect_states", part, { entries, companions }, starts);
  }

  get #lists() {
    return this.#stage.forward.values(this.#layer.from[0]).lists!;
  }

  #sum(
    kernel: "collect" | "collect_states",
    part: GPUBuffer,
    buffers: Record<string, GPUBuffer>,
    starts: GPUBuffer,
  ): Command {
    const { gpu, gradient, slices, options: { batch } } = this.#stage;
    const { inputs } = this.#layer;
    const { count } = tilesOf(gpu, this.#layer), lanes = gpu.software ? 8 : laneCount(this.#units / 4);
    return this.#command(
      kernel,
      [count, Math.ceil(this.#units / 4 / lanes), slices],
      { part, starts, gradient, responses: this.#responses, ...buffers },
      { WORKGROUP: lanes },
      {},
      batch * (inputs + 1) * this.#units,
    );
  }
}
