/** How long kernels take to compile where no cache has them. */

import { createNetwork } from "../core/network.ts";
import { initialParameters } from "../core/initialization.ts";
import { Xoshiro } from "../core/random.ts";
import type { Samples } from "../data/samples.ts";
import type { Measurement } from "./measurement.ts";
import { checkEngine, groupTime, openGpu, openOn, type Problem } from "./problem.ts";

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

export const compile: Measurement = {
  name: "compile",
  what: "cold compile of every kernel of a network of four hidden layers",
  async prepare() {
    (await openGpu())[Symbol.dispose](); // here, or not at all
    return {
      contenders: [{
        name: "from the shaders to a first step, less a second",
        unit: "s",
        target: { most: 3 },
        async sample() {
          const problem = drawProblem(), gpu = await openGpu();
          const started = performance.now();
          using engine = openOn(gpu, problem, "differences");
          await gpu.settle();
          await groupTime(engine, problem, 1); // some drivers compile where kernels first run
          const first = performance.now() - started;
          return (first - await groupTime(engine, problem, 1)) / 1000;
        },
      }],
      async check() {
        const problem = drawProblem();
        using engine = openOn(await openGpu(), problem, "differences");
        return await checkEngine(engine, problem, { who: "differences, newly compiled" });
      },
    };
  },
};
