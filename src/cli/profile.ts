/** `train --profile`: what the time of a step goes to, dispatch by dispatch, on the GPU's clock. */

import { sharesOf, timedSteps } from "../bench/profile.ts";
import { median } from "../bench/measurement.ts";
import { shapeOf } from "../core/network.ts";
import type { Random } from "../core/random.ts";
import type { EngineOptions } from "../engine.ts";
import { GpuEngine } from "../gpu/engine.ts";
import { MAX_TIMED } from "../gpu/device.ts";
import { tableLines } from "../method/table.ts";

/** Steps that are timed, where training would take as many. */
const STEPS = 10;

/**
 * Trains for a few steps and prints what took how long: a line for each label, or an object.
 * @throws {TypeError} where there is no GPU, or none that has a clock.
 */
export async function tellProfile(
  options: EngineOptions,
  { parameters, random, rate, steps, json }: {
    parameters: Float64Array;
    random: Random;
    rate: number;
    steps: number;
    json: boolean;
  },
): Promise<void> {
  using engine = await GpuEngine.open(options);
  if (!engine) throw new TypeError("Cannot profile a step: there is no WebGPU adapter");
  engine.setParameters(parameters);
  const { samples, batch, network, method, estimator } = options;
  let loss = NaN;
  const walls: number[] = [];
  const timed = await timedSteps(engine.gpu, async () => {
    const indices = random.sample(samples.count, batch);
    const started = performance.now();
    [loss] = await engine.train(indices, Float64Array.of(rate));
    walls.push(performance.now() - started);
  }, Math.min(steps, STEPS));
  if (!timed) {
    throw new TypeError(`Cannot profile a step: ${engine.adapter} has no timestamps`);
  }
  const shares = sharesOf(timed);
  const sums = timed.map((step) => step.reduce((sum, { nanoseconds }) => sum + nanoseconds, 0));
  const total = median(sums) / 1e6, wall = median(walls.slice(1));
  const isWhole = timed.every(({ length }) => length < MAX_TIMED);
  if (json) {
    console.log(JSON.stringify({
      network: shapeOf(network),
      batch,
      engine: method,
      estimator: estimator.name,
      h: estimator.h,
      adapter: engine.adapter,
      steps: timed.length,
      loss,
      milliseconds: total,
      wall,
      whole: isWhole,
      shares,
    }));
    return;
  }
  console.log(
    `A step of ${shapeOf(network)} over ${batch} samples by ${method} on ${engine.adapter}: ` +
      `${total.toFixed(2)} ms by its clock, ${wall.toFixed(2)} ms until it was told; medians of ` +
      `${timed.length} steps, loss ${loss.toFixed(4)}` +
      (isWhole ? "" : `; only the first ${MAX_TIMED} dispatches of each were timed`),
  );
  const lines = tableLines([
    ["ms", "share", "dispatches", "what"],
    ...shares.map(({ label, dispatches, milliseconds }) => [
      milliseconds.toFixed(3),
      `${(100 * milliseconds / total).toFixed(1)}%`,
      `${dispatches}`,
      label,
    ]),
  ]);
  lines.forEach((line) => console.log(line));
}
