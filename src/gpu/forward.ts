/** The unperturbed forward pass on the device, and the buffers that it leaves for the methods. */

import { type Layer, type Network, residualsOf } from "../core/network.ts";
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

/** The cross-entropy's epsilon as kernels take it. No constant of theirs may be infinite. */
export function epsilonConstants({ epsilon }: Network): Constants {
  return { EPSILON: epsilon, LOG_EPSILON: Math.max(Math.log(epsilon), -3e38) };
}

/** Inputs of a sample that a workgroup of gather or compact lists. */
const RUN = 1024;

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

/** A batch's way through the network, recorded once. */
export class Forward {
  readonly batch: number;
  /** Which batch of the group is next; `finish` counts it on. */
  readonly step: GPUBuffer;
  readonly labels: GPUBuffer; // [batch]
  /** Each layer's inputs, rows followed by a constant 1; the last are the logits. */
  readonly values: GPUBuffer[]; // layers + 1 of [batch, width + 1]
  /** The same, those that are not zero listed: see shaders/shared/listing.wgsl. */
  readonly entries: GPUBuffer[]; // layers of [batch, runs, pairs of a run] of four numbers
  readonly starts: GPUBuffer[]; // layers of [batch, runs, blocks of a run + 1]
  /** Each unit's derivative and input. */
  readonly companions: GPUBuffer[]; // layers of [batch, outputs] of two numbers
  readonly residuals: GPUBuffer; // [batch, residualsOf(network)]
  readonly losses: GPUBuffer; // [batch]
  readonly commands: Command[];
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
    const { layers, inputs, classes } = network;
    const { block } = gpu;
    this.#gpu = gpu;
    this.batch = batch;
    this.step = gpu.buffer("step", 4);
    this.#indices = gpu.buffer("batch indices", 4 * batch * steps);
    this.labels = gpu.buffer("labels", 4 * batch);
    const widths = [inputs, ...layers.map((layer) => layer.outputs)];
    this.values = widths.map((width, l) =>
      gpu.buffer(`values of layer ${l}`, 4 * batch * (width + 1))
    );
    const runs = layers.map((layer) => Math.ceil((layer.inputs + 1) / RUN));
    this.entries = runs.map((count, l) =>
      gpu.buffer(`entries of layer ${l}`, 8 * batch * count * (RUN + RUN / block))
    );
    this.starts = runs.map((count, l) =>
      gpu.buffer(`starts of layer ${l}`, 4 * batch * count * (RUN / block + 1))
    );
    this.companions = layers.map((layer, l) =>
      gpu.buffer(`companions of layer ${l + 1}`, 8 * batch * layer.outputs)
    );
    this.residuals = gpu.buffer("residuals", 4 * batch * residualsOf(network));
    this.losses = gpu.buffer("sample losses", 4 * batch);

    checkSamples(samples, classes, "float32");
    const lists = (l: number, buffers: Record<string, GPUBuffer>, constants: Constants) =>
      command(
        gpu,
        l === 0 ? "gather" : "compact",
        [runs[l], batch],
        { ...buffers, entries: this.entries[l], starts: this.starts[l] },
        {
          ...constants,
          WIDTH: layers[l].inputs + 1,
          THREADS: Math.min(RUN / 32, Math.ceil((layers[l].inputs + 1) / 32)),
        },
        { block },
      );
    const { x } = samples;
    const gather = lists(0, {
      samples: gpu.upload("samples", x instanceof Float64Array ? Float32Array.from(x) : x),
      sample_labels: gpu.upload("sample labels", Uint32Array.from(samples.labels)),
      indices: this.#indices,
      step: this.step,
      x: this.values[0],
      labels: this.labels,
    }, { BATCH: batch, BYTES: x instanceof Uint8Array });
    const passes = layers.flatMap((layer, l) => {
      const { inputs, outputs, offset, activation } = layer;
      const lanes = gpu.software ? 8 : Math.min(64, Math.ceil((outputs + 1) / 4));
      const splits = gpu.software ? 1 : Math.min(32, Math.floor(256 / lanes));
      const dense = command(
        gpu,
        "dense",
        [Math.ceil((outputs + 1) / 4 / lanes), batch],
        {
          parameters,
          entries: this.entries[l],
          starts: this.starts[l],
          values: this.values[l + 1],
          companions: this.companions[l],
        },
        { INPUTS: inputs, OUTPUTS: outputs, OFFSET: offset, WORKGROUP: lanes, SPLITS: splits },
        { activation, block },
      );
      return l === 0 ? [dense] : [lists(l, { a: this.values[l] }, {}), dense];
    });
    checkLoops(gpu, classes, LOSS_LOOPS);
    const loss = command(gpu, `${network.loss}_loss`, [Math.ceil(batch / 64)], {
      logits: this.values.at(-1)!,
      labels: this.labels,
      residuals: this.residuals,
      losses: this.losses,
    }, {
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

  /** Announces the batches of the next submission. */
  begin(indices: Uint32Array): void { // [steps, batch]
    this.#gpu.write(this.#indices, indices);
    this.#gpu.write(this.step, new Uint32Array(1));
  }
}
