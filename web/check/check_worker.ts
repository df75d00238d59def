/** The gradient check in the worker: what this adapter computes against float64, on one device. */

import { CpuEngine } from "../../src/cpu/engine.ts";
import { Gpu } from "../../src/gpu/engine.ts";
import { onDevice, parity } from "../../src/method/parity.ts";
import * as ng from "../../src/mod.ts";
import type { CheckResult, Report } from "../run/protocol.ts";

const SWEEP = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7];
const BATCH = 5; // whole copies take their time in software

/**
 * Compares gradients of one network: tensor by tensor at h = 1e-4, and as a whole over many h. Then
 * every kernel and method, which it reports row by row.
 */
export async function check(report: (report: Report) => void): Promise<CheckResult> {
  const { train: samples, inputs, classes } = ng.drawDigits({ train: BATCH, test: 1 });
  const network = ng.createNetwork({ inputs, hidden: [4], classes });
  const parameters = ng.initialParameters(network, 0.1, new ng.Xoshiro(1));
  const all = Uint32Array.from({ length: BATCH }, (_, n) => n);
  const optionsFor = (method: ng.Method, h: number): ng.EngineOptions => ({
    network,
    method,
    estimator: ng.createEstimator("central", h),
    optimizer: { name: "sgd", weightDecay: 0 },
    samples,
    batch: BATCH,
    seed: 1,
  });
  const inFloat64 = async (method: ng.Method, h: number) => {
    using engine = new CpuEngine(optionsFor(method, h), 1);
    engine.setParameters(parameters);
    return (await engine.gradient(all)).gradient;
  };
  using gpu = await Gpu.open();
  const here = (method: ng.Method, h: number) =>
    gpu
      ? onDevice(
        gpu,
        optionsFor(method, h),
        parameters,
        async (engine) => (await engine.gradient(all)).gradient,
      )
      : inFloat64(method, h);
  const ours = await here("differences", 1e-4);
  const central = await inFloat64("differences", 1e-4);
  const backprop = ng.compareGradients(network, ours, await inFloat64("backprop", 1e-4));
  const tensors = ng.compareGradients(network, ours, central).map((tensor, i) => ({
    ...tensor,
    backpropRelativeError: backprop[i].relativeError,
  }));
  const norm = (vector: Float64Array) => Math.hypot(...vector);
  const sweep = [];
  for (const h of SWEEP) {
    const reference = await inFloat64("differences", h);
    const error = async (method: ng.Method) => {
      const other = await here(method, h);
      return norm(other.map((value, i) => value - reference[i])) / norm(reference);
    };
    sweep.push({ h, differences: await error("differences"), copies: await error("copies") });
  }
  const adapter = gpu?.adapter ?? "";
  report({ kind: "check", adapter, tensors, sweep });
  const rows = [];
  for await (const row of gpu ? parity(gpu) : []) {
    rows.push(row);
    report({ kind: "parity", rows });
  }
  return { adapter, rows };
}
