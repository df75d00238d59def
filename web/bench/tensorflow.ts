/** The network in TensorFlow.js on WebGPU, trained by its own optimiser. */

import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-webgpu";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import { type Problem, RATE } from "../../src/bench/problem.ts";
import { parameterTensors } from "../../src/mod.ts";
import type { Trainer } from "./library.ts";

/** Opens the library's WebGPU backend. */
export async function tensorflow({ network, parameters, batch }: Problem): Promise<Trainer> {
  if (!await tf.setBackend("webgpu")) throw new Error("TensorFlow.js finds no WebGPU");
  const { inputs, classes } = network;
  const initial = parameterTensors(network).map(({ shape, offset, size }) =>
    tf.tensor(Float32Array.from(parameters.subarray(offset, offset + size)), [...shape])
  );
  const variables = initial.map((tensor) => tf.variable(tensor));
  const [W1, b1, W2, b2] = variables as tf.Variable<tf.Rank.R2>[];
  const lossOf = (x: tf.Tensor2D, targets: tf.Tensor2D) => {
    const hidden = tf.sigmoid(tf.add(tf.matMul(x, W1), b1));
    const logits = tf.add(tf.matMul(hidden, W2), b2);
    return tf.losses.softmaxCrossEntropy(targets, logits) as tf.Scalar;
  };
  const optimizer = tf.train.sgd(RATE);
  let last: tf.Scalar = tf.scalar(0);
  return {
    reset: () => variables.forEach((variable, i) => variable.assign(initial[i])),
    step(drawn) {
      last.dispose();
      const x = tf.tensor2d(drawn.x, [batch, inputs]);
      const targets = tf.tensor2d(drawn.targets, [batch, classes]);
      last = optimizer.minimize(() => lossOf(x, targets), true, variables)!;
      x.dispose();
      targets.dispose();
    },
    async gradient(drawn) {
      const x = tf.tensor2d(drawn.x, [batch, inputs]);
      const targets = tf.tensor2d(drawn.targets, [batch, classes]);
      const { value, grads } = tf.variableGrads(() => lossOf(x, targets), variables);
      const slopes = variables.map(({ name }) => grads[name]);
      const values = await Promise.all(
        slopes.map((slope) => slope.data() as Promise<Float32Array>),
      );
      for (const tensor of [x, targets, value, ...slopes]) tensor.dispose();
      return values;
    },
    async loss() {
      const kept = last.clone(); // a tensor that goes away while it is read fails the read
      const [value] = await kept.data();
      kept.dispose();
      return value;
    },
    close() {
      for (const tensor of [last, ...variables, ...initial]) tensor.dispose();
    },
  };
}
