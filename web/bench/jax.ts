/** The network in jax-js on WebGPU: loss, gradient and update compiled into one function. */

import {
  type Array as Tensor,
  defaultDevice,
  init,
  jit,
  nn,
  numpy as np,
  valueAndGrad,
} from "@jax-js/jax";
import { type Problem, RATE } from "../../src/bench/problem.ts";
import { parameterTensors } from "../../src/mod.ts";
import type { Trainer } from "./library.ts";

type Weights = [W1: Tensor, b1: Tensor, W2: Tensor, b2: Tensor];

/** The mean cross-entropy. The library's functions take over what they are given; `ref` keeps it. */
function loss([W1, b1, W2, b2]: Weights, x: Tensor, targets: Tensor): Tensor {
  const hidden = nn.sigmoid(np.matmul(x, W1).add(b1));
  const logits = np.matmul(hidden, W2).add(b2);
  return nn.logSoftmax(logits, -1).mul(targets).sum(-1).mean().neg();
}

/** Opens the library's WebGPU backend. */
export async function jax({ network, parameters, batch }: Problem): Promise<Trainer> {
  if (!(await init("webgpu")).includes("webgpu")) throw new Error("jax-js finds no WebGPU");
  defaultDevice("webgpu");
  const { inputs, classes } = network;
  const initial = parameterTensors(network).map(({ shape, offset, size }) =>
    np.array(Float32Array.from(parameters.subarray(offset, offset + size))).reshape([...shape])
  ) as Weights;
  const copyOf = (weights: Weights) => weights.map((weight) => weight.ref) as Weights;
  const step = jit((weights: Weights, x: Tensor, targets: Tensor): [Tensor, Weights] => {
    const [value, slopes] = valueAndGrad(loss)(copyOf(weights), x, targets) as [Tensor, Weights];
    return [value, weights.map((weight, i) => weight.sub(slopes[i].mul(RATE))) as Weights];
  });
  let weights = copyOf(initial), last = np.array([0]);
  return {
    reset() {
      weights.forEach((weight) => weight.dispose());
      weights = copyOf(initial);
    },
    step(drawn) {
      last.dispose();
      const x = np.array(drawn.x).reshape([batch, inputs]);
      const targets = np.array(drawn.targets).reshape([batch, classes]);
      [last, weights] = step(weights, x, targets) as [Tensor, Weights];
    },
    loss: async () => (await last.ref.data())[0],
    async gradient(drawn) {
      const x = np.array(drawn.x).reshape([batch, inputs]);
      const targets = np.array(drawn.targets).reshape([batch, classes]);
      const [value, slopes] = valueAndGrad(loss)(copyOf(weights), x, targets) as [Tensor, Weights];
      value.dispose();
      return await Promise.all(slopes.map(async (slope) => await slope.data() as Float32Array));
    },
    close() {
      for (const tensor of [last, ...weights, ...initial]) tensor.dispose();
      step.dispose();
    },
  };
}
