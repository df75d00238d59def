/** `gradcheck`: an engine's gradient against float64, tensor by tensor. */

import { initialParameters } from "../core/initialization.ts";
import { shapeOf } from "../core/network.ts";
import { Xoshiro } from "../core/random.ts";
import { CpuEngine } from "../cpu/engine.ts";
import { compareGradients } from "../method/gradcheck.ts";
import { checkTraining, train } from "../method/training.ts";
import { loadDataSet } from "./datasets.ts";
import { openEngine } from "./engines.ts";
import { EXIT } from "./errors.ts";
import { estimatorOf, networkOf, type Options } from "./options.ts";

/** Relative errors up to here pass, by default, for an engine that computes in float32. */
export const DEFAULT_TOLERANCE = 1e-6;

/** Runs the command; the exit code tells whether every tensor is within the tolerance. */
export async function runGradcheck(options: Options & { rtol: number }): Promise<number> {
  const tell = (line: string) => options.json ? console.error(line) : console.log(line);
  const random = new Xoshiro(options.seed);
  const estimator = estimatorOf(options);
  if (!(options.rtol > 0)) {
    throw new RangeError(`Cannot check to a tolerance of ${options.rtol}: give a positive number`);
  }
  const training = {
    steps: Math.max(1, options.steps),
    batch: options.batch,
    learningRate: options.lr,
    schedule: options.schedule,
    evalEvery: Math.max(1, options.steps),
  };
  checkTraining(training, Infinity);
  const data = await loadDataSet(options.data, { seed: options.seed, tell });
  checkTraining(training, data.train.count);
  const network = networkOf(options, data);
  const settings = {
    network,
    method: options.engine,
    estimator,
    optimizer: { name: options.optimizer, weightDecay: options.weightDecay },
    samples: data.train,
    batch: options.batch,
    seed: options.seed,
  };
  using engine = await openEngine(options.backend, settings, tell);
  engine.setParameters(initialParameters(network, options.init, random));
  if (options.steps > 0) await train(engine, data, random, training);

  const parameters = await engine.parameters();
  const indices = random.sample(data.train.count, options.batch);
  const { gradient } = await engine.gradient(indices);
  const reference = async (method: "differences" | "backprop") => {
    using cpu = new CpuEngine({ ...settings, method });
    cpu.setParameters(parameters);
    return (await cpu.gradient(indices)).gradient;
  };
  const against = compareGradients(network, gradient, await reference("differences"));
  const backprop = compareGradients(network, gradient, await reference("backprop"));
  const tensors = against.map((tensor, i) => ({
    ...tensor,
    backpropRelativeError: backprop[i].relativeError,
  }));
  const ok = tensors.every((tensor) => tensor.relativeError <= options.rtol);

  if (options.json) {
    console.log(JSON.stringify({
      ok,
      h: options.h,
      engine: options.engine,
      backend: engine.backend,
      adapter: engine.adapter,
      rtol: options.rtol,
      tensors,
    }));
    return ok ? EXIT.done : EXIT.failed;
  }
  tell(
    `Gradient of ${shapeOf(network)} after ${options.steps} steps, h = ${options.h}: engine ` +
      `${options.engine} on ${engine.adapter}, against float64 at the same h and against backprop`,
  );
  const rows = [
    ["tensor", "shape", "relative error", "largest difference", "at", "from backprop"],
    ...tensors.map((tensor) => [
      tensor.name,
      tensor.shape.join("x"),
      tensor.relativeError.toExponential(2),
      tensor.maxAbsDifference.toExponential(2),
      `[${tensor.at.join(",")}]`,
      tensor.backpropRelativeError.toExponential(2),
    ]),
  ];
  const widths = rows[0].map((_, c) => Math.max(...rows.map((row) => row[c].length)));
  for (const row of rows) tell(row.map((cell, c) => cell.padEnd(widths[c])).join("  ").trimEnd());
  tell(
    ok ? `Every tensor is within ${options.rtol}.` : `Not every tensor is within ${options.rtol}.`,
  );
  return ok ? EXIT.done : EXIT.failed;
}
