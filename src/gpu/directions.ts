/**
 * Random directions (SPSA) on the device: the exact change of the loss when every weight moves by
 * its sign times h, and the gradient that the slopes along a few directions estimate.
 */

import type { Command } from "./device.ts";
import { checkLoops, laneCount } from "./forward.ts";
import { command } from "./kernel.ts";
import { type Stage, uploadStencil } from "./stage.ts";

/** Threads of directions_slope.wgsl, which share a batch. */
const SLOPE_THREADS = 32;

/** The dispatches that fill the gradient behind a forward pass. */
export function directions(stage: Stage): Command[] {
  const { gpu, options, forward, parameters, keys } = stage;
  const { network, estimator: { queries }, batch } = options;
  const { layers, loss, classes } = network;
  checkLoops(gpu, classes + 2, Math.ceil(batch / SLOPE_THREADS)); // a turn begins and ends each loop
  const units = layers.reduce((sum, layer) => sum + layer.outputs, 0);
  const changes = gpu.buffer("changes along directions", 8 * queries * batch * units);
  const slopes = gpu.buffer("slopes", 4 * queries);
  const stencil = uploadStencil(gpu, options);
  const constants = { BATCH: batch, QUERIES: queries, UNITS: units };
  let before = 0, after = 0;
  const passes = layers.map(({ inputs, outputs, offset, activation }, l) => {
    const lanes = laneCount(outputs);
    const pass = command(
      gpu,
      "directions_dense",
      [Math.ceil(outputs / lanes), batch, queries],
      {
        stencil,
        keys,
        step: forward.step,
        parameters,
        entries: forward.entries[l],
        starts: forward.starts[l],
        values: forward.values[l + 1],
        companions: forward.companions[l],
        changes,
      },
      {
        ...constants,
        INPUTS: inputs,
        OUTPUTS: outputs,
        OFFSET: offset,
        FIRST: l === 0,
        BEFORE: before,
        AFTER: after,
        WORKGROUP: lanes,
      },
      { activation, block: gpu.block },
      HASH_WORK * queries * batch * (inputs + 1) * outputs,
    );
    before = after;
    after += outputs;
    return pass;
  });
  const slope = command(
    gpu,
    "directions_slope",
    [queries],
    { stencil, changes, residuals: forward.residuals, labels: forward.labels, slopes },
    {
      ...constants,
      CLASSES: classes,
      AFTER: units - classes,
      WORKGROUP: SLOPE_THREADS,
    },
    { loss },
  );
  return [...passes, slope, gradientAlong(stage, slopes)];
}

/** A weight's sign and its use, in multiply-adds. */
const HASH_WORK = 10;

/** The mean over queries of slope times direction, into the gradient. */
export function gradientAlong(stage: Stage, slopes: GPUBuffer): Command {
  const { gpu, options: { network, estimator }, forward, gradient, keys } = stage;
  const width = Math.min(Math.ceil(network.parameters / 64), 32768);
  return command(
    gpu,
    "directions_gradient",
    [width, Math.ceil(network.parameters / 64 / width)],
    { keys, step: forward.step, slopes, gradient },
    { PARAMETERS: network.parameters, QUERIES: estimator.queries },
    {},
    HASH_WORK * network.parameters * estimator.queries,
  );
}
