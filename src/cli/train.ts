/** `train`: trains a network by numerical gradients, and says what was achieved. */

import { openEngine } from "../backend.ts";
import { lossEvaluations } from "../core/estimator.ts";
import { initialParameters } from "../core/initialization.ts";
import { shapeOf } from "../core/network.ts";
import { Xoshiro } from "../core/random.ts";
import { checkTraining, train } from "../method/training.ts";
import { textCurve } from "./curve.ts";
import { loadDataSet } from "./datasets.ts";
import { engineOptionsOf, estimatorOf, networkOf, type Options, trainingOf } from "./options.ts";
import { startProgress } from "./progress.ts";

/** The tutorial's own estimate, for the 600 steps of its network on batches of 100. */
const TUTORIAL_HOURS = 8;
const TUTORIAL_EVALUATIONS = 600 * 2 * 39760;

const count = (value: number) => Math.round(value).toLocaleString("en");
const compact = new Intl.NumberFormat("en", {
  notation: "compact",
  compactDisplay: "long",
  maximumSignificantDigits: 3,
});
const percent = (share: number) => `${(100 * share).toFixed(2)}%`;

/** Mean of the last hundred. */
function recent(losses: Float64Array, end = losses.length): number {
  const last = losses.subarray(Math.max(0, end - 100), end);
  return last.reduce((sum, loss) => sum + loss, 0) / last.length;
}

/** Hours, minutes or seconds, whichever reads best. */
function duration(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(1)} seconds`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(1)} minutes`;
  return `${(seconds / 3600).toFixed(1)} hours`;
}

/** Runs the command. */
export async function runTrain(options: Options): Promise<void> {
  const tell = (line: string) => options.json ? console.error(line) : console.log(line);
  const random = new Xoshiro(options.seed);
  const estimator = estimatorOf(options);
  const training = trainingOf(options);
  checkTraining(training, Infinity); // before any data is fetched
  const data = await loadDataSet(options.data, { seed: options.seed, tell });
  checkTraining(training, data.train.count);
  const network = networkOf(options, data);
  using engine = await openEngine(
    engineOptionsOf(options, network, data.train),
    options.backend,
    tell,
  );
  engine.setParameters(initialParameters(network, options.init, random));
  tell(
    `Training ${shapeOf(network)} on ${data.name} (${count(data.train.count)} samples), ` +
      `engine ${options.engine} on ${engine.adapter}`,
  );

  const evaluationsPerStep = options.engine === "backprop"
    ? 1
    : lossEvaluations(estimator, network.parameters);
  using log = options.log === undefined
    ? undefined
    : Deno.openSync(options.log, { write: true, create: true, truncate: true });
  const write = (entry: object) => log?.writeSync(encoder.encode(JSON.stringify(entry) + "\n"));
  const encoder = new TextEncoder();
  const progress = startProgress(
    options.steps,
    "step {value}/{total}, loss {loss}, {rate} steps/s, {evaluations} loss evaluations/s, " +
      "{eta_formatted} left",
  );
  const losses = new Float64Array(options.steps);
  let milliseconds = 0, accuracy = 0;
  try {
    for await (const event of train(engine, data, random, training)) {
      if (event.kind === "evaluation") {
        accuracy = event.evaluation.accuracy;
        write({ step: event.step, accuracy });
        continue;
      }
      const { first, losses: group } = event;
      losses.set(group, first - 1);
      milliseconds += event.milliseconds;
      const ms = event.milliseconds / group.length;
      group.forEach((loss, i) => write({ step: first + i, loss, ms }));
      const step = first + group.length - 1, rate = 1000 * step / milliseconds;
      progress.update(step, {
        loss: recent(losses, step).toFixed(4),
        rate: rate.toFixed(1),
        evaluations: compact.format(rate * evaluationsPerStep),
        eta_formatted: duration((options.steps - step) / rate),
      });
    }
  } finally {
    progress.stop();
  }

  const seconds = milliseconds / 1000;
  const loss = recent(losses);
  const evaluations = options.steps * evaluationsPerStep;
  if (options.json) {
    console.log(JSON.stringify({
      steps: options.steps,
      loss,
      accuracy,
      seconds,
      msPerStep: 1000 * seconds / options.steps,
      lossEvaluations: evaluations,
      parameters: network.parameters,
      backend: engine.backend,
      adapter: engine.adapter,
      engine: options.engine,
      estimator: options.engine === "backprop" ? null : options.estimator,
      data: data.name,
      seed: options.seed,
    }));
    return;
  }
  tell("");
  if (Deno.stdout.isTerminal() && options.steps > 1) tell(`${textCurve(losses)}\n`);
  if (options.engine === "backprop") {
    tell(`${count(options.steps)} steps of backpropagation in ${duration(seconds)}.`);
  } else {
    const name = { "forward": "forward", "central": "central", "five-point": "five-point" };
    const kind = options.estimator === "spsa" ? "random-direction" : name[options.estimator];
    const differences = options.steps *
      (options.estimator === "spsa" ? options.queries : network.parameters);
    tell(
      `${count(differences)} ${kind} differences, ${count(evaluations)} loss evaluations over ` +
        `batches of ${options.batch}, in ${duration(seconds)} ` +
        `(${(1000 * seconds / options.steps).toFixed(1)} ms a step).`,
    );
    const pace = TUTORIAL_HOURS * 3600 * evaluations / TUTORIAL_EVALUATIONS;
    tell(
      `At the tutorial's pace, ${TUTORIAL_HOURS} hours for its ${count(TUTORIAL_EVALUATIONS)} ` +
        `loss evaluations, this takes ${duration(pace)}: ${count(pace / seconds)} times as long.`,
    );
  }
  tell(`Loss ${loss.toFixed(4)} (mean of the last 100 steps), test accuracy ${percent(accuracy)}.`);
}
