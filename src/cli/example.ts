/** `example`: the tutorial's first network, two inputs and three classes, number by number. */

import { openEngine } from "../backend.ts";
import { createEstimator } from "../core/estimator.ts";
import { createNetwork } from "../core/network.ts";
import type { Samples } from "../data/samples.ts";
import type { Engine, EngineOptions } from "../engine.ts";
import type { Options } from "./options.ts";
import { tableLines } from "../method/table.ts";

const H = 1e-4;
const W = [[0.47355232, 0.9977393, 0.84668094], [0.85557411, 0.03563661, 0.69422093]];
const X = [0.6, 0.9];
const TARGET = 2; // the third class

/** What one engine makes of the example. */
async function evaluate(engine: Engine, samples: Samples) {
  engine.setParameters(Float64Array.from([...W.flat(), 0, 0, 0])); // the tutorial's has no bias
  const p = [...await engine.logits(samples)];
  const { loss, gradient } = await engine.gradient(Uint32Array.of(0));
  const total = p.reduce((sum, value) => sum + Math.exp(value), 0);
  return { p, y: p.map((value) => Math.exp(value) / total), loss, gradient };
}

/** Runs the command. */
export async function runExample({ backend, json }: Options): Promise<void> {
  const tell = (line: string) => json ? console.error(line) : console.log(line);
  const network = createNetwork({ inputs: 2, hidden: [], classes: 3 });
  const samples = {
    count: 1,
    inputs: 2,
    x: Float64Array.from(X),
    labels: Uint8Array.of(TARGET),
  };
  const options: EngineOptions = {
    network,
    method: "differences",
    estimator: createEstimator("central", H),
    optimizer: { name: "sgd", weightDecay: 0 },
    samples,
    batch: 1,
    seed: 1,
  };
  using reference = await openEngine(options, "cpu");
  using other = await openEngine(options, backend, tell);
  const results: (Awaited<ReturnType<typeof evaluate>> & { adapter: string; backend: string })[] =
    [];
  for (const engine of [reference, other]) {
    if (engine === other && other.backend === "cpu") continue; // there is nothing to put beside it
    const { backend, adapter } = engine;
    results.push({ backend, adapter, ...await evaluate(engine, samples) });
  }
  if (json) {
    const rows = results.map(({ gradient, ...result }) => ({
      ...result,
      gradient: [[...gradient.subarray(0, 3)], [...gradient.subarray(3, 6)]],
    }));
    console.log(JSON.stringify({ x: X, W, target: TARGET, h: H, results: rows }));
    return;
  }

  const digits = (value: number) => value.toFixed(8).padStart(11);
  const row = (name: string, values: number[]) => [name, ...values.map(digits)];
  const matrix = (name: string, rows: number[][]) =>
    tableLines(rows.map((values, i) => row(i === 0 ? name : "", values)));
  const beside = (name: string, valuesOf: (result: typeof results[0]) => number[]) =>
    tableLines(results.map((result) => row(`${name} (${result.adapter})`, valuesOf(result))));
  const lines = [
    "A network of two inputs and three classes, without a hidden layer. Its weights:",
    "",
    ...matrix("W", W),
    "",
    "One sample goes in:",
    "",
    ...matrix("x", [X]),
    "",
    "p = x W: what each class gets, before it is made a probability.",
    "",
    ...beside("p", ({ p }) => p),
    "",
    "softmax(p): the probabilities of the classes.",
    "",
    ...beside("y", ({ y }) => y),
    "",
    "The sample is of the third class, t = (0, 0, 1). The loss is -log(y + 1e-7) of that class:",
    "",
    ...beside("loss", ({ loss }) => [loss]),
    "",
    `Now each weight is nudged by h = ${H} both ways: dW = (L(w + h) - L(w - h)) / 2h.`,
    "",
    ...results.flatMap(({ adapter, gradient }) => [
      `dW (${adapter})`,
      ...matrix("", [[...gradient.subarray(0, 3)], [...gradient.subarray(3, 6)]]),
      "",
    ]),
    "Each number says how fast the loss changes with its weight. dW[1,1] = 0.219 is positive: raise",
    "W[1,1] by h and the loss rises by 0.219 h, so this weight has to fall. dW[2,3] = -0.544 is",
    "negative: raise W[2,3] and the loss falls, so this one has to rise. All weights that lead to",
    "the right class have to rise, all others to fall; those of the second input count more, as",
    "0.9 is more than 0.6. A step of training takes rate x dW from W.",
  ];
  lines.forEach((line) => tell(line.trimEnd()));
}
