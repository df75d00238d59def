import { initOptimizer, type OptimizerName, updateParameters } from "../src/core/optimizers.ts";
import { scheduledRate } from "../src/core/schedule.ts";
import { assertClose } from "./support.ts";

/** One parameter w = 1, gradients 0.5 then -0.25, rate 0.1, worked out by hand. */
const EXPECTED: Record<OptimizerName, [number, number]> = {
  sgd: [0.95, 0.975],
  momentum: [0.95, 0.95 + (0.9 * -0.05 + 0.025)],
  nesterov: [1 + 0.9 * -0.05 - 0.05, 0.905 + 0.9 * (0.9 * -0.05 + 0.025) + 0.025],
  adagrad: [0.9, 0.9 + 0.025 / Math.sqrt(0.3125)],
  rmsprop: [1 - 0.05 / 0.05, 0.025 / Math.sqrt(0.0031)],
  adam: [0.9, 0.9 - 0.1 * (0.02 / 0.19) / Math.sqrt(0.00031225 / 0.001999)],
};

for (const [name, expected] of Object.entries(EXPECTED)) {
  Deno.test(`${name}: two steps by hand`, () => {
    const state = initOptimizer(1);
    const w = Float64Array.of(1);
    const optimizer = { name: name as OptimizerName, weightDecay: 0 };
    updateParameters(optimizer, w, Float64Array.of(0.5), state, 0.1);
    assertClose(w, [expected[0]], 1e-5, 3e-6); // the guard of the roots, 1e-7, is left out above
    updateParameters(optimizer, w, Float64Array.of(-0.25), state, 0.1);
    assertClose(w, [expected[1]], 1e-5, 3e-6);
  });
}

Deno.test("weight decay takes its share beside the gradient", () => {
  const w = Float64Array.of(2);
  const optimizer = { name: "sgd" as const, weightDecay: 0.1 };
  updateParameters(optimizer, w, Float64Array.of(1), initOptimizer(1), 0.5);
  assertClose(w, [2 - 0.5 - 0.5 * 0.1 * 2], 1e-15);
});

Deno.test("schedules", () => {
  assertClose(
    [0, 50, 100].map((step) => scheduledRate("cosine", 2, step, 100)),
    [2, 1, 0],
    0,
    1e-15,
  );
  assertClose(
    [0, 50, 75].map((step) => scheduledRate("step", 1, step, 100)),
    [1, 0.1, 0.01],
    1e-12,
  );
  assertClose([0, 99].map((step) => scheduledRate("constant", 1, step, 100)), [1, 1], 0);
});
