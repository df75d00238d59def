/**
 * The copies method on the device, the textbook's: every nudged copy of the network runs the whole
 * forward pass in float32, and its loss is subtracted. Copies go through in runs that fit the
 * device's buffers and a watchdog's patience.
 */

import { stencilOf } from "../core/estimator.ts";
import { DATA, layerName, layerOf } from "../core/network.ts";
import type { EngineOptions } from "../engine.ts";
import type { Command } from "./device.ts";
import { epsilonConstants } from "./forward.ts";
import { command, type Constants, labelled } from "./kernel.ts";
import { productOf, type Stage, stageAt, uploadStencil } from "./stage.ts";
import { gradientAlong } from "./directions.ts";
import { turnsOf } from "./turns.ts";
import {
  channelsOf,
  filterOf,
  lanesOf,
  partsOf,
  uploadWindow,
  windowOf,
  workOf,
} from "./window.ts";

/** Inputs that a sum takes at a time: llvmpipe ends a thread's loops after 65,535 turns. */
const PART = 32768;

/** A term of a loss, in multiply-adds. */
const EXPONENTIAL_WORK = 20;

/**
 * The dispatches that fill the gradient behind a forward pass.
 * @param elements those that are asked for, whose gradient is then `sums`; default all.
 */
export function copies(stage: Stage, elements?: Uint32Array, sums?: GPUBuffer): Command[] {
  const { gpu, options, forward, parameters, gradient, keys } = stage;
  const { network, estimator, batch } = options;
  const { layers, inputs, classes } = network;
  const random = estimator.name === "spsa";
  const directions = random ? estimator.queries : elements?.length ?? network.parameters;
  const { product, quads, columns, lanes } = productOf(gpu);
  const runs = random
    ? [{ options, from: 0, to: directions }]
    : alikeOf(stage, Uint32Array.from({ length: directions }, (_, d) => elements?.[d] ?? d));
  const lengthOf = (options: EngineOptions) => {
    const { length } = stencilOf(options.estimator);
    return runLength(stage, length, columns * lanes);
  };
  const held = Math.max(
    ...runs.map(({ options, from, to }) =>
      Math.min(lengthOf(options), (to - from) * stencilOf(options.estimator).length)
    ),
  );

  const padded = 4 * Math.ceil(batch / 4); // samples, in vectors of 4
  const widest = Math.max(...layers.map((layer) => layer.outputs));
  const turned = gpu.buffer("inputs of copies", 4 * padded * inputs);
  const turns = turnsOf(layers);
  const values = Array.from(
    new Set(turns.values()),
    (i) => gpu.buffer(`values of copies ${i}`, 4 * held * padded * widest + 16),
  );
  const valuesOf = (l: number) => l === DATA ? turned : values[turns.get(l)!];
  const residuals = gpu.buffer("residuals of copies", 4); // which nothing needs
  const losses = gpu.buffer("losses of copies", 4 * held * batch);
  const slopes = random ? stage.slopes : sums ?? gradient;
  const chosen = elements && { chosen: gpu.upload("chosen", elements) };
  const perturbation = random ? "signs" : elements ? "chosen" : "weight";
  const always: Constants = {
    BATCH: batch,
    SAMPLE_QUADS: padded / 4,
    COPIES: held,
    ROWS: held * batch,
    CLASSES: classes,
    ...epsilonConstants(network),
    KEEP: false,
    QUERIES: estimator.queries,
    DIRECTIONS: directions,
    COPY_STRIDE: classes * padded,
    SAMPLE_STRIDE: 1,
    CLASS_STRIDE: padded,
  };

  const windows = layers.map((layer) => {
    if (!layer.window) return [];
    const { window: { kernel }, window, kind } = layer, [taken] = channelsOf(window);
    const parts = kind === "maxpool" ? [undefined] : partsOf(gpu, taken * kernel[0], kernel[1]);
    return parts.map((lines) => uploadWindow(gpu, layer, lines));
  });
  const commands = [
    command(gpu, "transpose", [Math.ceil(inputs / 64), padded / 4], {
      x: forward.values(DATA).buffer,
      turned,
    }, { ...always, INPUTS: inputs }),
  ];
  for (const { options, from, to } of runs) {
    const { estimator } = options, points = stencilOf(estimator), run = lengthOf(options);
    const centre = points.reduce((sum, point) => sum - point.coefficient, 0);
    const stencil = uploadStencil(gpu, options);
    const constants = {
      ...always,
      POINTS: points.length,
      CENTRE: centre / (estimator.h * batch),
    };
    for (let first = from * points.length; first < to * points.length; first += run) {
      const count = Math.min(run, to * points.length - first);
      const buffers = {
        copies: gpu.upload("copies", Uint32Array.of(first), GPUBufferUsage.UNIFORM),
        stencil,
        parameters,
        keys,
        step: forward.step,
        ...chosen,
      };
      layers.forEach((layer, l) => {
        const { kind, from: sources, inputs, outputs, offset, activation } = layer;
        const pass = (made: Command) => commands.push(...labelled(layerName(network, l), [made]));
        if (kind === "sum") {
          sources.forEach((source, i) =>
            pass(command(
              gpu,
              "copies_sum",
              [Math.ceil(outputs * padded / 4 / 64), count],
              { a: valuesOf(source), values: valuesOf(l) },
              {
                ...constants,
                WIDTH: outputs,
                SHARED: source === DATA,
                ADD: i > 0,
                LAST: i === sources.length - 1,
              },
              { activation },
              count * outputs * padded,
            ))
          );
          return;
        }
        const [source] = sources, shared = source === DATA;
        if (kind !== "dense") {
          const shape = windowOf(layer), { output, groups } = shape;
          const [, given] = channelsOf(shape), width = lanesOf(gpu), parts = windows[l];
          const isPool = kind === "maxpool";
          const threads = isPool ? outputs : groups * Math.ceil(given / 4) * output[1] * output[2];
          for (const window of parts) {
            pass(command(
              gpu,
              isPool ? "copies_maxpool" : "copies_conv",
              [Math.ceil(threads / width), padded / 4, count],
              {
                ...buffers,
                a: valuesOf(source),
                values: valuesOf(l),
                window,
              },
              { ...constants, SHARED: shared, WORKGROUP: width },
              isPool ? { activation } : { activation, perturbation, ...filterOf(layer) },
              count * batch * workOf(shape) / parts.length,
            ));
          }
          return;
        }
        const across = shared && held >= columns * lanes;
        for (let from = 0; from < inputs; from += PART) {
          const to = Math.min(from + PART, inputs);
          pass(command(
            gpu,
            "copies_dense",
            [
              Math.ceil(across ? outputs : outputs / columns),
              Math.ceil(padded / 4 / quads),
              Math.ceil(count / (across ? columns * lanes : lanes)),
            ],
            { ...buffers, a: valuesOf(source), values: valuesOf(l) },
            {
              ...constants,
              INPUTS: inputs,
              OUTPUTS: outputs,
              OFFSET: offset,
              FROM: from,
              TO: to,
              SHARED: shared,
              ACROSS: across,
            },
            { activation, perturbation, product },
            count * batch * (to - from) * outputs,
          ));
        }
      });
      commands.push(
        command(
          gpu,
          `${network.loss}_loss`,
          [Math.ceil(count * batch / 64)],
          {
            logits: valuesOf(layers.length - 1),
            labels: forward.labels,
            residuals,
            losses,
            ...forward.goals.buffers,
          },
          { ...constants, ...forward.goals.constants },
          {},
          EXPONENTIAL_WORK * count * batch * classes,
        ),
        command(gpu, "copies_slope", split(count / points.length), {
          ...buffers,
          copy_losses: losses,
          losses: forward.losses,
          slopes,
        }, constants),
      );
    }
  }
  return random ? [...commands, gradientAlong(stage, slopes)] : commands;
}

