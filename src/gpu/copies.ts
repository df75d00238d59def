/**
 * The copies method on the device, the textbook's: every nudged copy of the network runs the whole
 * forward pass in float32, and its loss is subtracted. Copies go through in runs that fit the
 * device's buffers and a watchdog's patience.
 */

import { stencilOf } from "../core/estimator.ts";
import type { Command } from "./device.ts";
import { command, type Constants } from "./kernel.ts";
import { type Stage, uploadStencil } from "./stage.ts";
import { gradientAlong } from "./directions.ts";

const TILE = 64; // rows and columns of a workgroup of copies_dense

/** The dispatches that fill the gradient behind a forward pass. */
export function copies(stage: Stage): Command[] {
  const { gpu, options, forward, parameters, gradient, keys } = stage;
  const { network, estimator, batch } = options;
  const { layers, classes, epsilon } = network;
  const random = estimator.name === "spsa";
  const points = stencilOf(estimator);
  const directions = random ? estimator.queries : network.parameters;
  const total = directions * points.length;
  const { run, work } = runLength(stage, points.length);
  const held = Math.min(run, total);

  const scratch = (label: string, width: number) => gpu.buffer(label, 4 * held * batch * width);
  const widest = Math.max(...layers.map((layer) => layer.outputs)) + 1;
  const values = layers.slice(0, 2).map((_, i) => scratch(`values of copies ${i}`, widest));
  const residuals = scratch("residuals of copies", classes + 1);
  const losses = scratch("losses of copies", 1);
  const slopes = random ? gpu.buffer("slopes", 4 * directions) : gradient;
  const stencil = uploadStencil(gpu, options);
  const centre = points.reduce((sum, point) => sum - point.coefficient, 0);
  const constants: Constants = {
    BATCH: batch,
    ROWS: held * batch,
    POINTS: points.length,
    CLASSES: classes,
    EPSILON: epsilon,
    QUERIES: estimator.queries,
    DIRECTIONS: directions,
    CENTRE: centre / (estimator.h * batch),
  };

  const commands: Command[] = [];
  for (let first = 0; first < total; first += run) {
    const count = Math.min(run, total - first);
    const buffers = {
      copies: gpu.upload("copies", Uint32Array.of(first), GPUBufferUsage.UNIFORM),
      stencil,
      parameters,
      keys,
      step: forward.step,
    };
    layers.forEach(({ inputs, outputs, offset, activation }, l) => {
      const shared = l === 0;
      commands.push(command(
        gpu,
        "copies_dense",
        [
          Math.ceil((shared ? count * outputs : outputs) / TILE),
          Math.ceil(batch / TILE),
          shared ? 1 : count,
        ],
        { ...buffers, a: shared ? forward.values[0] : values[(l - 1) % 2], values: values[l % 2] },
        { ...constants, INPUTS: inputs, OUTPUTS: outputs, OFFSET: offset, SHARED: shared },
        { activation, perturbation: random ? "signs" : "weight" },
        count * work * (inputs + 1) * outputs / network.parameters,
      ));
    });
    commands.push(
      command(gpu, `${network.loss}_loss`, [Math.ceil(count * batch / 64)], {
        logits: values[(layers.length - 1) % 2],
        labels: forward.labels,
        residuals,
        losses,
      }, constants),
      command(gpu, "copies_slope", split(count / points.length), {
        ...buffers,
        copy_losses: losses,
        losses: forward.losses,
        slopes,
      }, constants),
    );
  }
  return random ? [...commands, gradientAlong(stage, slopes)] : commands;
}

/** Cuts one dimension of workgroups in two, which a device may allow at most 65535 long. */
function split(groups: number): [number, number] {
  const width = Math.min(groups, 32768);
  return [width, Math.ceil(groups / width)];
}

/**
 * How many copies go through at a time, a multiple of the stencil's points.
 * @returns it, and the multiply-adds of one copy.
 * @throws {RangeError} when not even one direction's copies fit the device's buffers.
 */
function runLength({ gpu, options }: Stage, points: number): { run: number; work: number } {
  const { network: { layers, parameters }, batch } = options;
  const widest = Math.max(...layers.map((layer) => layer.outputs)) + 1;
  const work = batch * parameters;
  const groups = gpu.limits.maxComputeWorkgroupsPerDimension;
  const most = Math.min(
    gpu.scratchBytes / (4 * batch * widest),
    Math.max(points, gpu.workOfSubmission / work),
    groups * 64 / batch, // of the losses
    groups * TILE / layers[0].outputs,
    groups,
  );
  const run = Math.floor(most / points) * points;
  if (run < points) {
    throw new RangeError(
      `Cannot hold ${points} copies of the network's values: the device has room for ` +
        `${Math.floor(most)}; use a smaller batch or narrower layers`,
    );
  }
  return { run, work };
}
