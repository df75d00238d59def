/** The chain rule on the device, for comparison only: nothing that trains numerically uses it. */

import { type Layer, layerName } from "../core/network.ts";
import type { Command } from "./device.ts";
import { laneCount, tilesOf } from "./forward.ts";
import { command, labelled } from "./kernel.ts";
import type { Stage } from "./stage.ts";
import {
  blocksOf,
  channelsOf,
  filterOf,
  lanesOf,
  partsOf,
  uploadWindow,
  windowOf,
  workOf,
} from "./window.ts";

/** The dispatches that fill the gradient behind a forward pass. */
export function backprop(stage: Stage): Command[] {
  const { gpu, options: { network, batch }, forward } = stage;
  const { layers, classes, loss } = network;
  const errors = layers.map(({ outputs }, l) =>
    gpu.buffer(`errors of ${layerName(network, l)}`, 4 * batch * outputs)
  );
  const last = layerName(network, layers.length - 1);
  const commands = labelled(last, [command(
    gpu,
    "backprop_output",
    [Math.ceil(batch * classes / 64)],
    { residuals: forward.residuals, labels: forward.labels, errors: errors.at(-1)! },
    { CLASSES: classes, BATCH: batch },
    { loss },
  )]);
  for (let l = layers.length - 1; l >= 0; l--) {
    const { kind } = layers[l];
    const pass = (made: Command) => commands.push(...labelled(layerName(network, l), [made]));
    const takers = layers.flatMap(({ from }, m) => from.filter((of) => of === l).map(() => m));
    takers.forEach((m, i) =>
      errorsThrough(
        stage,
        m,
        {
          companions: forward.companions[l],
          next_errors: errors[m],
          errors: errors[l],
        },
        i === 0,
        i === takers.length - 1,
      ).forEach(pass)
    );
    if (kind === "conv") filterGradient(stage, layers[l], errors[l]).forEach(pass);
    if (kind !== "dense") continue;
    pass(denseGradient(stage, l, errors[l]));
  }
  return commands;
}

/** The gradient of a dense layer's weights: its inputs, transposed, times what each unit counts. */
export function denseGradient(
  { gpu, options: { network, batch }, forward, gradient, slices }: Stage,
  l: number,
  errors: GPUBuffer, // [batch, outputs]
): Command {
  const layer = network.layers[l], { inputs, outputs, offset, from: [from] } = layer;
  const { block, count, lanes, abreast } = tilesOf(gpu, layer);
  const { entries, starts } = forward.values(from).lists!;
  return command(
    gpu,
    "backprop_gradient",
    [count, Math.ceil(outputs / 4 / lanes), Math.ceil(slices / abreast)],
    { entries, starts, errors, gradient },
    {
      INPUTS: inputs,
      OUTPUTS: outputs,
      OFFSET: offset,
      BATCH: batch,
      SLICES: slices,
      PARAMETERS: network.parameters,
      WORKGROUP: lanes,
      ABREAST: abreast,
    },
    { block },
    batch * (inputs + 1) * outputs,
  );
}

/** The errors of what layer m takes, from its own: the first that is added up, the last, or one between. */
function errorsThrough(
  { gpu, options: { network, batch }, forward, parameters }: Stage,
  m: number,
  buffers: Record<"companions" | "next_errors" | "errors", GPUBuffer>,
  isFirst: boolean,
  isLast: boolean,
): Command[] {
  const taker = network.layers[m], { kind, inputs, outputs, offset } = taker;
  if (kind === "dense" || kind === "sum") {
    const lanes = laneCount(inputs);
    return [command(
      gpu,
      "backprop_hidden",
      [Math.ceil(inputs / lanes), batch],
      { ...buffers, parameters },
      {
        WIDTH: inputs,
        OUTPUTS: outputs,
        OFFSET: offset,
        DENSE: kind === "dense",
        ADD: !isFirst,
        LAST: isLast,
        WORKGROUP: lanes,
      },
      {},
      batch * inputs * (kind === "dense" ? outputs : 1),
    )];
  }
  const window = windowOf(taker), lanes = lanesOf(gpu);
  if (kind === "maxpool") {
    return [command(
      gpu,
      "backprop_maxpool",
      [Math.ceil(inputs / lanes), batch],
      { ...buffers, winners: forward.winners[m]!, window: uploadWindow(gpu, taker) },
      { ADD: !isFirst, LAST: isLast, WORKGROUP: lanes },
      {},
      batch * inputs * window.kernel[0] * window.kernel[1],
    )];
  }
  const { input, kernel, groups } = window, [taken, given] = channelsOf(window);
  const parts = partsOf(gpu, given * kernel[0], kernel[1]);
  return parts.map((lines, i) =>
    command(
      gpu,
      "backprop_conv",
      [blocksOf(gpu, groups, taken, input[1] * input[2]), batch],
      { ...buffers, parameters, window: uploadWindow(gpu, taker, lines) },
      {
        ADD: !isFirst || i > 0,
        LAST: isLast && i === parts.length - 1,
        WORKGROUP: lanes,
      },
      filterOf(taker),
      batch * inputs * given * kernel[0] * kernel[1] / parts.length,
    )
  );
}

/** The gradient of a convolution's weights, from its errors. */
function filterGradient(
  { gpu, options: { network, batch }, forward, gradient, slices }: Stage,
  layer: Layer,
  errors: GPUBuffer,
): Command[] {
  const window = windowOf(layer), { output, kernel, groups } = window;
  const [taken, given] = channelsOf(window), lanes = lanesOf(gpu);
  const weights = taken * kernel[0] * kernel[1] + 1; // of a filter, its bias included
  const threads = groups * Math.ceil(given / 4) * Math.ceil(weights / 4);
  const samples = Math.ceil(batch / slices);
  const parts = partsOf(gpu, output[1], samples * (output[2] + 2));
  return parts.map((lines) =>
    command(
      gpu,
      "backprop_filters",
      [Math.ceil(threads / lanes), 1, slices],
      {
        a: forward.values(layer.from[0]).buffer,
        errors,
        gradient,
        window: uploadWindow(gpu, layer, lines),
      },
      { BATCH: batch, SLICES: slices, PARAMETERS: network.parameters, WORKGROUP: lanes },
      {},
      batch * workOf(window) / parts.length,
    )
  );
}
