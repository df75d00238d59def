/** The race in the worker: ways to a gradient, from the same weights, over the same batches. */

import * as ng from "../../src/mod.ts";
import type { EngineName, RaceRow, Report } from "../run/protocol.ts";

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

/** Directions a step, and the step that their noise leaves room for, of what the others take. */
const DIRECTIONS = 100, SHARE = 0.2;
const RATE = 0.5;
const GROUP = 10; // steps that each takes in turn
const EVAL_EVERY = 50;

/** What a way to a gradient is, as an engine's options. */
const WAYS: Record<EngineName, Pick<ng.EngineOptions, "method" | "surrogate">> = {
  differences: { method: "differences" },
  copies: { method: "copies" },
  backprop: { method: "backprop" },
  straight: { method: "backprop", surrogate: { name: "clipped", width: 1 } },
  random: { method: "differences" },
};

/** A way in the race. */
interface Racer {
  readonly name: EngineName;
  readonly engine: ng.Engine;
  readonly losses: number[];
  readonly seconds: number[];
  accuracy: number;
  cosine: number;
}

/** Trains by all ways in turn, a few steps each, and reports how they stand. */
export async function race(
  activation: "sigmoid" | "step",
  steps: number,
  signal: AbortSignal,
  report: (report: Report) => void,
): Promise<void> {
  const digits = ng.drawDigits({ train: 2000, test: 500 }), side = digits.image![1];
  const samples = shrunk(digits.train, side), test = shrunk(digits.test, side);
  const network = ng.createNetwork({
    inputs: samples.inputs,
    hidden: [HIDDEN],
    classes: digits.classes,
    activation,
  });
  const parameters = ng.initialParameters(network, 0.1, new ng.Xoshiro(1));
  const random = new ng.Xoshiro(2);
  const isStep = activation === "step", h = isStep ? 0.5 : 1e-2;
  const options = (name: EngineName): ng.EngineOptions => ({
    ...WAYS[name],
    network,
    estimator: name === "random"
      ? ng.createEstimator("spsa", h, DIRECTIONS)
      : ng.createEstimator("central", h),
    optimizer: { name: "sgd", weightDecay: 0 },
    samples,
    batch: BATCH,
    seed: 1,
  });
  const racers: Racer[] = [];
  try {
    for (const name of Object.keys(WAYS) as EngineName[]) {
      // Units with a derivative have nothing that one is made up for.
      if (name === "straight" && !isStep) continue;
      const engine = await ng.openEngine(options(name), "auto", () => {});
      engine.setParameters(parameters);
      racers.push({ name, engine, losses: [], seconds: [], accuracy: 0, cosine: 1 });
    }
    using judge = await ng.openEngine(options("backprop"), "cpu");
    const stand = (): RaceRow[] =>
      racers.map(({ name, losses, seconds, accuracy, cosine }) => ({
        engine: name,
        losses: losses.slice(),
        seconds: seconds.slice(),
        accuracy,
        cosine,
      }));
    for (let step = 0; step < steps && !signal.aborted; step += GROUP) {
      const batches = Array.from({ length: GROUP }, () => [...random.sample(samples.count, BATCH)]);
      const indices = Uint32Array.from(batches.flat());
      for (const racer of racers) {
        const rate = RATE * (racer.name === "random" ? SHARE : 1);
        const started = performance.now();
        const losses = await racer.engine.train(indices, new Float64Array(GROUP).fill(rate));
        const seconds = (performance.now() - started) / 1000;
        const before = racer.seconds.at(-1) ?? 0;
        losses.forEach((loss, i) => {
          racer.losses.push(loss);
          racer.seconds.push(before + seconds * (i + 1) / GROUP);
        });
        const batch = indices.subarray(0, BATCH);
        judge.setParameters(await racer.engine.parameters());
        const [ours, theirs] = [await racer.engine.gradient(batch), await judge.gradient(batch)];
        racer.cosine = cosine(ours.gradient, theirs.gradient);
        if ((step + GROUP) % EVAL_EVERY === 0) {
          racer.accuracy = (await racer.engine.evaluate(test)).accuracy;
        }
      }
      report({ kind: "race", rows: stand(), done: false });
    }
    report({ kind: "race", rows: stand(), done: true });
  } finally {
    for (const { engine } of racers) engine[Symbol.dispose]();
  }
}
