/** The unperturbed forward pass on the device, and the buffers that it leaves for the methods. */

import { DATA, type Layer, layerName, type Network, residualsOf } from "../core/network.ts";
import { checkSamples, type Samples } from "../data/samples.ts";
import type { Command, Gpu } from "./device.ts";
import type { Surrogate } from "../core/surrogate.ts";
import { command, type Constants, labelled } from "./kernel.ts";
import type { Fillings } from "./shaders.ts";
import {
  blocksOf,
  channelsOf,
  checkPool,
  filterOf,
  lanesOf,
  partsOf,
  uploadWindow,
  windowOf,
  workOf,
} from "./window.ts";

/**
 * How kernels cut a layer up that take four units and a block of inputs a thread: `lanes` threads
 * side by side, and as many slices of the batch `abreast` as fill a wave of 64.
 */
export function tilesOf({ block, software }: Gpu, { inputs, outputs }: Shape) {
  const lanes = software ? 8 : laneCount(Math.ceil(outputs / 4));
  const abreast = software ? 1 : Math.floor(64 / lanes);
  return { block, count: Math.ceil((inputs + 1) / block), lanes, abreast };
}
type Shape = Pick<Layer, "inputs" | "outputs">;

/** Workgroups as wide as a layer, in whole SIMD groups of 8, so that few lanes idle. */
export function laneCount(width: number): number {
  return Math.min(64, Math.ceil(width / 8) * 8);
}

/** The cross-entropy's epsilon as kernels take it. No constant of theirs may be infinite. */
export function epsilonConstants({ epsilon }: Network): Constants {
  return { EPSILON: epsilon, LOG_EPSILON: Math.max(Math.log(epsilon), -3e38) };
}

/** Inputs of a sample that a workgroup of gather or compact lists. */
export const RUN = 1024;

/** Loops over the classes that a thread of a loss takes for its sample, at most. */
const LOSS_LOOPS = 4;

/**
 * Refuses more classes than a thread can loop over on the device, so many times.
 * @throws {RangeError} with the most that it can.
 */
export function checkLoops(gpu: Gpu, classes: number, loops: number): void {
  const most = Math.floor(0.9 * gpu.loopTurns / loops);
  if (classes <= most) return;
  throw new RangeError(
    `Cannot tell ${classes} classes apart on ${gpu.adapter}: it breaks loops off behind ${most} ` +
      `classes; use a smaller batch, or --backend cpu`,
  );
}

/** The values of a layer, or the data: rows followed by a constant 1, and those not zero listed. */
export interface Values {
  readonly width: number;
  readonly buffer: GPUBuffer; // [batch, width + 1]
  /** See shaders/shared/listing.wgsl; where a dense layer takes the values, else undefined. */
  readonly lists?: {
    readonly runs: number;
    readonly entries: GPUBuffer; // [batch, runs, pairs of a run] of four numbers
    readonly starts: GPUBuffer; // [batch, runs, blocks of a run + 1]
  };
}

/** A batch's way through the network, recorded once. */
export class Forward {
  readonly batch: number;
  /** Which batch of the group is next; `finish` counts it on. */
  readonly step: GPUBuffer;
  readonly labels: GPUBuffer; // [batch]
  /** Targets that are no classes, and where those of the batch are; and whether there are any. */
  readonly goals: {
    readonly buffers: { goals: GPUBuffer; indices: GPUBuffer; step: GPUBuffer };
    readonly constants: { HAS_GOALS: boolean };
  };
  /** Whether the data are bytes, standing for byte / 255. */
  readonly bytes: boolean;
  /** Each unit's derivative and input. */
  readonly companions: GPUBuffer[]; // layers of [batch, outputs] of two numbers
  /** Of max pools: which of the sample's values that it takes each unit is, the first of equals. */
  readonly winners: (GPUBuffer | undefined)[]; // layers of [batch, outputs]
  readonly residuals: GPUBuffer; // [batch, residualsOf(network)]
  readonly losses: GPUBuffer; // [batch]
  readonly commands: Command[];
  readonly #data: Values;
  readonly #values: Values[]; // layers
  readonly #gpu: Gpu;
  readonly #surrogate: Surrogate | undefined;
  readonly #indices: GPUBuffer; // [steps, batch]

