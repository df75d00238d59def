/** `train --plan`: what a step will do and what it costs, before it is done. */

import type { Backend } from "../backend.ts";
import { shapeOf, weightedLayers } from "../core/network.ts";
import { planOf, type Stage } from "../core/plan.ts";
import { densityOf } from "../data/samples.ts";
import type { EngineOptions } from "../engine.ts";
import { tableLines } from "../method/table.ts";

const count = (value: number) => Math.round(value).toLocaleString("en");

/** What the device at hand would take in one kernel. */
async function fusedHere(backend: Backend) {
  if (backend === "cpu") return undefined;
  const { Gpu } = await import("../gpu/engine.ts"),
    { fusedOn } = await import("../gpu/differences.ts");
  using gpu = await Gpu.open();
  return gpu && fusedOn(gpu);
}

/** Prints the plan of the device at hand: a line a stage, or an object. */
export async function tellPlan(
  options: EngineOptions,
  backend: Backend,
  json: boolean,
): Promise<void> {
  const { network, estimator, batch, method, samples, sharing = true } = options;
  const density = densityOf(samples), fused = await fusedHere(backend);
  const superposed = backend !== "cpu";
  const plan = planOf(network, {
    estimator,
    batch,
    method,
    ...density,
    sharing,
    fused,
    superposed,
  });
  if (json) {
    console.log(JSON.stringify({
      network: shapeOf(network),
      batch,
      engine: method,
      estimator: estimator.name,
      h: estimator.h,
      ...density,
      ...plan,
    }));
    return;
  }
  const dense = weightedLayers(network.layers);
  const rows = (part: string, way: string, stages: readonly Stage[]) =>
    stages.map(({ label, rows, multiplyAdds }) => [
      part,
      way,
      label,
      count(rows),
      count(multiplyAdds),
      `${(100 * multiplyAdds / plan.multiplyAdds).toFixed(1)}%`,
    ]);
  const lines = tableLines([
    ["of", "way", "stage", "rows", "multiply-adds", "share"],
    ...rows("loss", "forward", plan.forward),
    ...plan.gradient.flatMap(({ layer, way, stages }) => {
      const l = dense.indexOf(network.layers[layer]) + 1;
      return rows(`W${l}, b${l}`, way, stages);
    }),
    ...rows("gradient", method, plan.whole),
  ]);
  console.log(
    `A step of ${shapeOf(network)} over ${batch} samples, of which each has ` +
      `${density.nonzeros.toFixed(1)} inputs that are not 0, ${
        density.distinct.toFixed(1)
      } of them ` +
      `different: ${count(plan.multiplyAdds)} multiply-adds`,
  );
  lines.forEach((line) => console.log(line));
}
