/**
 * The differences method on the device: which kernels evaluate the nudged copies of each layer's
 * weights as exact changes from the unperturbed pass.
 */

import { stencilOf } from "../core/estimator.ts";
import type { Samples } from "../data/samples.ts";
import type { EngineOptions } from "../engine.ts";
import type { Command, Gpu } from "./device.ts";
import { type Forward, laneCount, maskWords } from "./forward.ts";
import { command } from "./kernel.ts";

/** The largest input of a layer: the data's, or what its activation can reach. */
function largestInput(options: EngineOptions, layer: number): number {
  if (layer === 0) return largestValue(options.samples);
  return options.network.layers[layer - 1].activation === "relu" ? Infinity : 1;
}

/** The largest absolute value of the samples, the constant 1 included. */
function largestValue({ x }: Samples): number {
  if (x instanceof Uint8Array) return 1;
  return x.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
}

/** The dispatches that fill `gradient` ([slices, parameters]) behind a forward pass. */
export function differences(
  gpu: Gpu,
  options: EngineOptions,
  forward: Forward,
  parameters: GPUBuffer,
  gradient: GPUBuffer,
  slices: number,
): Command[] {
  const { network, estimator, batch } = options;
  const { layers, classes, epsilon, loss } = network;
  const { h } = estimator;
  const points = stencilOf(estimator);
  const stencil = gpu.upload(
    "stencil",
    Float32Array.from({ length: 16 }, (_, i) => {
      const point = points[i >> 2];
      return !point || i % 4 > 1 ? 0 : i % 4 ? point.coefficient / (h * batch) : point.offset * h;
    }),
    GPUBufferUsage.UNIFORM,
  );
  const shared = {
    CLASSES: classes,
    BATCH: batch,
    POINTS: points.length,
    EPSILON: epsilon,
    SLICES: slices,
    PARAMETERS: network.parameters,
  };
  const buffers = {
    parameters,
    residuals: forward.residuals,
    labels: forward.labels,
    gradient,
    stencil,
  };
  return layers.map((layer, l) => {
    const { inputs, outputs, offset, activation } = layer;
    const constants = { ...shared, INPUTS: inputs, OUTPUTS: outputs, OFFSET: offset };
    if (l === layers.length - 1) {
      return command(
        gpu,
        "output_gradient",
        [Math.ceil((inputs + 1) * classes / 64), slices],
        { ...buffers, a: forward.values[l] },
        constants,
        { loss },
      );
    }
    const lanes = laneCount(outputs);
    const reach = largestInput(options, l) * h * Math.max(...points.map((p) => Math.abs(p.offset)));
    return command(
      gpu,
      "hidden_gradient",
      [maskWords(inputs), Math.ceil(outputs / lanes), slices],
      {
        ...buffers,
        a: forward.values[l],
        nonzero: forward.nonzero[l],
        values: forward.values[l + 1],
        companions: forward.companions[l],
      },
      {
        ...constants,
        NEXT: layers[l + 1].offset,
        REACH: Math.min(reach, 3e38),
        WORKGROUP: lanes,
      },
      { activation, loss },
    );
  });
}
