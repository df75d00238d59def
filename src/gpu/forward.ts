/** The unperturbed forward pass on the device, and the buffers that it leaves for the methods. */

import { DATA, type Layer, layerName, type Network } from "../core/network.ts";
import { checkSamples, type Samples } from "../data/samples.ts";
import type { Command, Gpu } from "./device.ts";
import { command, type Constants } from "./kernel.ts";

/** How kernels cut a layer up that take four units and a block of inputs a thread. */
export function tilesOf({ block, software }: Gpu, { inputs, outputs }: Shape) {
  const lanes = software ? 8 : laneCount(Math.ceil(outputs / 4));
  return { block, count: Math.ceil((inputs + 1) / block), lanes };
}
type Shape = Pick<Layer, "inputs" | "outputs">;

/** Workgroups as wide as a layer, in whole SIMD groups of 8, so that few lanes idle. */
export function laneCount(width: number): number {
  return Math.min(64, Math.ceil(width / 8) * 8);
}

/** Inputs of a sample that a workgroup of gather or compact lists. */
export const RUN = 1024;

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
  /** Whether the data are bytes, standing for byte / 255. */
  readonly bytes: boolean;
  readonly companions: GPUBuffer[]; // layers of [batch, outputs]
  readonly residuals: GPUBuffer; // [batch, classes + 1]
  readonly losses: GPUBuffer; // [batch]
  readonly commands: Command[];
  readonly #data: Values;
  readonly #values: Values[]; // layers
  readonly #gpu: Gpu;
  readonly #indices: GPUBuffer; // [steps, batch]

  /** @param steps the most batches that one `begin` announces. */
  constructor(
    gpu: Gpu,
    network: Network,
    parameters: GPUBuffer,
    samples: Samples,
    batch: number,
    steps: number,
  ) {
    const { layers, inputs, classes, epsilon } = network;
    const { block } = gpu;
    this.#gpu = gpu;
    this.batch = batch;
    this.step = gpu.buffer("step", 4);
    this.#indices = gpu.buffer("batch indices", 4 * batch * steps);
    this.labels = gpu.buffer("labels", 4 * batch);
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
      gpu.buffer(`companions of ${layerName(network, l)}`, 4 * batch * layer.outputs)
    );
    this.residuals = gpu.buffer("residuals", 4 * batch * (classes + 1));
    this.losses = gpu.buffer("sample losses", 4 * batch);

    checkSamples(samples, "float32");
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
      const pass = layer.kind === "dense"
        ? [this.#dense(parameters, layer, l)]
        : this.#sum(layer, l);
      return lists ? [...pass, list(l, { a: buffer }, {})] : pass;
    });
    const loss = command(gpu, `${network.loss}_loss`, [Math.ceil(batch / 64)], {
      logits: this.#values.at(-1)!.buffer,
      labels: this.labels,
      residuals: this.residuals,
      losses: this.losses,
    }, {
      CLASSES: classes,
      ROWS: batch,
      BATCH: batch,
      EPSILON: epsilon,
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

  #dense(parameters: GPUBuffer, layer: Layer, l: number): Command {
    const { inputs, outputs, offset, activation, from: [from] } = layer;
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
      { INPUTS: inputs, OUTPUTS: outputs, OFFSET: offset, WORKGROUP: lanes, SPLITS: splits },
      { activation, block },
    );
  }

  #sum({ outputs, from, activation }: Layer, l: number): Command[] {
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
        { WIDTH: outputs, ADD: i > 0, LAST: i === from.length - 1 },
        { activation },
      )
    );
  }

  /** Announces the batches of the next submission. */
  begin(indices: Uint32Array): void { // [steps, batch]
    this.#gpu.write(this.#indices, indices);
    this.#gpu.write(this.step, new Uint32Array(1));
  }
}
