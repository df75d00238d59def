/**
 * The differences method on the device: nudged copies of the network as exact changes from the
 * unperturbed pass. For each layer's weights the plan says which way the copies go, and so what
 * they are evaluated once for; here are the kernels that take them there.
 */

import { stencilOf } from "../core/estimator.ts";
import { type Fused, type Plan, planOf, type Way } from "../core/plan.ts";
import { DATA, type Layer, layerName } from "../core/network.ts";
import { UNITS } from "../core/slices.ts";
import { densityOf, type Samples } from "../data/samples.ts";
import type { EngineOptions } from "../engine.ts";
import { activationOf } from "../operations/registry.ts";
import { statesWithin } from "../operations/states.ts";
import { denseGradient } from "./backprop.ts";
import type { Command, Gpu } from "./device.ts";
import { laneCount, tilesOf } from "./forward.ts";
import { command, type Constants, labelled } from "./kernel.ts";
import { ACTIVATION_WORK, propagate, type Propagation, Rows, walkersOf, widestOf } from "./rows.ts";
import { type MapRows, maps, roomForMaps } from "./maps.ts";
import { type Chain, type Shape, tables, tableSize, unrolled } from "./narrow.ts";
import { once, type Scope, scoped } from "./scope.ts";
import { type Slots, slotsOf } from "./slots.ts";
import { type Stage, stageAt, uploadStencil } from "./stage.ts";

/** The largest absolute input that a layer can have; the constant 1 included. */
function largestInput({ network: { layers }, samples }: EngineOptions, { from: [from] }: Layer) {
  if (from === DATA) return largestValue(samples);
  return Math.max(1, ...activationOf(layers[from].activation).range.map(Math.abs));
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
  return Math.min(largestInput(options, layer) * farthestOf(options), 3e38);
}

/** The same for an input of 1. */
function farthestOf({ estimator }: EngineOptions): number {
  return estimator.h * Math.max(...stencilOf(estimator).map(({ offset }) => Math.abs(offset)));
}

/** Threads of reach.wgsl. */
const REACH_THREADS = 256;

/**
 * The stencil of a layer's nudges, with their reach.
 * @returns it, and what measures the reach in the batch where no bound of the inputs is known, and
 *   nudges may be tiny for it.
 */
function nudgesOf(stage: Stage, layer: Layer): { stencil: GPUBuffer; measure: Command[] } {
  const { gpu, options, forward } = stage, farthest = farthestOf(options);
  const reach = reachOf(options, layer), { inputs, from: [from] } = layer;
  const turns = options.batch * (inputs + 1) / REACH_THREADS + REACH_THREADS;
  // Where there are more states than two, fewer are evaluated for it, too.
  const isOfUse = farthest <= TINY ||
    (activationOf(layer.activation).states?.values.length ?? 0) > 2;
  const isKnown = reach < 3e38 || !isOfUse || turns > 0.9 * gpu.loopTurns;
  const stencil = uploadStencil(gpu, options, reach);
  if (isKnown) return { stencil, measure: [] };
  const a = forward.values(from).buffer;
  const constants = { WIDTH: inputs + 1, BATCH: options.batch, FARTHEST: farthest };
  return { stencil, measure: [command(gpu, "reach", [1], { a, stencil }, constants)] };
}

/** Up to here short series do: TINY in shaders/shared/special.wgsl. */
const TINY = 2 ** -12;

/**
 * What kernels are compiled for: the reach of nudges, rounded up to one of these. Behind the first
 * are those where activations and losses take other forms.
 */
const REACHES = [TINY, 0.5, 1, 3e38];

/** The reach that kernels are compiled for. */
const rounded = (reach: number) => REACHES.find((most) => reach <= most) ?? 3e38;

/** A term of a loss, in multiply-adds. */
const LOSS_WORK = 20;

/** Turns of loops that hidden_gradient.wgsl takes over one sample. */
function turnsOfSample(gpu: Gpu, { network, estimator }: EngineOptions): number {
  // The loops over one entry, where changes are not tiny, and where they are and there are more
  // classes than it keeps. Each counts one turn more: the one that ends it.
  const points = stencilOf(estimator).length, { classes } = network;
  const turnsOfEntry = 2 + Math.max(
    Math.ceil(points / 2) * (2 + classes),
    points * (1 + Math.max(0, classes - 16)),
  );
  return 4 + gpu.block * turnsOfEntry;
}

