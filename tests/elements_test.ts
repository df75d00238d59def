/** Elements of a gradient that are asked for by themselves, on the device. */

import assert from "node:assert/strict";
import { createNetwork } from "../src/core/network.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import {
  assertGradient,
  engineOptions,
  freshParameters,
  gpuTest,
  randomSamples,
} from "./support.ts";

const BATCH = 6;
const batch = Uint32Array.from({ length: BATCH }, (_, n) => n);

const NETWORKS = [
  { hidden: [9, 7], activation: "sigmoid", h: 1e-2 },
  { hidden: [9], activation: "relu", h: 1e-4 },
  { hidden: [9, 8], activation: "step", h: 1 },
  { hidden: [], activation: "sigmoid", h: 1e-2 },
] as const;

const WAYS = [
  ...(["differences", "copies", "backprop"] as const)
    .map((method) => ({ method, estimator: "central" as const })),
  { method: "differences" as const, estimator: "spsa" as const },
];

for (const { method, estimator } of WAYS) {
  gpuTest(`elements of a gradient by ${method}, ${estimator}`, async (open) => {
    for (const { hidden, activation, h } of NETWORKS) {
      const network = createNetwork({ inputs: 12, hidden: [...hidden], classes: 4, activation });
      const options = engineOptions(network, randomSamples(BATCH, network), BATCH, {
        method,
        estimator,
        h,
      });
      using engine = new GpuEngine(await open(), options);
      engine.setParameters(freshParameters(network));
      const { parameters } = network;
      const whole = await engine.gradient(batch);
      const every = await engine.gradient(
        batch,
        Uint32Array.from({ length: parameters }, (_, i) => i),
      );
      assert.equal(every.loss, whole.loss);
      // Each way's roundings are 3e-7 of a tensor at most; see the tests of the ways.
      assertGradient(network, every.gradient, whole.gradient, 1e-6, 1e-9);
      // In any order, more than once, and with the same bits whatever else is asked for.
      const some = [parameters - 1, 0, 3, parameters - 2, 17 % parameters, 3];
      const buffers = engine.gpu.buffers;
      const { gradient } = await engine.gradient(batch, Uint32Array.from(some));
      assert.deepEqual([...gradient], some.map((index) => every.gradient[index]));
      assert.ok(engine.gpu.buffers <= buffers + 1, "buffers of elements stay"); // staging may
      assert.equal((await engine.gradient(batch, new Uint32Array())).gradient.length, 0);
      await assert.rejects(engine.gradient(batch, Uint32Array.of(parameters)), RangeError);
    }
  });
}
