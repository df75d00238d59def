/**
 * Random directions (SPSA) on the device: the exact change of the loss when every weight moves by
 * its sign times h, and the gradient that the slopes along a few directions estimate.
 */

import { DATA, layerName } from "../core/network.ts";
import type { Command } from "./device.ts";
import { checkLoops, laneCount } from "./forward.ts";
import { command, labelled } from "./kernel.ts";
import { type Scope, scoped } from "./scope.ts";
import { type Stage, uploadStencil } from "./stage.ts";
import {
  channelsOf,
  filterOf,
  lanesOf,
  partsOf,
  uploadWindow,
  windowOf,
  workOf,
} from "./window.ts";

/** Threads of directions_slope.wgsl, which share a batch. */
const SLOPE_THREADS = 32;

/** The dispatches that fill the gradient behind a forward pass. */
export function directions(stage: Stage): Command[] {
  const { gpu, options, forward, parameters, keys, slopes } = stage;
  const { network, estimator: { queries }, batch } = options;
  const { layers, loss, classes } = network;
  checkLoops(gpu, classes + 2, Math.ceil(batch / SLOPE_THREADS)); // a turn begins and ends each loop
  const units = layers.reduce((sum, layer) => sum + layer.outputs, 0);
  const changes = gpu.buffer("changes along directions", 8 * queries * batch * units);
  const stencil = uploadStencil(gpu, options);
  const constants = { BATCH: batch, QUERIES: queries, UNITS: units };
  const starts = layers.map((_, l) =>
    layers.slice(0, l).reduce((sum, { outputs }) => sum + outputs, 0)
  );
  const passes = layers.flatMap((layer, l) => {
    const { kind, inputs, outputs, offset, activation, from } = layer;
    const lanes = laneCount(outputs), name = layerName(network, l);
    const saved = { values: forward.values(l).buffer, companions: forward.companions[l], changes };
    const placed = (source: number) => ({
      ...constants,
      BEFORE: source === DATA ? 0 : starts[source],
      AFTER: starts[l],
    });
    if (kind === "sum") {
      return labelled(
        name,
        from.map((source, i) =>
          command(
            gpu,
            "directions_sum",
            [Math.ceil(outputs / 64), batch, queries],
            saved,
            {
              ...placed(source),
              WIDTH: outputs,
              NONE: source === DATA,
              ADD: i > 0,
              LAST: i === from.length - 1,
            },
            { activation },
            queries * batch * outputs,
          )
        ),
      );
    }
    const [source] = from;
    if (kind === "maxpool") {
      const window = windowOf(layer);
      return labelled(name, [command(
        gpu,
        "directions_maxpool",
        [Math.ceil(outputs / lanesOf(gpu)), batch, queries],
        {
          ...saved,
          winners: forward.winners[l]!,
          a: forward.values(source).buffer,
          window: uploadWindow(gpu, layer),
        },
        { ...placed(source), FIRST: source === DATA, WORKGROUP: lanesOf(gpu) },
        { activation },
        queries * batch * workOf(window),
      )]);
    }
    if (kind !== "dense") {
      const window = windowOf(layer), [taken] = channelsOf(window), { kernel } = window;
      const parts = partsOf(gpu, taken * kernel[0], kernel[1]);
      const made = parts.map((lines) =>
        command(
          gpu,
          "directions_conv",
          [Math.ceil(outputs / lanesOf(gpu)), batch, queries],
          {
            ...saved,
            stencil,
            keys,
            step: forward.step,
            parameters,
            a: forward.values(source).buffer,
            window: uploadWindow(gpu, layer, lines),
          },
          { ...placed(source), FIRST: source === DATA, WORKGROUP: lanesOf(gpu) },
          { activation, ...filterOf(layer) },
          HASH_WORK * queries * batch * workOf(window) / parts.length,
        )
      );
      return labelled(name, made);
    }
    const lists = forward.values(source).lists!;
    return labelled(name, [command(
      gpu,
      "directions_dense",
      [Math.ceil(outputs / lanes), batch, queries],
      {
        ...saved,
        stencil,
        keys,
        step: forward.step,
        parameters,
        entries: lists.entries,
        starts: lists.starts,
      },
      {
        ...placed(source),
        INPUTS: inputs,
        OUTPUTS: outputs,
        OFFSET: offset,
        FIRST: source === DATA,
        WORKGROUP: lanes,
      },
      { activation, block: gpu.block },
      HASH_WORK * queries * batch * (inputs + 1) * outputs,
    )]);
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
  const scope: Scope = { layer: DATA, of: "queries", first: 0, end: queries };
  // A query is a layer of the grid, where a kernel can be dispatched in parts.
  const along = { side: 2, each: 1 } as const;
  return [
    ...passes.flatMap((pass) => scoped(pass.isDivisible ? { ...scope, along } : scope, [pass])),
    ...scoped(scope, [slope]),
    gradientAlong(stage, slopes),
  ];
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
    { PARAMETERS: network.parameters, QUERIES: estimator.queries, WIDTH: width },
    {},
    HASH_WORK * network.parameters * estimator.queries,
  );
}
