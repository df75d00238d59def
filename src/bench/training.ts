/** How long a training step takes: by exact differences, by backpropagation, in float64. */

import type { Gpu, Timing } from "../gpu/device.ts";
import type { Engine } from "../mod.ts";
import type { Contender, Measurement } from "./measurement.ts";
import {
  checkEngine,
  createProblem,
  groupTime,
  open,
  openGpu,
  openOn,
  type Problem,
  trainingTime,
} from "./problem.ts";
import { sharesOf } from "./profile.ts";

/** Milliseconds that a timed training run takes, about, behind a first one of so many steps. */
const SAMPLE = 1500, FIRST_STEPS = 20;
/** Steps of a group whose kernels are timed. */
const TIMED_STEPS = 10;

/** The tutorial's step by our engine, timed through the training loop. */
export function ourStep(
  engine: Engine,
  problem: Problem,
  smoke: boolean,
  more: Partial<Contender> = {},
): Contender {
  let steps = smoke ? 3 : FIRST_STEPS;
  return {
    name: "a step by differences",
    unit: "ms",
    async sample() {
      const milliseconds = await trainingTime(engine, problem, steps);
      if (!smoke) steps = Math.max(FIRST_STEPS, Math.round(SAMPLE / milliseconds));
      return milliseconds;
    },
    ...more,
  };
}

/** The same step on the GPU's own clock, kernel by kernel, where there is one. */
async function onDevice(
  gpu: Gpu,
  engine: Engine,
  problem: Problem,
): Promise<Contender | undefined> {
  if (await gpu.timed(() => Promise.resolve()) === undefined) return undefined;
  const samples: Timing[][] = []; // of groups of steps
  return {
    name: "the same, by the GPU's clock",
    unit: "ms",
    async sample() {
      const timings = (await gpu.timed(() => groupTime(engine, problem, TIMED_STEPS)))!;
      samples.push(timings);
      return timings.reduce((sum, { nanoseconds }) => sum + nanoseconds, 0) / 1e6 / TIMED_STEPS;
    },
    detail: () =>
      sharesOf(samples)
        .map(({ label, milliseconds }) => `${(milliseconds / TIMED_STEPS).toFixed(3)} ${label}`)
        .join("; "),
  };
}

export const step: Measurement = {
  name: "step",
  what: "784-50-10, batch 100: a training step by differences, with all that belongs to it",
  async prepare(setting) {
    const problem = createProblem(setting);
    const gpu = await openGpu();
    const engine = openOn(gpu, problem, "differences");
    const target = { most: 6 };
    const timed = await onDevice(gpu, engine, problem);
    return {
      contenders: [ourStep(engine, problem, setting.smoke, { target }), ...timed ? [timed] : []],
      check: () => checkEngine(engine, problem, { who: "differences" }),
      close: () => engine[Symbol.dispose](),
    };
  },
};

export const backprop: Measurement = {
  name: "backprop",
  what: "the same step, against this project's own backpropagation",
  async prepare(setting) {
    const problem = createProblem(setting);
    const ours = await open(problem, "differences"), theirs = await open(problem, "backprop");
    using gpu = await openGpu();
    const most = gpu.software ? 3 : 1.5;
    return {
      contenders: [
        ourStep(ours, problem, setting.smoke),
        ourStep(theirs, problem, setting.smoke, { name: "a step by backpropagation" }),
      ],
      ratios: [{ name: "differences over backpropagation", of: 0, to: 1, target: { most } }],
      async check() {
        const rights = [
          await checkEngine(ours, problem, { who: "differences" }),
          await checkEngine(theirs, problem, { who: "backpropagation" }),
        ];
        return rights.join("; ");
      },
      close() {
        ours[Symbol.dispose]();
        theirs[Symbol.dispose]();
      },
    };
  },
};

export const cpu: Measurement = {
  name: "cpu",
  what: "the same step in float64 on the CPU",
  async prepare(setting) {
    const problem = createProblem(setting);
    const engine = await open(problem, "differences", "cpu");
    return {
      contenders: [ourStep(engine, problem, setting.smoke, {
        name: "a step by differences in float64",
        target: { most: 80 },
      })],
      check: () => checkEngine(engine, problem, { who: "differences in float64" }),
      close: () => engine[Symbol.dispose](),
    };
  },
};
