/** `evaluate`: the test accuracy of weights from a file. */

import { openEngine } from "../backend.ts";
import { shapeOf } from "../core/network.ts";
import { scoreName } from "../data/samples.ts";
import { loadDataSet } from "./datasets.ts";
import { engineOptionsOf, type Given, type Options, tellSkipped } from "./options.ts";
import { checkFitsData, loadWeights } from "./weights.ts";

/** Runs the command. */
export async function runEvaluate(
  given: Options & { weights: string },
  isGiven: Given,
): Promise<void> {
  const tell = (line: string) => given.json ? console.error(line) : console.log(line);
  const load = ({ data, seed }: Options) => loadDataSet(data, { seed, tell });
  const loaded = await loadWeights(given.weights, given, isGiven, load);
  const { options, network, parameters } = loaded, data = loaded.data ?? await load(options);
  checkFitsData(network, data, given.weights);
  tellSkipped(network);
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
      `of ${data.name}: ${scoreName(test)} ${(100 * accuracy).toFixed(2)}%, loss ${
        loss.toFixed(4)
      } ` +
      `(${engine.adapter})`,
  );
}
