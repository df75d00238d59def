/**
 * The differences method on the device: which kernels evaluate the nudged copies of each layer's
 * weights as exact changes from the unperturbed pass.
 */

import { stencilOf } from "../core/estimator.ts";
import type { Layer } from "../core/network.ts";
import type { Samples } from "../data/samples.ts";
import type { EngineOptions } from "../engine.ts";
import type { Command, Gpu } from "./device.ts";
import { type Forward, tilesOf } from "./forward.ts";
import { command, type Constants } from "./kernel.ts";
import { type Stage, uploadStencil } from "./stage.ts";

/** The largest input of a layer: the data's, or what its activation can reach. */
function largestInput(options: EngineOptions, layer: number): number {
  if (layer === 0) return largestValue(options.samples);
  return options.network.layers[layer - 1].activation === "relu" ? Infinity : 1;
}

/** The largest absolute value of the samples, the constant 1 included. */
function largestValue({ x }: Samples): number {
  if (x instanceof Uint8Array) return 1;
  let largest = 1;
  for (const value of x) largest = Math.max(largest, Math.abs(value));
  return largest;
}

/** The most by which a nudge of a layer's weights moves a unit's input. */
function reach(options: EngineOptions, layer: number): number {
  const { estimator } = options;
  const farthest = Math.max(...stencilOf(estimator).map(({ offset }) => Math.abs(offset)));
  return Math.min(largestInput(options, layer) * estimator.h * farthest, 3e38);
}

/** Everything the stages of one gradient share. */
interface Shared {
  readonly gpu: Gpu;
  readonly options: EngineOptions;
  readonly forward: Forward;
  readonly buffers: Record<string, GPUBuffer>;
  readonly constants: Constants;
}

/**
 * Workgroups of a kernel whose threads walk a list: on software devices few, but so many that no
 * thread's loops take more turns than the device allows.
 * @param turns of all threads' loops together.
 * @param threads that take the same turns side by side.
 */
function walkers(gpu: Gpu, turns: number, threads = 1): number {
  const least = Math.ceil(turns / (0.9 * gpu.loopTurns));
  const groups = Math.ceil(threads * Math.max(least, gpu.software ? 512 : 65536) / 64);
  return Math.min(groups, gpu.limits.maxComputeWorkgroupsPerDimension);
}

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

/**
 * Partial sums that a gradient is made in: a hardware device wants more threads than one batch-long
 * loop for each weight gives it, and a software device ends loops that are too long.
 */
export function slicesOf(gpu: Gpu, options: EngineOptions): number {
  const { network: { classes }, batch } = options;
  if (!gpu.software) return Math.min(batch, 25);
  const collected = 2 + classes; // turns of collect.wgsl over a sample
  const turns = Math.max(isFused(gpu, options) ? turnsOfSample(gpu, options) : 0, collected);
  return Math.min(batch, Math.max(2, Math.ceil(batch * turns / (0.9 * gpu.loopTurns))));
}

/** The dispatches that fill the gradient behind a forward pass. */
export function differences(stage: Stage): Command[] {
  const { gpu, options, forward, parameters, gradient, slices } = stage;
  const { network, estimator, batch } = options;
  const points = stencilOf(estimator);
  const stencil = uploadStencil(gpu, options);
  const { residuals, labels } = forward;
  const shared: Shared = {
    gpu,
    options,
    forward,
    buffers: { parameters, residuals, labels, gradient, stencil },
    constants: {
      CLASSES: network.classes,
      BATCH: batch,
      POINTS: points.length,
      SLICES: slices,
      PARAMETERS: network.parameters,
    },
  };
  const last = network.layers.length - 1;
  return network.layers.flatMap((_, l) => {
    if (l === last) return outputLayer(shared, l);
    const fused = l === last - 1 && isFused(gpu, options);
    return fused ? lastHiddenLayer(shared, l) : earlierLayer(shared, l);
  });
}

/** One fused kernel: a nudge moves one logit. */
function outputLayer({ gpu, options, forward, buffers, constants }: Shared, l: number): Command[] {
  const { inputs, outputs, offset } = options.network.layers[l];
  return [command(
    gpu,
    "output_gradient",
    [Math.ceil((inputs + 1) * Math.ceil(outputs / 4) / 64), Number(constants.SLICES)],
    { ...buffers, a: forward.values[l] },
    { ...constants, INPUTS: inputs, OFFSET: offset, REACH: reach(options, l) },
    { loss: options.network.loss },
  )];
}

/** One fused kernel: a nudge moves one unit, and so all logits by a row of the output matrix. */
function lastHiddenLayer(
  { gpu, options, forward, buffers, constants }: Shared,
  l: number,
): Command[] {
  const { layers, loss } = options.network;
  const { inputs, outputs, offset, activation } = layers[l];
  const { block, count, lanes } = tilesOf(gpu, layers[l]);
  return [command(
    gpu,
    "hidden_gradient",
    [count, Math.ceil(outputs / 4 / lanes), Number(constants.SLICES)],
    {
      ...buffers,
      entries: forward.entries[l],
      starts: forward.starts[l],
      values: forward.values[l + 1],
      companions: forward.companions[l],
    },
    {
      ...constants,
      INPUTS: inputs,
      OUTPUTS: outputs,
      OFFSET: offset,
      NEXT: layers[l + 1].offset,
      REACH: reach(options, l),
      WORKGROUP: lanes,
    },
    { activation, loss, block },
    options.batch * (inputs + 1) * outputs * Number(constants.POINTS) * options.network.classes,
  )];
}

