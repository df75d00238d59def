/** The chain rule on the device, for comparison only: nothing that trains numerically uses it. */

import { layerName } from "../core/network.ts";
import type { Command } from "./device.ts";
import { laneCount, tilesOf } from "./forward.ts";
import { command } from "./kernel.ts";
import type { Stage } from "./stage.ts";

/** The dispatches that fill the gradient behind a forward pass. */
export function backprop(stage: Stage): Command[] {
  const { gpu, options: { network, batch }, forward, parameters, gradient, slices } = stage;
  const { layers, classes, epsilon, loss } = network;
  const errors = layers.map(({ outputs }, l) =>
    gpu.buffer(`errors of ${layerName(network, l)}`, 4 * batch * outputs)
  );
  const commands = [command(
    gpu,
    "backprop_output",
    [Math.ceil(batch * classes / 64)],
    { residuals: forward.residuals, labels: forward.labels, errors: errors.at(-1)! },
    { CLASSES: classes, BATCH: batch, EPSILON: epsilon },
    { loss },
  )];
  for (let l = layers.length - 1; l >= 0; l--) {
    const { kind, inputs, outputs, offset, activation, from: [from] } = layers[l];
    const takers = layers.flatMap(({ from }, m) => from.filter((of) => of === l).map(() => m));
    const lanes = laneCount(outputs);
    takers.forEach((m, i) => {
      const taker = layers[m];
      commands.push(command(
        gpu,
        "backprop_hidden",
        [Math.ceil(outputs / lanes), batch],
        {
          parameters,
          values: forward.values(l).buffer,
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
        { activation },
      ));
    });
    if (kind !== "dense") continue;
    const { block, count, lanes: quads } = tilesOf(gpu, layers[l]);
    const { entries, starts } = forward.values(from).lists!;
    commands.push(command(
      gpu,
      "backprop_gradient",
      [count, Math.ceil(outputs / 4 / quads), slices],
      { entries, starts, errors: errors[l], gradient },
      {
        INPUTS: inputs,
        OUTPUTS: outputs,
        OFFSET: offset,
        BATCH: batch,
        SLICES: slices,
        PARAMETERS: network.parameters,
        WORKGROUP: quads,
      },
      { block },
    ));
  }
  return commands;
}
