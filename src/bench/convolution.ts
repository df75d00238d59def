/** A convolutional network, the first of the tutorial's book: a step, over backpropagation's. */

import { connect, parseNodes } from "../core/network.ts";
import { selectSamples } from "../data/samples.ts";
import { type Engine, initialParameters, Xoshiro } from "../mod.ts";
import type { Contender, Measurement } from "./measurement.ts";
import { checkEngine, createProblem, groupTime, open, type Problem } from "./problem.ts";

/** SimpleConvNet: Saito, "Deep Learning from Scratch", 2016, section 7.5. */
const NODES = "conv 30x5, relu, maxpool 2, dense 100, relu";

/** The same, much smaller. */
const SMALL = "conv 2x5 stride 2, relu, maxpool 2, dense 10, relu";

/** What nets with max pools are nudged by. */
const H = 1e-6;

/** Samples that float64 is asked about: its exact differences of all weights take long. */
const CHECKED = 10;

/** Steps of a group; a step takes a fraction of a second. */
const STEPS = 5;

export const convolution: Measurement = {
  name: "convolution",
  what: `a step of ${NODES}, batch 100, by differences and by backprop`,
  async prepare(setting) {
    const { data, smoke } = setting, { inputs, classes, image } = data;
    const nodes = parseNodes(smoke ? SMALL : NODES);
    const network = connect({ inputs, inputShape: image, classes, nodes });
    const parameters = initialParameters(network, "he", new Xoshiro(1));
    const problem: Problem = { ...createProblem(setting, { h: H }), network, parameters };
    const few = Uint32Array.from({ length: CHECKED }, (_, n) => n);
    const checked = {
      ...problem,
      batch: CHECKED,
      data: { ...data, train: selectSamples(data.train, few) },
    };
    const engines: Engine[] = [];
    const close = () => engines.forEach((engine) => engine[Symbol.dispose]());
    try {
      for (const method of ["differences", "backprop"] as const) {
        engines.push(await open(problem, method));
      }
      engines.push(await open(checked, "differences"));
    } catch (error) {
      close();
      throw error;
    }
    const steps = smoke ? 1 : STEPS;
    const contender = (name: string, engine: Engine): Contender => ({
      name,
      unit: "ms/step",
      sample: () => groupTime(engine, problem, steps),
    });
    return {
      contenders: [
        { ...contender("a step of SimpleConvNet", engines[0]), target: { most: 150 } },
        contender("the same by backprop", engines[1]),
      ],
      ratios: [{ name: "over backprop", of: 0, to: 1, target: { most: 6 } }],
      check: async () => {
        // At so small a step a kink between -h and +h is rare: float64's own differences see it, too.
        const options = { who: "differences", reference: "differences", losses: false } as const;
        return await checkEngine(engines[2], checked, options);
      },
      close,
    };
  },
};