/** Whether a thread of hidden_gradient.wgsl gets to the end of one sample at least. */
const isFused = (gpu: Gpu, options: EngineOptions) =>
  turnsOfSample(gpu, options) <= 0.9 * gpu.loopTurns;

/** The most turns of loops that a thread takes over a sample where it sums up a gradient. */
function turnsOfSums(gpu: Gpu, options: EngineOptions): number {
  const { network: { layers }, estimator } = options;
  const thresholds = Math.max(0, ...layers.map((layer) => reachedOf(options, layer)));
  // Of one entry; points that are many take no loop.
  const turns = 1 + (stencilOf(estimator).length <= 4 ? stencilOf(estimator).length + 1 : 0);
  const collected = 4 + (thresholds > 0 ? thresholds * (2 + gpu.block * turns) : gpu.block);
  return Math.max(isFused(gpu, options) ? turnsOfSample(gpu, options) : 0, collected);
}

/**
 * Partial sums that a gradient is made in: a hardware device wants more threads than one batch-long
 * loop for each weight gives it, and a software device ends loops that are too long.
 */
export function slicesOf(gpu: Gpu, options: EngineOptions): number {
  const { network: { parameters }, batch } = options;
  const needed = Math.ceil(batch * turnsOfSums(gpu, options) / (0.9 * gpu.loopTurns));
  const room = Math.floor(gpu.largestBuffer / (4 * parameters));
  const wanted = Math.min(gpu.software ? 2 : 25, room);
  return Math.min(batch, Math.max(1, needed, wanted));
}

/**
 * What the fused way takes on a device: with more layers compilers take minutes, and hardware has too
 * few registers for any.
 */
export function fusedOn(gpu: Gpu): Fused | undefined {
  return gpu.software ? { width: 64, layers: shapeOf(gpu).layers + 1, classes: 16 } : undefined;
}

/** The dispatches that fill the gradient behind a forward pass. */
export function differences(stage: Stage): Command[] {
  const { options } = stage, { network, estimator, batch, sharing = true, samples } = options;
  const { layers } = network, fused = fusedOn(stage.gpu);
  const plan = planOf(network, { estimator, batch, ...densityOf(samples), sharing, fused });
  const slots = new Map<number, Slots>();
  let rows: Rows | undefined, mapRows: MapRows | undefined;
  return layers.flatMap((layer, l) => {
    if (layer.tensors.length === 0) return [];
    const at = stageAt(stage, l), way = wayOf(at, plan, l), name = layerName(network, l);
    if (way === "logit") return labelled(name, logits(at, l));
    if (way === "direct") return labelled(name, direct(at, l));
    if (way === "maps") return maps(at, l, mapRows ??= roomForMaps(stage));
    const [from] = layer.from, commands: Command[] = [];
    if (way !== "states" && !slots.has(from)) {
      slots.set(from, slotsOf(stage, stage.forward, from));
      commands.push(...once([slots.get(from)!.command]));
    }
    rows ??= roomForRows(stage);
    const responses = new Responses(at, l, rows, way === "states" ? undefined : slots.get(from)!);
    return labelled(name, [...commands, ...responses.commands(way)]);
  });
}

/** Room for the rows of any layer's responses. */
function roomForRows({ gpu, options: { network: { layers }, batch, estimator } }: Stage): Rows {
  const widest = widestOf(layers);
  const inputs = Math.max(...layers.map(({ kind, inputs }) => kind === "dense" ? inputs : 0));
  const points = stencilOf(estimator).length;
  return new Rows(gpu, batch * (inputs + 1) * widest * points, 4 * batch, widest);
}

/**
 * Whether all that a layer takes is 0 or 1, like the constant behind it: then all nudges of a unit's
 * weights are one evaluation a sample, and the gradient is a product of inputs and these.
 */
function takesOnes({ network: { layers }, sharing = true }: EngineOptions, l: number): boolean {
  const [from] = layers[l].from;
  if (!sharing || from === DATA) return false;
  const { states } = activationOf(layers[from].activation);
  return states?.values.length === 2 && states.values[0] === 0 && states.values[1] === 1;
}

