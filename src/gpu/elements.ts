/**
 * The gradient of some weights alone, at a cost in proportion: each weight's copies go by rows, each
 * by itself, so that nothing of an element depends on which others are asked for.
 */

import { stencilOf } from "../core/estimator.ts";
import { type Layer, type Network, weightedLayers } from "../core/network.ts";
import type { Command } from "./device.ts";
import { command, type Constants } from "./kernel.ts";
import { type MapRows, mapsTo, roomForMaps, tapsOf } from "./maps.ts";
import { ACTIVATION_WORK, changedBuffer, propagate, Rows, walkersOf, widestOf } from "./rows.ts";
import { type Stage, stageAt, uploadStencil } from "./stage.ts";

/** Some weights of one layer, and their sums over the batch. */
export interface Part {
  /** Their places among the elements that were asked for. */
  readonly places: readonly number[];
  readonly sums: GPUBuffer; // [places]
}

/** The layer of each element, and where it is there. */
function byLayer({ layers }: Network, elements: Uint32Array) {
  const dense = weightedLayers(layers);
  const groups = new Map<Layer, { places: number[]; weights: number[] }>();
  elements.forEach((element, place) => {
    const layer = dense.findLast(({ offset }) => offset <= element)!;
    const group = groups.get(layer) ?? { places: [], weights: [] };
    groups.set(layer, group);
    const at = element - layer.offset;
    group.places.push(place);
    group.weights.push(at % layer.outputs, Math.floor(at / layer.outputs)); // unit, input
  });
  return groups;
}

/** The dispatches behind a forward pass that evaluate these elements of the gradient. */
export function elementsOf(
  stage: Stage,
  elements: Uint32Array,
): { commands: Command[]; parts: Part[] } {
  const { gpu, options: { network, batch, estimator } } = stage, { layers } = network;
  const points = stencilOf(estimator).length; // at most
  const copies = elements.length * batch * points;
  let rows: Rows | undefined, mapRows: MapRows | undefined;
  const commands: Command[] = [], parts: Part[] = [];
  const perGroup = Math.max(1, Math.floor(gpu.scratchBytes / (4 * batch)));
  for (const [layer, { places, weights }] of byLayer(network, elements)) {
    const l = layers.indexOf(layer), at = stageAt(stage, l);
    if (layer.kind === "conv") {
      const sums = gpu.buffer("elements' sums", 4 * places.length);
      const to = { buffer: sums, slices: 1, stride: places.length };
      const taps = tapsOf(layer, places.map((place) => elements[place]), [...places.keys()]);
      parts.push({ places, sums });
      mapRows ??= roomForMaps(stage, false, elements.length);
      commands.push(...mapsTo(at, l, mapRows, taps, to, false));
      continue;
    }
    rows ??= new Rows(gpu, copies, 4 * points, widestOf(layers));
    const stencil = uploadStencil(gpu, at.options);
    for (let first = 0; first < places.length; first += perGroup) {
      const group = places.slice(first, first + perGroup);
      const sums = gpu.buffer("elements' sums", 4 * group.length);
      const items = Uint32Array.from(weights.slice(2 * first, 2 * (first + group.length)));
      parts.push({ places: group, sums });
      commands.push(...groupOf(at, rows, stencil, l, items, sums));
    }
  }
  return { commands, parts };
}

/** The dispatches of some weights of layer `l`. */
function groupOf(
  stage: Stage,
  rows: Rows,
  stencil: GPUBuffer,
  l: number,
  weights: Uint32Array, // [elements] of unit, input
  sums: GPUBuffer, // [elements]
): Command[] {
  const { gpu, options: { network, batch, estimator }, forward, parameters } = stage;
  const layer = network.layers[l], isLast = l === network.layers.length - 1;
  const points = stencilOf(estimator).length, count = weights.length / 2;
  const items = gpu.upload("elements", weights);
  const responses = stage.shared("elements' responses", 4 * count * batch);
  const constants: Constants = {
    BATCH: batch,
    POINTS: points,
    INPUTS: layer.inputs,
    CLASSES: network.classes,
    ROW_QUADS: rows.quads,
    WORKGROUP: 64,
  };
  const most = Math.floor(4 * rows.quads / points), total = count * batch;
  const commands: Command[] = [];
  for (let first = 0; first < total; first += most) {
    const size = Math.min(most, total - first), quads = Math.ceil(size * points / 4);
    const words = Uint32Array.of(0, 0, first, size, layer.outputs, 0, 0, 0);
    const part = gpu.upload("part", words, GPUBufferUsage.UNIFORM);
    const fillings = {
      activation: layer.activation,
      rows: "elements",
      loss: network.loss,
    } as const;
    const bound = {
      part,
      items,
      stencil,
      moves: rows.moves,
      values: forward.values(l).buffer,
      companions: forward.companions[l],
    };
    const { commands: passes, logits } = isLast
      ? logitsOf(stage, rows, layer, bound, constants, quads)
      : propagate(stage, rows, l, {
        rows: "elements",
        effect: "exact",
        buffers: { parameters, part, items },
        constants,
        count: size * points,
      });
    commands.push(
      command(
        gpu,
        "nudge_elements",
        [walkersOf(gpu, quads, 1) / 64],
        { ...bound, a: forward.values(layer.from[0]).buffer },
        constants,
        fillings,
        size * points * ACTIVATION_WORK,
      ),
      ...passes,
      command(
        gpu,
        "rows_loss",
        [walkersOf(gpu, size, network.classes + 1) / 64],
        {
          ...bound,
          changes: logits,
          residuals: forward.residuals,
          labels: forward.labels,
          responses,
        },
        constants,
        fillings,
        size * points * network.classes * ACTIVATION_WORK,
      ),
    );
  }
  return [
    ...commands,
    command(gpu, "collect_elements", [Math.ceil(count / 64)], { responses, sums }, {
      BATCH: batch,
      ELEMENTS: count,
    }),
  ];
}

/** Where the nudged unit is a logit itself: it moves, and no other does. */
function logitsOf(
  { gpu }: Stage,
  rows: Rows,
  layer: Layer,
  buffers: Record<string, GPUBuffer>,
  constants: Constants,
  quads: number,
): { commands: Command[]; logits: GPUBuffer } {
  const logits = rows.buffer(0);
  const alone = command(
    gpu,
    "rows_sum",
    [walkersOf(gpu, quads, 17) / 64, Math.ceil(layer.outputs / 16)],
    {
      ...buffers,
      before: rows.moves,
      changes: logits,
      changed: changedBuffer(gpu, layer),
    },
    { ...constants, UNIT: true, ADD: false, LAST: true },
    { activation: layer.activation, rows: "elements", effect: "exact" },
    4 * quads * layer.outputs,
  );
  return { commands: [alone], logits };
}