  /**
   * @param steps the most batches that one `begin` announces.
   * @param surrogate of the derivative of units with steps.
   */
  constructor(
    gpu: Gpu,
    network: Network,
    parameters: GPUBuffer,
    samples: Samples,
    batch: number,
    steps: number,
    surrogate?: Surrogate,
  ) {
    const { layers, inputs, classes } = network;
    const { block } = gpu;
    this.#gpu = gpu;
    this.#surrogate = surrogate;
    this.batch = batch;
    this.step = gpu.buffer("step", 4);
    this.#indices = gpu.buffer("batch indices", 4 * batch * steps);
    this.labels = gpu.buffer("labels", 4 * batch);
    const { targets } = samples;
    this.goals = {
      buffers: {
        goals: gpu.upload("targets", Float32Array.from(targets ?? [0])),
        indices: this.#indices,
        step: this.step,
      },
      constants: { HAS_GOALS: targets !== undefined },
    };
    const valuesOf = (l: number): Values => {
      const name = l === DATA ? "the data" : layerName(network, l);
      const width = l === DATA ? inputs : layers[l].outputs;
      const runs = Math.ceil((width + 1) / RUN);
      const isListed = l === DATA ||
        layers.some(({ kind, from: [from] }) => kind === "dense" && from === l);
      return {
        width,
        buffer: gpu.buffer(`values of ${name}`, 4 * batch * (width + 1)),
        lists: isListed
          ? {
            runs,
            entries: gpu.buffer(`entries of ${name}`, 8 * batch * runs * (RUN + RUN / block)),
            starts: gpu.buffer(`starts of ${name}`, 4 * batch * runs * (RUN / block + 1)),
          }
          : undefined,
      };
    };
    this.#data = valuesOf(DATA);
    this.#values = layers.map((_, l) => valuesOf(l));
    this.companions = layers.map((layer, l) =>
      gpu.buffer(`companions of ${layerName(network, l)}`, 8 * batch * layer.outputs)
    );
    this.winners = layers.map(({ kind, outputs }, l) =>
      kind === "maxpool"
        ? gpu.buffer(`winners of ${layerName(network, l)}`, 4 * batch * outputs)
        : undefined
    );
    this.residuals = gpu.buffer("residuals", 4 * batch * residualsOf(network));
    this.losses = gpu.buffer("sample losses", 4 * batch);

    checkSamples(samples, network, "float32");
    const list = (l: number, buffers: Record<string, GPUBuffer>, constants: Constants) => {
      const { width, lists } = this.values(l), { runs, entries, starts } = lists!;
      return command(
        gpu,
        l === DATA ? "gather" : "compact",
        [runs, batch],
        { ...buffers, entries, starts },
        {
          ...constants,
          WIDTH: width + 1,
          THREADS: Math.min(RUN / 32, Math.ceil((width + 1) / 32)),
        },
        { block },
      );
    };
    const { x } = samples;
    this.bytes = x instanceof Uint8Array;
    const gather = list(DATA, {
      samples: gpu.upload("samples", x instanceof Float64Array ? Float32Array.from(x) : x),
      sample_labels: gpu.upload("sample labels", Uint32Array.from(samples.labels)),
      indices: this.#indices,
      step: this.step,
      x: this.#data.buffer,
      labels: this.labels,
    }, { BATCH: batch, BYTES: this.bytes });
    const passes = layers.flatMap((layer, l) => {
      const { buffer, lists } = this.#values[l];
      const pass = this.#layer(parameters, layer, l);
      const listing = lists ? [list(l, { a: buffer }, {})] : [];
      return labelled(layerName(network, l), [...pass, ...listing]);
    });
    checkLoops(gpu, classes, LOSS_LOOPS);
    const loss = command(gpu, `${network.loss}_loss`, [Math.ceil(batch / 64)], {
      logits: this.#values.at(-1)!.buffer,
      labels: this.labels,
      residuals: this.residuals,
      losses: this.losses,
      ...this.goals.buffers,
    }, {
      ...this.goals.constants,
      CLASSES: classes,
      ROWS: batch,
      BATCH: batch,
      ...epsilonConstants(network),
      KEEP: true,
      COPY_STRIDE: 0,
      SAMPLE_STRIDE: classes + 1,
      CLASS_STRIDE: 1,
    });
    this.commands = [gather, ...passes, loss];
  }

