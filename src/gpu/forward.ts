/** The unperturbed forward pass on the device, and the buffers that it leaves for the methods. */

import type { Network } from "../core/network.ts";
import { checkSamples, type Samples } from "../data/samples.ts";
import type { Command, Gpu } from "./device.ts";
import { command } from "./kernel.ts";

/** Words that hold one bit for each of a layer's inputs and its constant 1. */
export function maskWords(inputs: number): number {
  return Math.ceil((inputs + 1) / 32);
}

/** Workgroups as wide as a layer, in whole SIMD groups of 8, so that few lanes idle. */
export function laneCount(width: number): number {
  return Math.min(64, Math.ceil(width / 8) * 8);
}

/** A batch's way through the network, recorded once. */
export class Forward {
  readonly batch: number;
  /** Which batch of the group is next; `finish` counts it on. */
  readonly step: GPUBuffer;
  readonly labels: GPUBuffer; // [batch]
  /** Each layer's inputs, rows followed by a constant 1; the last are the logits. */
  readonly values: GPUBuffer[]; // layers + 1 of [batch, width + 1]
  /** Which of them are not zero, one bit each. */
  readonly nonzero: GPUBuffer[]; // layers of [batch, maskWords(inputs)]
  readonly companions: GPUBuffer[]; // layers of [batch, outputs]
  readonly residuals: GPUBuffer; // [batch, classes + 1]
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
    const { layers, inputs, classes, epsilon } = network;
    this.#gpu = gpu;
    this.batch = batch;
    this.step = gpu.buffer("step", 4);
    this.#indices = gpu.buffer("batch indices", 4 * batch * steps);
    this.labels = gpu.buffer("labels", 4 * batch);
    const widths = [inputs, ...layers.map((layer) => layer.outputs)];
    this.values = widths.map((width, l) =>
      gpu.buffer(`values of layer ${l}`, 4 * batch * (width + 1))
    );
    this.nonzero = layers.map((layer, l) =>
      gpu.buffer(`mask of layer ${l}`, 4 * batch * maskWords(layer.inputs))
    );
    this.companions = layers.map((layer, l) =>
      gpu.buffer(`companions of layer ${l + 1}`, 4 * batch * layer.outputs)
    );
    this.residuals = gpu.buffer("residuals", 4 * batch * (classes + 1));
    this.losses = gpu.buffer("sample losses", 4 * batch);

    checkSamples(samples, "float32");
    const { x } = samples;
    const gather = command(gpu, "gather", [Math.ceil((inputs + 1) / 64), batch], {
      samples: gpu.upload("samples", x instanceof Float64Array ? Float32Array.from(x) : x),
      sample_labels: gpu.upload("sample labels", Uint32Array.from(samples.labels)),
      indices: this.#indices,
      step: this.step,
      x: this.values[0],
      labels: this.labels,
    }, { INPUTS: inputs, BATCH: batch, BYTES: x instanceof Uint8Array });
    const passes = layers.flatMap((layer, l) => {
      const { inputs, outputs, offset, activation } = layer;
      const words = maskWords(inputs), lanes = laneCount(outputs + 1);
      return [
        command(gpu, "nonzero", [Math.ceil(words / 32), batch], {
          a: this.values[l],
          nonzero: this.nonzero[l],
        }, { WIDTH: inputs + 1 }),
        command(
          gpu,
          "dense",
          [Math.ceil((outputs + 1) / lanes), batch],
          {
            parameters,
            a: this.values[l],
            nonzero: this.nonzero[l],
            values: this.values[l + 1],
            companions: this.companions[l],
          },
          { INPUTS: inputs, OUTPUTS: outputs, OFFSET: offset, WORKGROUP: lanes },
          { activation },
        ),
      ];
    });
    const loss = command(gpu, `${network.loss}_loss`, [Math.ceil(batch / 64)], {
      logits: this.values.at(-1)!,
      labels: this.labels,
      residuals: this.residuals,
      losses: this.losses,
    }, { CLASSES: classes, ROWS: batch, BATCH: batch, EPSILON: epsilon });
    this.commands = [gather, ...passes, loss];
  }

  /** Announces the batches of the next submission. */
  begin(indices: Uint32Array): void { // [steps, batch]
    this.#gpu.write(this.#indices, indices);
    this.#gpu.write(this.step, new Uint32Array(1));
  }
}