/** Weights that are nudged alike, one behind the other: from one place in `elements` to another. */
function alikeOf(stage: Stage, elements: Uint32Array) {
  const { network } = stage.options;
  const at = network.layers.map((_, l) => stageAt(stage, l).options);
  const runs: { options: EngineOptions; from: number; to: number }[] = [];
  elements.forEach((element, place) => {
    const options = at[layerOf(network, element)], last = runs.at(-1);
    const isAlike = last && last.options.estimator.h === options.estimator.h &&
      last.options.estimator.name === options.estimator.name;
    if (isAlike) last.to = place + 1;
    else runs.push({ options, from: place, to: place + 1 });
  });
  return runs;
}

/** Cuts one dimension of workgroups in two, which a device may allow at most 65535 long. */
function split(groups: number): [number, number] {
  const width = Math.min(groups, 32768);
  return [width, Math.ceil(groups / width)];
}

/**
 * How many copies go through at a time, a multiple of the stencil's points, and of `whole` if they
 * are so many.
 * @throws {RangeError} when not even one direction's copies fit the device's buffers.
 */
function runLength(
  { gpu, options }: Stage,
  points: number,
  whole: number,
): number {
  const { network: { layers }, batch } = options;
  const widest = Math.max(...layers.map((layer) => layer.outputs));
  const groups = gpu.limits.maxComputeWorkgroupsPerDimension;
  const most = Math.min(
    gpu.scratchBytes / (16 * Math.ceil(batch / 4) * widest),
    groups * 64 / batch, // of the losses
    groups,
  );
  if (most < points) {
    throw new RangeError(
      `Cannot hold ${points} copies of the network's values: the device has room for ` +
        `${Math.floor(most)}; use a smaller batch or narrower layers`,
    );
  }
  let unit = whole; // of the points, too
  while (unit % points !== 0) unit += whole;
  if (most < unit) unit = points;
  return Math.floor(most / unit) * unit;
}