  /** The values of a layer, or the data. */
  values(l: number): Values {
    return l === DATA ? this.#data : this.#values[l];
  }

  /** The logits, each row followed by a constant 1. */
  get logits(): GPUBuffer { // [batch, classes + 1]
    return this.#values.at(-1)!.buffer;
  }

  #layer(parameters: GPUBuffer, layer: Layer, l: number): Command[] {
    if (layer.kind === "dense") return [this.#dense(parameters, layer, l)];
    if (layer.kind === "sum") return this.#sum(layer, l);
    return layer.kind === "maxpool" ? [this.#maxpool(layer, l)] : this.#conv(parameters, layer, l);
  }

  #conv(parameters: GPUBuffer, layer: Layer, l: number): Command[] {
    const gpu = this.#gpu, window = windowOf(layer), { kernel, output, groups } = window;
    const [taken, given] = channelsOf(window), parts = partsOf(gpu, taken * kernel[0], kernel[1]);
    return parts.map((lines) =>
      command(
        gpu,
        "conv",
        [blocksOf(gpu, groups, given, output[1] * output[2]), this.batch],
        {
          parameters,
          a: this.values(layer.from[0]).buffer,
          values: this.#values[l].buffer,
          companions: this.companions[l],
          window: uploadWindow(gpu, layer, lines),
        },
        { WORKGROUP: lanesOf(gpu), ...this.#width },
        { ...this.#fillings(layer), ...filterOf(layer) },
        this.batch * workOf(window) / parts.length,
      )
    );
  }

  #maxpool(layer: Layer, l: number): Command {
    const gpu = this.#gpu, window = windowOf(layer);
    checkPool(gpu, window);
    return command(
      gpu,
      "maxpool",
      [Math.ceil(layer.outputs / lanesOf(gpu)), this.batch],
      {
        a: this.values(layer.from[0]).buffer,
        values: this.#values[l].buffer,
        companions: this.companions[l],
        winners: this.winners[l]!,
        window: uploadWindow(gpu, layer),
      },
      { WORKGROUP: lanesOf(gpu), ...this.#width },
      this.#fillings(layer),
      this.batch * workOf(window),
    );
  }

  #dense(parameters: GPUBuffer, layer: Layer, l: number): Command {
    const { inputs, outputs, offset, from: [from] } = layer;
    const { software, block } = this.#gpu;
    const lanes = software ? 8 : Math.min(64, Math.ceil((outputs + 1) / 4));
    const splits = software ? 1 : Math.min(32, Math.floor(256 / lanes));
    const { entries, starts } = this.values(from).lists!;
    return command(
      this.#gpu,
      "dense",
      [Math.ceil((outputs + 1) / 4 / lanes), this.batch],
      {
        parameters,
        entries,
        starts,
        values: this.#values[l].buffer,
        companions: this.companions[l],
      },
      { INPUTS: inputs, OUTPUTS: outputs, OFFSET: offset, ...this.#width },
      { ...this.#fillings(layer), block, lanes, splits },
      this.batch * (inputs + 1) * outputs,
    );
  }

  #sum(layer: Layer, l: number): Command[] {
    const { outputs, from } = layer;
    return from.map((source, i) =>
      command(
        this.#gpu,
        "pointwise",
        [Math.ceil((outputs + 1) / 4 / 64), this.batch],
        {
          a: this.values(source).buffer,
          values: this.#values[l].buffer,
          companions: this.companions[l],
        },
        { WIDTH: outputs, ADD: i > 0, LAST: i === from.length - 1, ...this.#width },
        this.#fillings(layer),
      )
    );
  }

  /** What computes a layer's values and derivatives. */
  #fillings({ activation }: Layer): Fillings {
    return { activation, surrogate: this.#surrogate?.name };
  }

  get #width(): Constants {
    return this.#surrogate ? { SURROGATE_WIDTH: this.#surrogate.width } : {};
  }

  /** Announces the batches of the next submission. */
  begin(indices: Uint32Array): void { // [steps, batch]
    this.#gpu.write(this.#indices, indices);
    this.#gpu.write(this.step, new Uint32Array(1));
  }
}
