/** `train`: trains a network by numerical gradients, and says what was achieved. */

import { resourceUsage } from "node:process";
import { openEngine } from "../backend.ts";
import { scoreName, withValidation } from "../data/samples.ts";
import { lossEvaluations } from "../core/estimator.ts";
import { nextSample } from "../core/random.ts";
import { createRandom } from "../core/generators.ts";
import { initialParameters } from "../core/initialization.ts";
import { type Network, shapeOf } from "../core/network.ts";
import { onnxOf } from "../data/onnx_writer.ts";
import { isOnnxName } from "../data/tensors.ts";
import { EngineLost } from "../engine.ts";
import { flipNotice } from "../method/flips.ts";
import { roundingNotice } from "../method/rounding.ts";
import { checkTraining, train } from "../method/training.ts";
import { textCurve } from "./curve.ts";
import { loadDataSet } from "./datasets.ts";
import { sha256 } from "./digest.ts";
import { EXIT } from "./errors.ts";
import { drawRuns } from "./figure.ts";
import { claim, claimTensorFile, Log, writeOrSay } from "./files.ts";
import {
  engineOptionsOf,
  estimatorOf,
  type Given,
  networkFor,
  type Options,
  rateOf,
  tellSkipped,
  trainingOf,
} from "./options.ts";
import { claimFigureFile } from "./plot.ts";
import { Interrupt } from "./interrupt.ts";
import { startProgress } from "./progress.ts";
import { checkSameData, loadRun, saveOrRecover, saveOrWarn } from "./runs.ts";
import { tellPlan } from "./plan.ts";
import { checkFitsData } from "./weights.ts";

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

/** What a run has cost, for people. */
function costLines(options: Options, network: Network, steps: number, seconds: number): string[] {
  if (options.engine === "backprop") {
    return [`${count(steps)} steps of backpropagation in ${duration(seconds)}.`];
  }
  const random = options.estimator === "spsa";
  const evaluations = steps * lossEvaluations(estimatorOf(options), network);
  const pace = TUTORIAL_HOURS * 3600 * evaluations / TUTORIAL_EVALUATIONS;
  return [
    `${count(steps * (random ? options.queries : network.parameters))} ` +
    `${random ? "random-direction" : options.estimator} differences, ${count(evaluations)} loss ` +
    `evaluations over batches of ${options.batch}, in ${duration(seconds)} ` +
    `(${(1000 * seconds / steps).toFixed(1)} ms a step).`,
    `At the tutorial's pace, ${TUTORIAL_HOURS} hours for its ${count(TUTORIAL_EVALUATIONS)} ` +
    `loss evaluations, this takes ${duration(pace)}: ${count(pace / seconds)} times as long.`,
  ];
}

