/** How near the copies engine comes to a plain matrix product on the same adapter. */

import type { Measurement } from "./measurement.ts";
import { batchesOf, checkEngine, createProblem, open, openGpu } from "./problem.ts";
import { Product } from "./product.ts";

/** A step that float32 can see: 0.4% off, where the h of training would be 600%. */
const H = 0.1, TOLERANCE = 0.03;

/** Milliseconds that a sample of the product takes, at least, so that a read-back matters little. */
const SAMPLE = 300;

export const copies: Measurement = {
  name: "copies",
  what: "the copies engine: multiply-adds a second, as a share of a plain matrix product's",
  async prepare(setting) {
    const gpu = await openGpu();
    // Multiply-adds grow with the square of the parameters: a software adapter gets a network that
    // it is done with in seconds. Its first layer, which is 98% of it, has the shape of the larger.
    const problem = createProblem(setting, { hidden: [gpu.software ? 10 : 50], h: H });
    const { network: { parameters, inputs }, batch } = problem;
    const engine = await open(problem, "copies");
    const product = new Product(gpu, batch, inputs + 1, setting.smoke);
    const work = 2 * parameters * batch * parameters;
    let times = 1;
    return {
      contenders: [
        {
          name: "copies engine",
          unit: "GMAC/s",
          async sample() {
            const indices = batchesOf(problem).next().value;
            const started = performance.now();
            await engine.gradient(indices);
            return work / (performance.now() - started) / 1e6;
          },
          detail: () => `${2 * parameters} copies of ${parameters} weights, batch ${batch}`,
        },
        {
          name: "plain matrix product",
          unit: "GMAC/s",
          sample: async () => times * product.work / await product.time(times) / 1e6,
          detail: () => product.kernel,
        },
      ],
      ratios: [{ name: "the engine's share", unit: "of 1", of: 0, to: 1, target: { least: 0.6 } }],
      async check() {
        const options = { who: "copies", reference: "differences", tolerance: TOLERANCE } as const;
        const rights = [await checkEngine(engine, problem, options), await product.check()];
        await product.choose();
        if (!setting.smoke) times = Math.ceil(SAMPLE / await product.time(1));
        return rights.join("; ");
      },
      close() {
        engine[Symbol.dispose]();
        gpu[Symbol.dispose]();
      },
    };
  },
};
