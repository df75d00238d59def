import assert from "node:assert/strict";
import { loadDataSet } from "../src/cli/datasets.ts";
import { createEstimator } from "../src/core/estimator.ts";
import { initialParameters } from "../src/core/initialization.ts";
import { createNetwork } from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import { drawDigits } from "../src/data/digits.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import { train } from "../src/method/training.ts";
import { gpuTest, hasMnist, MNIST } from "./support.ts";

gpuTest("a network trained on synthetic digits reads real ones", async (open) => {
  const data = drawDigits({ seed: 1 });
  const network = createNetwork({ inputs: 784, hidden: [50], classes: 10 });
  using engine = new GpuEngine(await open(), {
    network,
    method: "differences",
    estimator: createEstimator("central", 1e-4),
    optimizer: { name: "sgd", weightDecay: 0 },
    samples: data.train,
    batch: 100,
    seed: 1,
  });
  const random = new Xoshiro(1);
  engine.setParameters(initialParameters(network, 0.01, random));
  const options = {
    steps: 3000,
    batch: 100,
    learningRate: 0.1,
    schedule: "constant" as const,
    evalEvery: 3000,
  };
  for await (const event of train(engine, data, random, options)) {
    if (event.kind === "evaluation") assert.ok(event.evaluation.accuracy >= 0.9, "own test images");
  }
  if (!hasMnist()) return;
  const mnist = await loadDataSet(MNIST, { seed: 1, tell: () => {} });
  const { accuracy } = await engine.evaluate(mnist.test);
  assert.ok(accuracy >= 0.6, `real MNIST: ${accuracy}`);
});
