/** How near the general way, a row of changes for every copy, comes to the copies engine. */

import { createEstimator } from "../core/estimator.ts";
import { planOf } from "../core/plan.ts";
import { densityOf, selectSamples } from "../data/samples.ts";
import type { Engine, Method } from "../mod.ts";
import type { Contender, Measurement } from "./measurement.ts";
import { batchesOf, checkEngine, createProblem, open, type Problem } from "./problem.ts";

/** A step that float32 can see in whole losses, and how near it then comes: see `copies`. */
const H = 0.1, TOLERANCE = 0.03;

/** Multiply-adds of a gradient of the first batch, activations and losses counted as plans do. */
function workOf(problem: Problem, method: Method): number {
  const { network, batch, h, data, sharing = true } = problem;
  // The copies engine multiplies zeros, too.
  const density = method === "copies"
    ? { nonzeros: network.inputs + 1, distinct: network.inputs + 1 }
    : densityOf(selectSamples(data.train, batchesOf(problem).next().value));
  const { multiplyAdds } = planOf(network, {
    estimator: createEstimator("central", h),
    batch,
    method,
    ...density,
    sharing,
  });
  return multiplyAdds;
}

/** The multiply-adds a second of whole gradients. */
function rateOf(name: string, engine: Engine, problem: Problem, method: Method): Contender {
  const work = workOf(problem, method), { network: { parameters }, batch } = problem;
  return {
    name,
    unit: "GMAC/s",
    async sample() {
      const indices = batchesOf(problem).next().value;
      const started = performance.now();
      await engine.gradient(indices);
      return work / (performance.now() - started) / 1e6;
    },
    detail: () =>
      `${2 * parameters} copies, batch ${batch}, ${
        (work / 1e9).toPrecision(3)
      } GMAC, activations and losses counted as plans do`,
  };
}

export const general: Measurement = {
  name: "general",
  what: "copies that share nothing, layer by layer: multiply-adds a second over whole copies'",
  async prepare(setting) {
    const { data, smoke } = setting;
    const few = Uint32Array.from({ length: Math.min(data.train.count, 1000) }, (_, n) => n);
    const small = { data: { ...data, train: selectSamples(data.train, few) }, smoke };
    // As many samples as a software adapter is done with in seconds.
    const sizes = [
      { name: "the general way, layers of 50", hidden: [50, 50, 50], batch: 20 },
      { name: "the general way, layers of 512", hidden: [50, 512, 512], batch: 2 },
    ];
    const problems: Problem[] = sizes.map(({ hidden, batch }) => ({
      ...createProblem(small, { hidden, batch, init: "xavier" }),
      sharing: false,
    }));
    const whole = createProblem(small, { hidden: [10], h: H });
    const engines: Engine[] = [];
    const close = () => engines.forEach((engine) => engine[Symbol.dispose]());
    try {
      for (const problem of problems) engines.push(await open(problem, "differences"));
      engines.push(await open(whole, "copies"));
    } catch (error) {
      close();
      throw error;
    }
    return {
      contenders: [
        ...sizes.map(({ name }, i) => rateOf(name, engines[i], problems[i], "differences")),
        rateOf("whole copies", engines.at(-1)!, whole, "copies"),
      ],
      ratios: sizes.map(({ name }, of) => ({
        name: `${name}, its share`,
        unit: "of 1",
        of,
        to: sizes.length,
        target: { least: 0.5 },
      })),
      async check() {
        const rights = [];
        for (const [i, problem] of problems.entries()) {
          // Training on so few samples diverges, and roundings with it.
          const options = { who: sizes[i].name, losses: false };
          rights.push(await checkEngine(engines[i], problem, options));
        }
        const options = { who: "copies", reference: "differences", tolerance: TOLERANCE } as const;
        rights.push(await checkEngine(engines.at(-1)!, whole, options));
        return rights.join("; ");
      },
      close,
    };
  },
};
