/** The chain rule on the device, for comparison only: nothing that trains numerically uses it. */

import type { Command } from "./device.ts";
import { laneCount, tilesOf } from "./forward.ts";
import { command } from "./kernel.ts";
import type { Stage } from "./stage.ts";

/** The dispatches that fill the gradient behind a forward pass. */
export function backprop(stage: Stage): Command[] {
  const { gpu, options: { network, batch }, forward, parameters, gradient, slices } = stage;
  const { layers, classes, loss } = network;
  const errors = layers.map(({ outputs }, l) =>
    gpu.buffer(`errors of layer ${l + 1}`, 4 * batch * outputs)
  );
  const commands = [command(
    gpu,
    "backprop_output",
    [Math.ceil(batch * classes / 64)],
    { residuals: forward.residuals, labels: forward.labels, errors: errors.at(-1)! },
    { CLASSES: classes, BATCH: batch },
    { loss },
  )];
  for (let l = layers.length - 1; l >= 0; l--) {
    const { inputs, outputs, offset } = layers[l];
    const constants = { INPUTS: inputs, OUTPUTS: outputs, OFFSET: offset, BATCH: batch };
    const { block, count, lanes, abreast } = tilesOf(gpu, layers[l]);
    commands.push(command(
      gpu,
      "backprop_gradient",
      [count, Math.ceil(outputs / 4 / lanes), Math.ceil(slices / abreast)],
      { entries: forward.entries[l], starts: forward.starts[l], errors: errors[l], gradient },
      {
        ...constants,
        SLICES: slices,
        PARAMETERS: network.parameters,
        WORKGROUP: lanes,
        ABREAST: abreast,
      },
      { block },
      batch * (inputs + 1) * outputs,
    ));
    if (l === 0) break;
    const lanesBefore = laneCount(inputs);
    commands.push(command(
      gpu,
      "backprop_hidden",
      [Math.ceil(inputs / lanesBefore), batch],
      {
        parameters,
        companions: forward.companions[l - 1],
        next_errors: errors[l],
        errors: errors[l - 1],
      },
      { ...constants, WORKGROUP: lanesBefore },
      {},
      batch * inputs * outputs,
    ));
  }
  return commands;
}
