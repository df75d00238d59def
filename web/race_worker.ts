/** The race in the worker: three engines from the same weights, over the same batches. */

import * as ng from "../src/mod.ts";
import type { RaceRow, Report } from "./protocol.ts";

const SHRINK = 4; // 28 x 28 pixels become 7 x 7: whole copies of a large network take their time
const BATCH = 20;
const HIDDEN = 10;

/** Samples of a quarter of the sides: each pixel is the mean of those that it stands for. */
function shrunk({ count, x, labels }: ng.Samples, side: number): ng.Samples {
  const small = side / SHRINK, pixels = new Uint8Array(count * small * small);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < small * small; i++) {
      const top = Math.floor(i / small) * SHRINK, left = (i % small) * SHRINK;
      let sum = 0;
      for (let d = 0; d < SHRINK * SHRINK; d++) {
        sum += x[n * side * side + (top + Math.floor(d / SHRINK)) * side + left + d % SHRINK];
      }
      pixels[n * small * small + i] = sum / SHRINK ** 2;
    }
  }
  return { count, inputs: small * small, x: pixels, labels };
}

/** The cosine of the angle between two gradients; 0 where one of them is 0. */
function cosine(a: Float64Array, b: Float64Array): number {
  const dot = a.reduce((sum, value, i) => sum + value * b[i], 0);
  return dot === 0 ? 0 : dot / Math.hypot(...a) / Math.hypot(...b);
}

/** Trains all engines in turn, a few steps each, and reports how they stand. */
export async function race(
  activation: ng.Activation,
  steps: number,
  signal: AbortSignal,
  report: (report: Report) => void,
): Promise<void> {
  const digits = ng.drawDigits({ train: 2000, test: 1 });
  const samples = shrunk(digits.train, digits.image![1]);
  const network = ng.createNetwork({
    inputs: samples.inputs,
    hidden: [HIDDEN],
    classes: digits.classes,
    activation,
  });
  const parameters = ng.initialParameters(network, 0.1, new ng.Xoshiro(1));
  const random = new ng.Xoshiro(2);
  const isStep = activation === "step";
  const options = (method: ng.Method): ng.EngineOptions => ({
    network,
    method,
    estimator: ng.createEstimator("central", isStep ? 0.5 : 1e-2),
    optimizer: { name: "sgd", weightDecay: 0 },
    samples,
    batch: BATCH,
    seed: 1,
  });
  const racers: {
    method: ng.Method;
    engine: ng.Engine;
    losses: number[];
    seconds: number[];
    cosine: number;
  }[] = [];
  try {
    for (const method of ["differences", "copies", "backprop"] as const) {
      const engine = await ng.openEngine(options(method), "auto", () => {});
      engine.setParameters(parameters);
      racers.push({ method, engine, losses: [], seconds: [], cosine: 1 });
    }
    using judge = await ng.openEngine(options("backprop"), "cpu");
    const stand = (): RaceRow[] =>
      racers.map(({ method, losses, seconds, cosine }) => ({
        engine: method,
        losses: losses.slice(),
        seconds: seconds.slice(),
        cosine,
      }));
    const group = 10;
    for (let step = 0; step < steps && !signal.aborted; step += group) {
      const batches = Array.from({ length: group }, () => [...random.sample(samples.count, BATCH)]);
      const indices = Uint32Array.from(batches.flat());
      const rates = new Float64Array(group).fill(0.5);
      for (const racer of racers) {
        const started = performance.now();
        const losses = await racer.engine.train(indices, rates);
        const seconds = (performance.now() - started) / 1000;
        const before = racer.seconds.at(-1) ?? 0;
        losses.forEach((loss, i) => {
          racer.losses.push(loss);
          racer.seconds.push(before + seconds * (i + 1) / group);
        });
        const batch = indices.subarray(0, BATCH);
        judge.setParameters(await racer.engine.parameters());
        const [ours, theirs] = [await racer.engine.gradient(batch), await judge.gradient(batch)];
        racer.cosine = cosine(ours.gradient, theirs.gradient);
      }
      report({ kind: "race", rows: stand(), done: false });
    }
    report({ kind: "race", rows: stand(), done: true });
  } finally {
    for (const { engine } of racers) engine[Symbol.dispose]();
  }
}