/** One fused kernel: a nudge moves one logit. */
function logits(stage: Stage, l: number): Command[] {
  const { gpu, options, forward, gradient, slices } = stage;
  const { network, estimator, batch } = options;
  const layer = network.layers[l], { inputs, outputs, offset } = layer;
  const scope: Scope = { layer: l, of: "inputs", first: 0, end: inputs + 1 };
  if (takesOnes(options, l)) {
    const slopes = gpu.buffer(`slopes of ${layerName(network, l)}`, 4 * batch * outputs);
    return scoped(scope, [
      command(
        gpu,
        "logit_slopes",
        [Math.ceil(batch * outputs / 64)],
        {
          residuals: forward.residuals,
          labels: forward.labels,
          slopes,
          stencil: uploadStencil(gpu, options, reachOf(options, layer)),
        },
        {
          CLASSES: outputs,
          BATCH: batch,
          POINTS: stencilOf(estimator).length,
          REACH: rounded(reachOf(options, layer)),
        },
        { loss: network.loss },
        LOSS_WORK * batch * outputs * stencilOf(estimator).length,
      ),
      denseGradient(stage, l, slopes),
    ]);
  }
  const fours = Math.ceil(outputs / 4);
  return scoped({ ...scope, along: { side: 0, each: 64 / fours } }, [command(
    gpu,
    "output_gradient",
    [Math.ceil((inputs + 1) * fours / 64), slices],
    {
      a: forward.values(layer.from[0]).buffer,
      residuals: forward.residuals,
      labels: forward.labels,
      gradient,
      stencil: uploadStencil(gpu, options, reachOf(options, layer)),
    },
    {
      INPUTS: inputs,
      CLASSES: outputs,
      OFFSET: offset,
      BATCH: batch,
      POINTS: stencilOf(estimator).length,
      SLICES: slices,
      PARAMETERS: network.parameters,
      REACH: rounded(reachOf(options, layer)),
    },
    { loss: network.loss },
    LOSS_WORK * batch * (inputs + 1) * outputs * stencilOf(estimator).length,
  )]);
}

/** One fused kernel: a nudge moves one unit, and so all logits by a row of the output matrix. */
function direct(stage: Stage, l: number): Command[] {
  const { gpu, options, forward, parameters, gradient, slices } = stage;
  const { network, batch, estimator } = options, { layers, loss, classes } = network;
  const layer = layers[l], { inputs, outputs, offset, activation } = layer;
  const { block, count, lanes, abreast } = tilesOf(gpu, layer);
  const { entries, starts } = forward.values(layer.from[0]).lists!;
  const points = stencilOf(estimator).length, { stencil, measure } = nudgesOf(stage, layer);
  const reach = reachOf(options, layer);
  const scope: Scope = { layer: l, of: "inputs", first: 0, end: inputs + 1 };
  return [
    ...scoped(scope, measure),
    ...scoped({ ...scope, along: { side: 0, each: block } }, [command(
      gpu,
      "hidden_gradient",
      [count, Math.ceil(outputs / 4 / lanes), Math.ceil(slices / abreast)],
      {
        parameters,
        residuals: forward.residuals,
        labels: forward.labels,
        gradient,
        stencil,
        entries,
        starts,
        values: forward.values(l).buffer,
        companions: forward.companions[l],
      },
      {
        CLASSES: classes,
        BATCH: batch,
        POINTS: points,
        SLICES: slices,
        PARAMETERS: network.parameters,
        INPUTS: inputs,
        OUTPUTS: outputs,
        OFFSET: offset,
        NEXT: layers.at(-1)!.offset,
        REACH: rounded(reach),
        MAY_BE_TINY: reach <= TINY || measure.length > 0,
        WORKGROUP: lanes,
        ABREAST: abreast,
      },
      { activation, loss, block },
      batch * (inputs + 1) * outputs * points * (classes + ACTIVATION_WORK + LOSS_WORK),
    )]),
  ];
}

/** Other states that nudges may move a unit of that layer to, where it has but a few; else 0. */
function reachedOf(options: EngineOptions, layer: Layer): number {
  const { states } = activationOf(layer.activation);
  return states ? statesWithin(states, reachOf(options, layer)) : 0;
}

/** Whether it is Mesa's software Vulkan, which alone ends loops. */
const isMesa = ({ loopTurns }: Gpu) => Number.isFinite(loopTurns);

