/** The chain rule on the device, for comparison only: nothing that trains numerically uses it. */

import { layerName } from "../core/network.ts";
import type { Command } from "./device.ts";
import { laneCount, tilesOf } from "./forward.ts";
import { command, labelled } from "./kernel.ts";
import type { Stage } from "./stage.ts";

/** The dispatches that fill the gradient behind a forward pass. */
export function backprop(stage: Stage): Command[] {
  const { gpu, options: { network, batch }, forward, parameters, gradient, slices } = stage;
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
    const { kind, inputs, outputs, offset, from: [from] } = layers[l];
    const pass = (made: Command) => commands.push(...labelled(layerName(network, l), [made]));
    const takers = layers.flatMap(({ from }, m) => from.filter((of) => of === l).map(() => m));
    const lanes = laneCount(outputs);
    takers.forEach((m, i) => {
      const taker = layers[m];
      pass(command(
        gpu,
        "backprop_hidden",
        [Math.ceil(outputs / lanes), batch],
        {
          parameters,
          companions: forward.companions[l],
          next_errors: errors[m],
          errors: errors[l],
        },
        {
          WIDTH: outputs,
          OUTPUTS: taker.outputs,
          OFFSET: taker.offset,
          DENSE: taker.kind === "dense",
          ADD: i > 0,
          LAST: i === takers.length - 1,
          WORKGROUP: lanes,
        },
        {},
        batch * outputs * (taker.kind === "dense" ? taker.outputs : 1),
      ));
    });
    if (kind !== "dense") continue;
    const { block, count, lanes: quads, abreast } = tilesOf(gpu, layers[l]);
    const { entries, starts } = forward.values(from).lists!;
    pass(command(
      gpu,
      "backprop_gradient",
      [count, Math.ceil(outputs / 4 / quads), Math.ceil(slices / abreast)],
      { entries, starts, errors: errors[l], gradient },
      {
        INPUTS: inputs,
        OUTPUTS: outputs,
        OFFSET: offset,
        BATCH: batch,
        SLICES: slices,
        PARAMETERS: network.parameters,
        WORKGROUP: quads,
        ABREAST: abreast,
      },
      { block },
      batch * (inputs + 1) * outputs,
    ));
  }
  return commands;
}
