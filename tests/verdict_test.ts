/** Verdicts on gradients of other origin: right ones are never accused, whatever kinks decide. */

import assert from "node:assert/strict";
import { connect, type Network, parameterTensors, parseNodes } from "../src/core/network.ts";
import { initialParameters } from "../src/core/initialization.ts";
import { Xoshiro } from "../src/core/random.ts";
import type { Samples } from "../src/data/samples.ts";
import { examine } from "../src/method/checked.ts";
import { foreignGradient, type Habits } from "./foreign.ts";
import { freshParameters, randomMaps, randomNetwork, randomSamples } from "./support.ts";

/** A gradient as tensors by name. */
export const byName = (network: Network, gradient: Float64Array) =>
  new Map(
    parameterTensors(network).map(({ name, offset, size }) =>
      [name, gradient.slice(offset, offset + size)] as const
    ),
  );

/** Samples of images that are black around a patch: whole regions are equal, and pools tie. */
function plainSamples(count: number, network: Network, seed: number): Samples {
  const samples = randomSamples(count, network, false, seed), { inputs } = network;
  const x = Float32Array.from(samples.x, (value, i) => {
    const place = i % inputs;
    return place > inputs / 3 && place < inputs / 2 ? Math.abs(value) : 0;
  });
  return { ...samples, x };
}

const PIECES = ["relu", "leaky-relu", "clip", "hard-sigmoid", "relu"] as const;

/** A random dense network of piecewise activations, deep or not. */
function randomDense(seed: number): Network {
  const random = new Xoshiro(seed), below = (n: number) => Math.floor(random.uniform() * n);
  const layers = Array.from(
    { length: 1 + below(3) },
    () => `dense ${3 + below(8)}, ${PIECES[below(PIECES.length)]}`,
  );
  return connect({
    inputs: 5 + below(20),
    classes: 2 + below(4),
    nodes: parseNodes(layers.join(", ")),
    epsilon: 0,
    loss: seed % 5 === 0 ? "squared-error" : "cross-entropy",
  });
}

const HABITS: Habits[] = [
  {},
  { atZero: 1, tie: "last" },
  { atZero: 0.5, tie: "shared", backwards: true },
  { backwards: true },
];

Deno.test("right gradients in float32 of 200 networks with kinks are never accused", async () => {
  let kinks = 0, undecided = 0, exactly = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const options = { activations: ["relu", "relu", "tanh", "clip"] as const, epsilon: 0 };
    const network = seed % 2 === 0
      ? randomMaps(seed, options)
      : seed % 4 === 1
      ? randomNetwork(seed, { ...options, inputs: 6, size: 9 }) // with branches that join
      : randomDense(seed);
    // Fresh biases of 0, on plain images, put whole regions exactly at kinks.
    const isPlain = seed % 3 === 0;
    // Large weights make samples certain, and gradients next to nothing but for rounding.
    const size = seed % 7 === 0 ? 8 : 1;
    const parameters = isPlain
      ? initialParameters(network, "he", new Xoshiro(seed))
      : freshParameters(network, "xavier", seed).map((weight) => Math.fround(size * weight));
    const samples = isPlain
      ? plainSamples(4, network, seed)
      : randomSamples(4, network, false, seed);
    const { gradient } = foreignGradient(network, parameters, samples, HABITS[(seed >> 1) % 4]);
    const report = await examine({
      network,
      parameters,
      samples,
      gradients: byName(network, gradient),
    });
    assert.ok(report.ok, `network ${seed}:\n${report.text()}`);
    kinks += report.tensors.filter(({ verdict }) => verdict === "kinks").length;
    undecided += report.undecided;
    exactly += report.exactly;
  }
  // Else nothing was tried.
  assert.ok(kinks > 50 && exactly > 500, `${kinks} tensors, ${undecided}, ${exactly} units`);
});