/** How adapters take narrow.wgsl fastest, as measured. */
function shapeOf(gpu: Gpu): Shape {
  return isMesa(gpu)
    ? { weights: "variables", size: 4, vectors: 4, layers: 3 }
    : { weights: "private", size: 2, vectors: 4, layers: 2 };
}

/** The way that a layer's copies go on this device. */
function wayOf({ gpu, options }: Stage, plan: Plan, l: number): Way {
  const { way } = plan.gradient.find(({ layer }) => layer === l)!;
  // Loops over so many classes that the device would end them are shorter by rows.
  return way === "direct" && !isFused(gpu, options) ? "rows" : way;
}

/**
 * The responses of a layer's units, and the gradient that is collected from them, part by part: so
 * many units at a time as there is room for.
 */
class Responses {
  readonly #stage: Stage;
  readonly #l: number;
  readonly #rows: Rows;
  readonly #slots: Slots | undefined; // none where units have states
  readonly #perSample: number;
  /** Units of a part, a multiple of 4. */
  readonly #units: number;
  /** Threads side by side, each with four units of them, that sum a gradient up. */
  readonly #lanes: number;
  readonly #responses: GPUBuffer; // [batch, perSample, units]
  /** Where all weights into a unit have them in common. */
  readonly #slopes: GPUBuffer | undefined; // [batch, outputs]
  readonly #stencil: GPUBuffer;
  readonly #measure: readonly Command[];
  readonly #constants: Constants;