/** Runs the command; the exit code tells of an interruption, or of weights that were not saved. */
export async function runTrain(given: Options, isGiven: Given): Promise<number> {
  const tell = (line: string) => given.json ? console.error(line) : console.log(line);
  const load = ({ data, seed }: Options) => loadDataSet(data, { seed, tell });
  const file = given.resume ?? given.model;
  const found = file === undefined ? undefined : await loadRun(file, given, isGiven, load);
  // A model is where a run begins, whatever run it came from.
  const loaded = found && given.model !== undefined ? { ...found, checkpoint: undefined } : found;
  if (loaded?.onnx?.closed !== undefined) {
    throw new TypeError(
      `Cannot train ${file}: it ends in ${loaded.onnx.closed}, and what is trained ends in a dense ` +
        `layer; put a Gemm behind it`,
    );
  }
  const options = loaded?.options ?? given;
  const done = loaded?.checkpoint?.state.steps ?? 0;
  using interrupt = new Interrupt();
  const training = { ...trainingOf(options), done, signal: interrupt.signal };
  if (options.saveEvery !== undefined && options.save === undefined) {
    throw new TypeError("Cannot save every so many steps: give --save FILE too");
  }
  checkTraining(training, Infinity); // before any data is fetched
  estimatorOf(options);
  const random = createRandom(options.rng, options.seed);
  if (options.profile && options.backend === "cpu") {
    throw new TypeError("Cannot profile a step on the CPU: it has no dispatches; use the GPU");
  }
  if (loaded?.onnx && options.save !== undefined && !isOnnxName(options.save)) {
    throw new TypeError(
      `Cannot save the network of ${file} in ${options.save}: only .onnx holds it; name one so`,
    );
  }
  const isRun = !options.plan && !options.profile;
  if (isRun) {
    if (options.save !== undefined) await claimTensorFile(options.save, true);
    if (options.plot !== undefined) await claimFigureFile(options.plot);
    if (options.log !== undefined) await claim(options.log);
  }

  const server = isRun && options.nats !== undefined
    ? await (await import("./nats.ts")).openServer(options, tell, interrupt.signal)
    : undefined;
  const all = loaded?.data ?? await load(options);
  const data = options.validation === undefined ? all : withValidation(all, options.validation);
  checkTraining(training, data.train.count);
  if (loaded) {
    checkFitsData(loaded.network, data, file!);
    await checkSameData(file!, loaded, data);
  }
  const network = loaded?.network ?? networkFor(options, data);
  const { parameters } = network;
  tellSkipped(network);
  if (options.save !== undefined && isOnnxName(options.save)) { // not at the end, after hours
    onnxOf(network, new Float64Array(parameters), options.save, { names: loaded?.names });
  }
  const engineOptions = {
    ...engineOptionsOf(options, network, data.train),
    sliced: options.nats !== undefined,
  };
  if (options.plan) {
    await tellPlan(engineOptions, options.backend, options.json ?? false);
    return EXIT.done;
  }
  // Weights that follow R's draws keep all their digits, as R's do.
  const weights = () =>
    loaded?.parameters ??
      initialParameters(network, options.init, random, options.rng !== "r");
  if (options.profile) {
    const { tellProfile } = await import("./profile.ts");
    const { steps, json = false } = options, rate = rateOf(options);
    await tellProfile(engineOptions, { parameters: weights(), random, rate, steps, json });
    return EXIT.done;
  }
  const own = await openEngine(engineOptions, options.backend, tell);
  const start = weights(); // drawn once it is known that they fit
  using engine = server ? await server.share(own, engineOptions, all, start) : own;
  engine.setParameters(start, loaded?.checkpoint?.state);
  const notice = roundingNotice(engineOptions, engine, start);
  if (notice) tell(notice);
  if (loaded?.checkpoint) random.state = loaded.checkpoint.random;
  const next = nextSample(random, data.train.count, options.batch);
  const flips = flipNotice(engineOptions, start, next);
  if (flips) tell(`Note: ${flips}`);
  tell(
    `Training ${shapeOf(network)} on ${data.name} (${count(data.train.count)} samples), ` +
      `engine ${options.engine}` +
      (options.surrogate ? ` with the surrogate ${options.surrogate}` : "") +
      (options.engine === "backprop" ? "" : ` with h = ${engineOptions.estimator.h}`) +
      ` at the learning rate ${training.learningRate}` +
      ` on ${engine.adapter}` +
      (loaded
        ? `, ${
          given.model === undefined ? `going on from step ${done} of ${file}` : `from ${file}`
        }`
        : ""),
  );

  const evaluationsPerStep = options.engine === "backprop"
    ? 1
    : lossEvaluations(estimatorOf(options), network);
  const append = done > 0; // the log of a run that is gone on with goes on
  using log = options.log === undefined ? undefined : new Log(options.log, append);
  const write = (entry: object) => log?.write(entry);
  const progress = startProgress(
    options.steps,
    "step {value}/{total}, loss {loss}, {rate} steps/s, {evaluations} loss evaluations/s, " +
      "{eta_formatted} left",
  );
  let losses = new Float64Array(options.steps);
  const run = () => ({
    ...{ options, network, names: loaded?.names, data, engine },
    ...{ random, losses: losses.subarray(0, step) },
  });
  let step = done;
  losses.set(loaded?.checkpoint?.losses ?? []);
  const accuracies: [number, number][] = [];
  let milliseconds = 0;
  let lost: EngineLost | undefined;
  try {
    for await (const event of train(engine, data, random, training)) {
      if (event.kind === "evaluation") {
        const { step, evaluation: { accuracy } } = event;
        accuracies.push([step, accuracy]);
        write({ step, accuracy });
        continue;
      }
      if (event.kind === "rest") {
        if (event.step < options.steps) await saveOrWarn(options.save!, run());
        continue;
      }
      const { first, losses: group } = event;
      losses.set(group, first - 1);
      milliseconds += event.milliseconds;
      const ms = event.milliseconds / group.length;
      group.forEach((loss, i) => write({ step: first + i, loss, ms }));
      step = first + group.length - 1;
      const rate = 1000 * (step - done) / milliseconds;
      progress.update(step, {
        loss: recent(losses, step).toFixed(4),
        rate: rate.toFixed(1),
        evaluations: compact.format(rate * evaluationsPerStep),
        eta_formatted: duration((options.steps - step) / rate),
      });
    }
  } catch (error) {
    if (!(error instanceof EngineLost)) throw error;
    lost = error;
    step = (await engine.optimizerState()).steps; // what came behind it went with the device
  } finally {
    progress.stop();
  }

  losses = losses.subarray(0, step);
  const logged = log?.finish() ?? true;
  const saved = options.save === undefined || await saveOrRecover(options.save, run());
  const goOn = options.save === undefined
    ? "; nothing is saved without --save"
    : saved
    ? `; go on with --resume ${options.save}`
    : "";
  if (lost) {
    console.error(`${lost.message}; the run stands at step ${step} of ${options.steps}${goOn}`);
    return EXIT.failed;
  }
  if (interrupt.code !== 0 && step < options.steps) {
    tell(`Interrupted at step ${step} of ${options.steps}${goOn}`);
    return interrupt.code;
  }
  let plotted = true;
  if (options.plot !== undefined) {
    const points = Array.from(losses, (loss, i) => [i + 1, loss] as const);
    const name = `${shapeOf(network)}, ${data.name}`;
    plotted = await writeOrSay(
      options.plot,
      await drawRuns([{ name, losses: points, accuracies }]),
    );
  }
  const exit = saved && logged && plotted ? EXIT.done : EXIT.failed;
  const seconds = milliseconds / 1000, steps = options.steps - done;
  const loss = recent(losses), accuracy = accuracies.at(-1)![1];
  if (options.json) {
    console.log(JSON.stringify({
      steps: options.steps,
      loss,
      accuracy,
      seconds,
      peakMemory: 1024 * resourceUsage().maxRSS, // bytes, of the whole program
      msPerStep: milliseconds / steps,
      lossEvaluations: steps * evaluationsPerStep,
      parameters,
      backend: engine.backend,
      adapter: engine.adapter,
      engine: options.engine,
      estimator: options.engine === "backprop" ? null : options.estimator,
      data: data.name,
      validation: options.validation ?? null,
      seed: options.seed,
      weights: await sha256(await engine.parameters()), // as 64-bit floats, W1, b1, W2, ...
    }));
    return exit;
  }
  tell("");
  if (Deno.stdout.isTerminal() && options.steps > 1) tell(`${textCurve(losses)}\n`);
  costLines(options, network, steps, seconds).forEach(tell);
  tell(
    `Loss ${loss.toFixed(4)} (mean of the last 100 steps), ` +
      `${options.validation === undefined ? "test" : "validation"} ` +
      `${scoreName(data.test)} ${percent(accuracy)}.`,
  );
  if (options.save !== undefined && saved) tell(`Wrote ${options.save}.`);
  if (options.plot !== undefined && plotted) tell(`Wrote ${options.plot}.`);
  return exit;
}
