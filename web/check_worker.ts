/** The gradient check in the worker: this adapter's gradients against float64. */

import * as ng from "../src/mod.ts";
import type { CheckResult } from "./protocol.ts";

const SWEEP = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7];
const BATCH = 5; // whole copies take their time in software

/** Compares gradients of one network: tensor by tensor at h = 1e-4, and as a whole over many h. */
export async function check(): Promise<CheckResult> {
  const { train: samples, inputs, classes } = ng.drawDigits({ train: BATCH, test: 1 });
  const network = ng.createNetwork({ inputs, hidden: [4], classes });
  const parameters = ng.initialParameters(network, 0.1, new ng.Xoshiro(1));
  const all = Uint32Array.from({ length: BATCH }, (_, n) => n);
  let adapter = "";
  const gradient = async (backend: ng.Backend, method: ng.Method, h: number) => {
    using engine = await ng.openEngine(
      {
        network,
        method,
        estimator: ng.createEstimator("central", h),
        optimizer: { name: "sgd", weightDecay: 0 },
        samples,
        batch: BATCH,
        seed: 1,
      },
      backend,
      () => {},
    );
    if (backend === "auto") adapter = engine.adapter;
    engine.setParameters(parameters);
    return (await engine.gradient(all)).gradient;
  };
  const ours = await gradient("auto", "differences", 1e-4);
  const central = await gradient("cpu", "differences", 1e-4);
  const backprop = ng.compareGradients(network, ours, await gradient("cpu", "backprop", 1e-4));
  const tensors = ng.compareGradients(network, ours, central).map((tensor, i) => ({
    ...tensor,
    backpropRelativeError: backprop[i].relativeError,
  }));
  const norm = (vector: Float64Array) => Math.hypot(...vector);
  const sweep = [];
  for (const h of SWEEP) {
    const reference = await gradient("cpu", "differences", h);
    const error = async (method: ng.Method) => {
      const other = await gradient("auto", method, h);
      return norm(other.map((value, i) => value - reference[i])) / norm(reference);
    };
    sweep.push({ h, differences: await error("differences"), copies: await error("copies") });
  }
  return { adapter, tensors, sweep };
}
