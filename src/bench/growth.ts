/** How the time of one perturbed copy grows with the network and the batch. */

import { selectSamples } from "../data/samples.ts";
import type { Activation, Engine, Initialization, Method } from "../mod.ts";
import type { Contender, Measurement } from "./measurement.ts";
import { checkEngine, createProblem, groupTime, open, type Problem, TOLERANCE } from "./problem.ts";

/** Milliseconds that a sample takes, about. */
const SAMPLE = 300;
const MAX_STEPS = 200;

/** A network and a batch, and what its time is compared with. */
interface Size {
  readonly series: string;
  readonly x: number;
  readonly hidden: readonly number[];
  readonly batch: number;
  readonly activation: Activation;
  readonly h: number;
  readonly init: Initialization;
}

const TUTORIAL = { batch: 100, activation: "sigmoid", h: 1e-4, init: "xavier" } as const;

/** Hidden layers of 50, one behind another. */
const deep = (series: string, x: number, of: Pick<Size, "activation" | "h" | "init">): Size => ({
  series,
  x,
  hidden: new Array<number>(x).fill(50),
  batch: 100,
  ...of,
});

/** The sizes; the first of a series is what others of it are compared with, or else the first. */
const SIZES: readonly Size[] = [
  { ...TUTORIAL, series: "width", x: 50, hidden: [50] },
  ...[16, 128, 512, 2048].map((x) => ({ ...TUTORIAL, series: "width", x, hidden: [x] })),
  ...[10, 30, 300, 1000].map((x) => ({ ...TUTORIAL, series: "batch", x, hidden: [50], batch: x })),
  ...[2, 3, 4].map((x) => deep("depth", x, TUTORIAL)),
  ...[1, 2, 3, 4].map((x) => deep("relu, depth", x, { activation: "relu", h: 1e-4, init: "he" })),
  ...[1, 2, 3, 4].map((x) => deep("step, depth", x, { activation: "step", h: 1, init: "xavier" })),
];

/** Those that are tried out. */
const SMOKE = SIZES.filter(({ series, x }) =>
  series === "width" ? x === 50 : series === "batch" ? x === 10 : x <= 2
);

/** The one that another's time is a multiple of. */
const baseOf = (sizes: readonly Size[], { series }: Size) =>
  Math.max(0, sizes.findIndex((size) => size.series === series && size.x === 1));

/** What the multiples should be: copies of deeper networks are more, and share less. */
function mostOf({ series, x }: Size, adapter: string): number | undefined {
  switch (series) {
    case "width":
      return x > 50 ? 1.2 : undefined; // narrower networks leave the device idle
    case "batch":
      return x > 100 ? 1.2 : undefined; // and so do smaller batches
    case "depth":
      return (/swiftshader/i.test(adapter) ? [6, 30, 70] : [4, 20, 45])[x - 2];
    default:
      return x;
  }
}

/**
 * How gradients are checked. Where a unit's input lies within float32's rounding of a kink, copies
 * may count another piece's slope for a thousandth of their step, the rounding over h; and where it
 * lies within it of a jump, a copy jumps or does not: one of a hundred thousand jumps, or two.
 */
const CHECKS: Partial<Record<Activation, { reference: Method; tolerance: number }>> = {
  relu: { reference: "differences", tolerance: 1e-4 },
  step: { reference: "differences", tolerance: 1e-2 },
};

/** Nanoseconds for each perturbed copy and sample. */
function copyTime(
  engine: Engine,
  problem: Problem,
  smoke: boolean,
  of: Size,
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
    const sizes = smoke ? SMOKE : SIZES;
    const parts: { engine: Engine; problem: Problem }[] = [];
    const close = () => parts.forEach(({ engine }) => engine[Symbol.dispose]());
    try {
      for (const size of sizes) {
        const problem = createProblem({ data: small, smoke }, size);
        parts.push({ engine: await open(problem, "differences"), problem });
      }
    } catch (error) {
      close();
      throw error;
    }
    return {
      contenders: parts.map(({ engine, problem }, i) => copyTime(engine, problem, smoke, sizes[i])),
      ratios: sizes.flatMap((size, of) => {
        const to = baseOf(sizes, size), { series, x } = sizes[to];
        if (of === to) return [];
        const most = mostOf(size, parts[of].engine.adapter);
        return [{
          name: `${size.series} ${size.x} over ${series} ${x}`,
          of,
          to,
          ...(most && { target: { most } }),
        }];
      }),
      async check() {
        const rights = [];
        for (const [i, { engine, problem }] of parts.entries()) {
          const { series, x, activation } = sizes[i], who = `${series} ${x}`;
          const right = await checkEngine(engine, problem, { who, ...CHECKS[activation] });
          if (activation in CHECKS) rights.push(right);
        }
        return [
          `gradients and losses of ${parts.length - rights.length} networks within ${TOLERANCE} ` +
          `of float64's`,
          ...rights,
        ].join("; ");
      },
      close,
    };
  },
};
