/** `evaluate`: the test accuracy of weights from a file. */

import { openEngine } from "../backend.ts";
import { shapeOf } from "../core/network.ts";
import { loadDataSet } from "./datasets.ts";
import { engineOptionsOf, type Given, type Options } from "./options.ts";
import { checkFitsData, loadWeights } from "./weights.ts";

/** Runs the command. */
export async function runEvaluate(
  given: Options & { weights: string },
  isGiven: Given,
): Promise<void> {
  const tell = (line: string) => given.json ? console.error(line) : console.log(line);
  const { options, network, parameters } = await loadWeights(given.weights, given, isGiven);
  const data = await loadDataSet(options.data, { seed: options.seed, tell });
  checkFitsData(network, data, given.weights);
  const { test } = data;
  using engine = await openEngine(
    // No gradient is asked for: backprop is the way that needs the least.
    engineOptionsOf({ ...options, batch: 1, engine: "backprop" }, network, test),
    options.backend,
    tell,
  );
  engine.setParameters(parameters);
  const { accuracy, loss } = await engine.evaluate(test);
  if (options.json) {
    const { backend, adapter } = engine;
    console.log(JSON.stringify({
      accuracy,
      loss,
      samples: test.count,
      network: shapeOf(network),
      weights: given.weights,
      data: data.name,
      backend,
      adapter,
    }));
    return;
  }
  tell(
    `${given.weights}, ${shapeOf(network)}, on the ${
      test.count.toLocaleString("en")
    } test samples ` +
      `of ${data.name}: accuracy ${(100 * accuracy).toFixed(2)}%, loss ${loss.toFixed(4)} ` +
      `(${engine.adapter})`,
  );
}