/** An exact change of an activation, in multiply-adds. */
const ACTIVATION_WORK = 30;

/** Copies of a layer's weights that go through the later layers at a time. */
interface Chunk {
  readonly firstInput: number;
  readonly inputs: number;
  readonly firstUnit: number;
  readonly units: number;
}

/**
 * Cuts a layer's weights into chunks of which no more than `rows` copies come.
 * @param copies rows that one weight takes: samples times points of the stencil.
 * @throws {RangeError} when not even one weight's copies fit.
 */
export function chunksOf(
  { inputs, outputs }: Layer,
  copies: number,
  rows: number,
): Chunk[] {
  const weights = Math.floor(rows / copies);
  if (weights < 1) {
    throw new RangeError(
      `Cannot evaluate ${copies} copies of one weight at once: the device's buffers hold ` +
        `${rows}; use a smaller batch or narrower layers`,
    );
  }
  const units = Math.min(outputs, weights);
  const rowsOfInputs = Math.max(1, Math.floor(weights / outputs));
  const chunks: Chunk[] = [];
  for (let firstInput = 0; firstInput <= inputs; firstInput += rowsOfInputs) {
    for (let firstUnit = 0; firstUnit < outputs; firstUnit += units) {
      chunks.push({
        firstInput,
        inputs: Math.min(rowsOfInputs, inputs + 1 - firstInput),
        firstUnit,
        units: Math.min(units, outputs - firstUnit),
      });
    }
  }
  return chunks;
}

/**
 * Stages over chunks of copies: the nudged unit, one row of the next matrix, then a matrix product
 * a layer, and the loss.
 */
function earlierLayer(
  { gpu, options, forward, buffers, constants }: Shared,
  l: number,
): Command[] {
  const { network, batch } = options;
  const { layers } = network;
  const { inputs, outputs, offset } = layers[l];
  const points = Number(constants.POINTS);
  const later = layers.slice(l + 1);
  const width = Math.max(...later.map((layer) => layer.outputs));
  const rows = Math.floor(gpu.scratchBytes / (4 * width));
  const chunks = chunksOf(layers[l], batch * points, rows);
  const held = Math.max(...chunks.map((chunk) => chunk.inputs * chunk.units * batch * points));
  const entries = gpu.buffer("entries", 8 * (inputs + 1) * batch);
  const starts = gpu.buffer("entry starts", 4 * (inputs + 2));
  const nudges = gpu.buffer("nudges", 4 * held);
  const changes = later.slice(0, 2).map((_, i) => gpu.buffer(`changes ${i}`, 4 * held * width));
  const list = command(
    gpu,
    "entries",
    [1],
    { a: forward.values[l], starts, entries },
    { WIDTH: inputs + 1, BATCH: batch },
  );
  return [
    list,
    ...chunks.flatMap((chunk) => {
      const { firstInput, firstUnit, units } = chunk;
      const lists = {
        ...buffers,
        starts,
        entries,
        nudges,
        chunk: gpu.upload(
          "chunk",
          Uint32Array.of(firstInput, chunk.inputs, firstUnit, units),
          GPUBufferUsage.UNIFORM,
        ),
      };
      const commands = [command(
        gpu,
        "nudge",
        [walkers(gpu, held)],
        {
          ...lists,
          a: forward.values[l],
          values: forward.values[l + 1],
          companions: forward.companions[l],
        },
        { ...constants, INPUTS: inputs, OUTPUTS: outputs },
        { activation: layers[l].activation },
      )];
      for (let m = l + 1; m < layers.length; m++) {
        const next = layers[m];
        const stage = m - l - 1;
        const turns = stage === 0 ? 2 * (held + 4 * held / points) : held / 8 * (20 + next.inputs);
        commands.push(command(
          gpu,
          stage === 0 ? "hop" : "propagate",
          [walkers(gpu, turns, Math.ceil(next.outputs / 4))],
          {
            ...lists,
            before: changes[(stage + 1) % 2],
            changes: changes[stage % 2],
            values: forward.values[m + 1],
            companions: forward.companions[m],
          },
          {
            ...constants,
            OFFSET: next.offset,
            INPUTS: next.inputs,
            OUTPUTS: next.outputs,
          },
          { activation: next.activation },
          held * next.outputs * (stage === 0 ? ACTIVATION_WORK : next.inputs + ACTIVATION_WORK),
        ));
      }
      commands.push(command(
        gpu,
        "collect",
        [Math.ceil(units / 64), chunk.inputs, Number(constants.SLICES)],
        { ...lists, changes: changes[(later.length - 1) % 2] },
        { ...constants, OFFSET: offset, OUTPUTS: outputs },
        { loss: network.loss },
      ));
      return commands;
    }),
  ];
}
