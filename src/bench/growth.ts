/** How the time of one perturbed copy grows with the network and the batch. */

import { selectSamples } from "../data/samples.ts";
import type { Engine } from "../mod.ts";
import type { Contender, Measurement } from "./measurement.ts";
import { checkEngine, createProblem, groupTime, open, type Problem, TOLERANCE } from "./problem.ts";

/** Milliseconds that a sample takes, about. */
const SAMPLE = 300;
const MAX_STEPS = 200;

/** The sizes; the first is the tutorial's, which all others are compared with. */
const SIZES = [
  { series: "width", x: 50, hidden: [50], batch: 100 },
  ...[16, 128, 512, 2048].map((x) => ({ series: "width", x, hidden: [x], batch: 100 })),
  ...[10, 30, 300, 1000].map((x) => ({ series: "batch", x, hidden: [50], batch: x })),
  ...[2, 3, 4].map((x) => ({
    series: "depth",
    x,
    hidden: new Array<number>(x).fill(50),
    batch: 100,
  })),
];

/** Nanoseconds for each perturbed copy and sample. */
function copyTime(
  engine: Engine,
  problem: Problem,
  smoke: boolean,
  of: typeof SIZES[0],
): Contender {
  const { network: { parameters }, batch } = problem;
  let steps = 1;
  return {
    name: `${of.series} ${of.x}`,
    unit: "ns",
    point: { series: of.series, x: of.x },
    async sample() {
      const milliseconds = await groupTime(engine, problem, steps);
      if (!smoke) steps = Math.max(1, Math.min(Math.round(SAMPLE / milliseconds), MAX_STEPS));
      return 1e6 * milliseconds / (2 * parameters * batch);
    },
    detail: () => `${2 * parameters} copies, batch ${batch}`,
  };
}

export const growth: Measurement = {
  name: "growth",
  what: "time for a perturbed copy and a sample, as the network and the batch grow",
  async prepare(setting) {
    const { data, smoke } = setting;
    const few = Uint32Array.from({ length: Math.min(data.train.count, 1000) }, (_, n) => n);
    const small = { ...data, train: selectSamples(data.train, few) }; // each engine holds them
    const sizes = smoke ? [SIZES[0], SIZES[5], SIZES[9]] : SIZES;
    const parts: { engine: Engine; problem: Problem }[] = [];
    const close = () => parts.forEach(({ engine }) => engine[Symbol.dispose]());
    try {
      for (const { hidden, batch } of sizes) {
        const problem = createProblem({ data: small, smoke }, { hidden, batch, init: "xavier" });
        parts.push({ engine: await open(problem, "differences"), problem });
      }
    } catch (error) {
      close();
      throw error;
    }
    return {
      contenders: parts.map(({ engine, problem }, i) => copyTime(engine, problem, smoke, sizes[i])),
      // Narrower networks and smaller batches leave the device idle; in deeper ones a copy is more.
      ratios: sizes.slice(1).map(({ series, x }, i) => ({
        name: `${series} ${x} over 50, batch 100`,
        of: i + 1,
        to: 0,
        ...(x > (series === "width" ? 50 : 100) && { target: { most: 1.2 } }),
      })),
      async check() {
        for (const [i, { engine, problem }] of parts.entries()) {
          await checkEngine(engine, problem, { who: `${sizes[i].series} ${sizes[i].x}` });
        }
        return `gradients and losses of ${parts.length} networks within ${TOLERANCE} of float64's`;
      },
      close,
    };
  },
};