  constructor(stage: Stage, l: number, rows: Rows, slots: Slots | undefined) {
    const { gpu, options, slices } = stage;
    const { network, batch, estimator } = options;
    const layer = network.layers[l], { inputs, outputs, offset } = layer;
    this.#stage = stage;
    this.#l = l;
    this.#rows = rows;
    this.#slots = slots;
    this.#perSample = slots?.perSample ?? activationOf(layer.activation).states!.values.length;
    const most = Math.min(
      gpu.scratchBytes / (4 * batch * this.#perSample),
      4 * rows.quads / batch,
      options.sliced ? UNITS : Infinity,
    );
    // Where there are several parts, each is whole groups of threads, which sum it up.
    const all = 4 * Math.ceil(outputs / 4), { lanes } = tilesOf(gpu, layer);
    this.#lanes = most >= all ? lanes : Math.max(1, Math.min(lanes, Math.floor(most / 4)));
    this.#units = most >= all
      ? all
      : Math.max(1, Math.floor(most / 4 / this.#lanes)) * 4 * this.#lanes;
    this.#responses = gpu.buffer(
      `responses of ${layerName(network, l)}`,
      4 * batch * this.#perSample * this.#units,
    );
    this.#slopes = !slots && takesOnes(options, l)
      ? gpu.buffer(`slopes of ${layerName(network, l)}`, 4 * batch * outputs)
      : undefined;
    const { stencil, measure } = nudgesOf(stage, layer);
    this.#stencil = stencil;
    this.#measure = measure;
    this.#constants = {
      BATCH: batch,
      INPUTS: inputs,
      OUTPUTS: outputs,
      OFFSET: offset,
      WIDTH: inputs + 1, // of lists
      CLASSES: network.classes,
      PARAMETERS: network.parameters,
      POINTS: stencilOf(estimator).length,
      SLICES: slices,
      SLOTS: slots?.perRun ?? 0,
      PER_SAMPLE: this.#perSample,
      ROW_QUADS: rows.quads,
    };
  }

  commands(way: Exclude<Way, "logit" | "direct" | "maps">): Command[] {
    const { outputs } = this.#layer, l = this.#l;
    const all: Scope = { layer: l, of: "units", first: 0, end: outputs };
    const commands = scoped(all, this.#measure);
    for (let first = 0; first < outputs; first += this.#units) {
      const scope = { ...all, first, end: first + this.#units };
      commands.push(...scoped(scope, this.#part(way, first)));
    }
    if (!this.#slopes) return commands;
    return [...commands, ...scoped(all, [denseGradient(this.#stage, l, this.#slopes)])];
  }

  get #layer(): Layer {
    return this.#stage.options.network.layers[this.#l];
  }

  /** The dispatches of the units from `first` on. */
  #part(way: Exclude<Way, "logit" | "direct" | "maps">, first: number): Command[] {
    const part = this.#partBuffer(first, 0, 0);
    switch (way) {
      case "straight": {
        const { commands, logits } = this.#propagate("all", "straight", { part }, 0);
        const items = this.#items();
        const found = { directions: logits, reaches: this.#rows.reaches, items };
        // The way of what is listed takes the rows that hold the directions.
        return [
          this.#command("list_begin", [1], { items }, { LISTS: 1 }),
          this.#moveOne(part),
          ...commands,
          this.#respond(part, found),
          ...this.#listed(first, items, "nudge", true),
          this.#collect(part),
        ];
      }
      case "fused": {
        const items = this.#items();
        return [
          this.#command("list_begin", [1], { items }, { LISTS: 1 }),
          ...this.#narrow(part, items),
          ...this.#listed(first, items, "nudge", true),
          this.#collect(part),
        ];
      }
      case "rows": {
        const items = this.#items(), slots = this.#slots!;
        return [
          this.#command("list_begin", [1], { items }, { LISTS: 1 }),
          this.#command(
            "list_slots",
            [Math.ceil(this.#units / 8), slots.runs * this.#batch],
            {
              part,
              items,
              slots: slots.slots,
              slot_counts: slots.counts,
              responses: this.#responses,
            },
            { WORKGROUP: 8 },
          ),
          ...this.#listed(first, items, "nudge"),
          this.#collect(part),
        ];
      }
      case "states": {
        const items = this.#items();
        return [
          this.#command("list_begin", [1], { items }, { LISTS: 1 }),
          this.#command(
            "list_states",
            [Math.ceil(this.#units / 64), this.#batch],
            { part, items, companions: this.#companions, responses: this.#responses },
            { WORKGROUP: 64 },
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

  get #companions(): GPUBuffer {
    return this.#stage.forward.companions[this.#l];
  }

  /** See shaders/shared/part.wgsl. */
  #partBuffer(firstUnit: number, firstItem: number, items: number): GPUBuffer {
    const { outputs } = this.#layer;
    const words = Uint32Array.of(
      ...[firstUnit, this.#units, firstItem, items],
      ...[outputs, this.#perSample, 0, 0],
    );
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
    part: GPUBuffer,
    found: Record<string, GPUBuffer>,
  ): Command {
    const { gpu, options: { network }, forward } = this.#stage;
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
        ...found,
      },
      { WORKGROUP: workgroup, STRIDE: stride },
      {},
      this.#batch * slots.perSample * this.#units * Number(this.#constants.POINTS) *
        network.classes,
    );
  }

  /** Narrow layers behind this one, and the logits behind them, in one kernel. */
  #narrow(part: GPUBuffer, items: GPUBuffer): Command[] {
    const stage = this.#stage, { gpu, forward, parameters, options: { network } } = stage;
    const { layers, classes } = network, slots = this.#slots!;
    const behind = layers.slice(this.#l + 1, -1);
    const chain: Chain = {
      widths: behind.map(({ outputs }) => outputs),
      factors: behind.map(({ activation }) => activationOf(activation).steepest),
      classes,
      points: Number(this.#constants.POINTS),
    };
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.STORAGE;
    const table = gpu.buffer("narrow table", 16 * tableSize(chain), usage);
    const widths = [this.#layer.outputs, ...chain.widths];
    const total = widths.reduce((sum, width) => sum + width);
    const series = gpu.buffer("series", 8 * this.#batch * total);
    let first = 0;
    const fill = widths.map((width, i) => {
      const before = first;
      first += this.#batch * width;
      return this.#command(
        "narrow_series",
        [Math.ceil(width / 4 / 64), this.#batch],
        {
          values: forward.values(this.#l + i).buffer,
          companions: forward.companions[this.#l + i],
          series,
        },
        { WIDTH: width, FIRST: before },
        { activation: layers[this.#l + i].activation },
      );
    });
    const matrices = tables(chain).map(({ rows, columns, first }, i) => {
      const { offset, outputs } = layers[this.#l + 2 + i];
      const isOutput = i === behind.length - 1;
      return this.#command("narrow_table", [Math.ceil(rows / 64)], { parameters, table }, {
        ROWS: rows,
        COLUMNS: columns,
        MATRIX: offset,
        ROW_STRIDE: isOutput ? outputs : 1,
        COLUMN_STRIDE: isOutput ? 1 : outputs,
        FIRST: first,
      });
    });
    const workgroup = gpu.software ? 8 : 64;
    const adds = widths.reduce((sum, width, i) => sum + width * (widths[i + 1] ?? classes), 0);
    return [
      ...fill,
      ...matrices,
      this.#command(
        "narrow",
        [Math.ceil(this.#units / workgroup), this.#batch],
        {
          part,
          items,
          slots: slots.slots,
          slot_counts: slots.counts,
          series,
          residuals: forward.residuals,
          labels: forward.labels,
          responses: this.#responses,
          parameters,
          table,
        },
        {
          WORKGROUP: workgroup,
          OFFSET_NEXT: behind[0].offset,
          // What the unrolled text is made of, for its twin.
          ...Object.fromEntries(behind.flatMap(({ outputs, activation }, i) => [
            [`WIDTH_${i + 1}`, outputs],
            [`STEEPEST_${i + 1}`, activationOf(activation).steepest],
          ])),
        },
        { unrolled: unrolled(chain, shapeOf(gpu)) },
        this.#batch * slots.perSample * this.#units * chain.points * adds,
      ),
    ];
  }

  #moveOne(part: GPUBuffer): Command {
    const { moves, reaches, quads } = this.#rows;
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
    return propagate(this.#stage, this.#rows, this.#l, {
      rows,
      effect,
      buffers: { parameters: this.#stage.parameters, ...buffers },
      constants: {
        BATCH: this.#batch,
        POINTS: this.#constants.POINTS,
        ...constants,
      },
      count: count || this.#batch * this.#units,
    });
  }

  /**
   * The general way of all that is listed, so much at a time as the rows have room for.
   * @param isRare whether far fewer are expected than there can be.
   */
  #listed(
    firstUnit: number,
    items: GPUBuffer,
    move: "nudge" | "flip",
    isRare = false,
  ): Command[] {
    const { forward, lists, notes, options: { network } } = this.#stage;
    const rows = this.#rows, isFlip = move === "flip";
    const points = isFlip ? 1 : Number(this.#constants.POINTS);
    const stencil = isFlip ? this.#stage.whole : this.#stencil;
    const most = Math.floor(4 * rows.quads / points);
    const perUnit = isFlip ? reachedOf(this.#stage.options, this.#layer) : this.#perSample - 1;
    const total = this.#batch * this.#units * perUnit;
    const { index, room } = this.#stage.roomOf(isRare ? Math.min(most, total) : total, total);
    const commands: Command[] = [];
    if (room < total) {
      const part = this.#partBuffer(firstUnit, index, room);
      const bound = { part, items, step: forward.step, notes: notes.buffer, counts: lists.counts };
      commands.push(this.#command("list_end", [1], bound, { BAD: notes.at, LISTS: 1 }));
    }
    for (let first = 0; first < room; first += most) {
      const count = Math.min(most, room - first);
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
          [walkersOf(this.#stage.gpu, count * points / 4, 1) / 64],
          {
            ...listed,
            ...(isFlip ? {} : { slots: this.#slots!.slots }),
            moves: rows.moves,
            values: this.#values,
            companions: this.#companions,
          },
          constants,
          { rows: "listed" },
          count * points * ACTIVATION_WORK,
        ),
        ...passes,
        this.#command(
          "rows_loss",
          [walkersOf(this.#stage.gpu, count, network.classes + 1) / 64],
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
    if (this.#slopes) {
      return this.#command(
        "state_slopes",
        [Math.ceil(this.#units / 4 / 64), this.#batch],
        {
          part,
          companions: this.#companions,
          responses: this.#responses,
          slopes: this.#slopes,
        },
        { WORKGROUP: 64 },
      );
    }
    const { entries, starts } = this.#lists;
    return this.#sum(
      "collect_states",
      part,
      { entries, companions: this.#companions },
      starts,
    );
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
    const { count, abreast } = tilesOf(gpu, this.#layer), lanes = this.#lanes;
    return this.#command(
      kernel,
      [count, Math.ceil(this.#units / 4 / lanes), Math.ceil(slices / abreast)],
      { part, starts, gradient, responses: this.#responses, ...buffers },
      { WORKGROUP: lanes, ABREAST: abreast },
      {},
      batch * (inputs + 1) * this.#units,
    );
  }
}
