/** How long kernels take to compile where no cache has them. */

import { createNetwork } from "../core/network.ts";
import { initialParameters } from "../core/initialization.ts";
import { Xoshiro } from "../core/random.ts";
import type { Samples } from "../data/samples.ts";
import type { GpuEngine } from "../gpu/engine.ts";
import type { Measurement } from "./measurement.ts";
import { checkEngine, openGpu, openOn, type Problem, RATE } from "./problem.ts";

/** Layers of 50, as many as a deep network here has. */
const HIDDEN = [50, 50, 50, 50];

/**
 * Four hidden layers on a few random samples. The numbers of inputs and of samples, which nearly
 * every kernel is compiled for, are drawn anew each time, so that no driver has seen them before.
 */
function drawProblem(): Problem {
  const draw = (least: number, most: number) => least + Math.floor(Math.random() * (most - least));
  const inputs = draw(200, 2000), batch = draw(4, 20), classes = 10, random = new Xoshiro(1);
  const samples: Samples = {
    count: batch,
    inputs,
    x: Float32Array.from({ length: batch * inputs }, () => random.uniform() < 0.1 ? 1 : 0),
    labels: Uint8Array.from({ length: batch }, () => Math.floor(random.uniform() * classes)),
  };
  const network = createNetwork({ inputs, hidden: HIDDEN, classes });
  return {
    network,
    parameters: initialParameters(network, "xavier", random),
    data: { name: "random samples", inputs, classes, train: samples, test: samples },
    batch,
    h: 1e-4,
  };
}

/** Milliseconds that each dispatch of a step takes, one by one, until it is done. */
async function oneByOne(engine: GpuEngine, { batch }: Problem): Promise<[string, number][]> {
  const { gpu } = engine, indices = Uint32Array.from({ length: batch }, (_, n) => n);
  const probe = gpu.buffer("probe", 4), times: [string, number][] = [];
  for (const command of engine.stepCommands(indices, Float64Array.of(RATE))) {
    const started = performance.now();
    gpu.run([command]);
    await gpu.read(probe);
    times.push([command.label, performance.now() - started]);
  }
  return times;
}

export const compile: Measurement = {
  name: "compile",
  what: "cold compile of every kernel of a network of four hidden layers",
  async prepare() {
    (await openGpu())[Symbol.dispose](); // here, or not at all
    let slowest: [string, number][] = [];
    return {
      contenders: [{
        name: "shaders to pipelines, and what their first runs take longer than their second",
        unit: "s",
        target: { most: 3 },
        async sample() {
          const problem = drawProblem(), gpu = await openGpu();
          const started = performance.now();
          using engine = openOn(gpu, problem, "differences");
          await gpu.settle();
          const pipelines = performance.now() - started;
          // Some drivers compile where a kernel first runs.
          const first = await oneByOne(engine, problem), second = await oneByOne(engine, problem);
          const late = first.map(([label, time], i): [string, number] => [
            label,
            time - second[i][1],
          ]);
          slowest = late.toSorted(([, a], [, b]) => b - a).slice(0, 5);
          return (pipelines + late.reduce((sum, [, time]) => sum + time, 0)) / 1000;
        },
        detail: () =>
          `longest at their first run: ` +
          slowest.map(([label, time]) => `${(time / 1000).toFixed(2)} s ${label}`).join("; "),
      }],
      async check() {
        const problem = drawProblem();
        using engine = openOn(await openGpu(), problem, "differences");
        return await checkEngine(engine, problem, { who: "differences, newly compiled" });
      },
    };
  },
};
