/** The worker: data, engine and training, away from the page, so that the page never stutters. */

import * as ng from "../src/mod.ts";
import { check } from "./check_worker.ts";
import { look, pictureOf, placeOf } from "./look_worker.ts";
import type { Answer, Calls, File, Question, Ready, Report, Slice } from "./protocol.ts";
import { race } from "./race_worker.ts";
import { nodesOf, type Settings } from "./settings.ts";

const EVAL_EVERY = 100;
const WORST = 12;

/** A run under way. */
interface Run {
  readonly settings: Settings;
  readonly data: ng.DataSet;
  readonly options: ng.EngineOptions;
  readonly random: ng.Random;
  readonly engine: ng.Engine;
  readonly notices: readonly string[];
  readonly losses: number[];
}

let run: Run | undefined;
let mnist: ng.DataSet | undefined;
let stop = new AbortController();
let training: Promise<void> | undefined;
let raceStop = new AbortController();

const post = (message: Answer, transfer: Transferable[] = []) => postMessage(message, { transfer });
const report = (report: Report) => post({ report });

function current(): Run {
  if (!run) throw new Error("Cannot do this yet: no run has begun");
  return run;
}

/** MNIST from the page's own server, which may have it in a cache, or from its mirror. */
async function fetchMnist(download: boolean): Promise<ng.DataSet> {
  const names = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"];
  const bases = ["data/mnist/"];
  if (download) bases.push("https://storage.googleapis.com/cvdf-datasets/mnist/");
  const problems: string[] = [];
  for (const base of bases) {
    try {
      const files = await Promise.all(names.map(async (name): Promise<File> => {
        const response = await fetch(`${base}${name}-ubyte.gz`);
        if (response.status !== 200) throw new Error(`it is not at ${base}`);
        return { name: `${name}-ubyte.gz`, bytes: new Uint8Array(await response.arrayBuffer()) };
      }));
      return await dataOf(files);
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  if (!download) problems.push("Reset downloads it");
  throw new Error(problems.join("; "));
}

/** A data set out of four IDX files, told apart by their names. */
async function dataOf(files: readonly File[]): Promise<ng.DataSet> {
  const pick = (part: RegExp) => {
    const file = files.find(({ name }) => part.test(name));
    if (!file) throw new Error(`Cannot use these files: none is named like ${part.source}`);
    return file;
  };
  return await ng.idxDataSet({
    trainImages: pick(/train.*images/),
    trainLabels: pick(/train.*labels/),
    testImages: pick(/(t10k|test).*images/),
    testLabels: pick(/(t10k|test).*labels/),
  }, "MNIST");
}

/** The data that the settings name, or, saying why, the synthetic digits. */
async function loadData(
  settings: Settings,
  notices: string[],
  download: boolean,
): Promise<ng.DataSet> {
  if (settings.data === "mnist") {
    try {
      return mnist ??= await fetchMnist(download);
    } catch (error) {
      notices.push(
        `MNIST could not be had (${
          (error as Error).message
        }), so this trains on synthetic digits; ` +
          `drop its four files onto the page to use it.`,
      );
    }
  }
  return ng.drawDigits({ seed: settings.seed });
}

const NO_GPU =
  "This browser offers no WebGPU here, so training runs on the CPU, in float64, and slower.";

function ready({ engine, data, options, notices, losses }: Run): Ready {
  const { network, estimator, method } = options;
  return {
    adapter: engine.adapter,
    backend: engine.backend,
    software: engine.software,
    notices,
    data: data.name,
    sample: network.inputShape,
    image: pictureOf(network.inputShape),
    classes: data.classes,
    testSamples: data.test.count,
    shape: ng.shapeOf(network),
    parameters: network.parameters,
    evaluationsPerStep: method === "backprop" ? 1 : ng.lossEvaluations(estimator, network),
    step: losses.length,
  };
}

/** Ends training and the run before. */
async function halt(): Promise<void> {
  stop.abort();
  await training?.catch(() => {});
}

/** The network that settings describe, for a data set. */
function networkFor(
  { inputs, image, classes }: ng.DataSet,
  nodes: readonly ng.Node[],
): ng.Network {
  return ng.connect({ inputs, inputShape: image, classes, nodes });
}

/**
 * The network and its weights out of a file: where operations are set, it is those'; else the file
 * says how wide the dense layers are.
 */
function networkIn(
  { name, tensors }: { name: string; tensors: ng.Tensors },
  settings: Settings,
  data: ng.DataSet,
): { network: ng.Network; parameters: Float64Array } {
  if (settings.network) {
    const network = networkFor(data, nodesOf(settings));
    const read = (layout: ng.Layout) => ng.parametersIn(tensors, network, layout);
    return { network, parameters: ng.inLayout(name, undefined, read).value };
  }
  const { value: { widths, parameters } } = ng.inLayout(
    name,
    undefined,
    (layout) => ng.weightsIn(tensors, layout),
  );
  const hidden = widths.slice(1, -1).join(",") || "none";
  const network = networkFor(data, nodesOf({ ...settings, hidden }));
  if (ng.shapeOf(network) !== widths.join("-")) {
    throw new Error(
      `Cannot use these weights with ${data.name}: they are ${widths.join("-")}, and the ` +
        `data need ${data.inputs} inputs and ${data.classes} outputs`,
    );
  }
  return { network, parameters };
}

/** Begins a run with weights from a file, or fresh ones. */
async function begin(
  settings: Settings,
  download: boolean,
  file?: { name: string; tensors: ng.Tensors },
): Promise<Ready> {
  await halt();
  const notices: string[] = [];
  const data = await loadData(settings, notices, download);
  const random = new ng.Xoshiro(settings.seed);
  const given = file && networkIn(file, settings, data);
  const network = given?.network ?? networkFor(data, nodesOf(settings));
  notices.push(...ng.skippedInput(network));
  if (settings.batch > data.train.count) {
    throw new Error(`Cannot draw batches of ${settings.batch}`);
  }
  const options: ng.EngineOptions = {
    network,
    method: settings.engine as ng.Method,
    estimator: ng.createEstimator("central", settings.h),
    optimizer: { name: settings.optimizer as ng.OptimizerName, weightDecay: 0 },
    samples: data.train,
    batch: settings.batch,
    seed: settings.seed,
  };
  let opened = false;
  const engine = await ng.openEngine(options, "auto", (line) => {
    if (opened) report({ kind: "notice", line }); // of a device that was lost
    else notices.push(NO_GPU);
  });
  opened = true;
  run?.engine[Symbol.dispose]();
  // Fresh weights are drawn once the device has room for them.
  const init = network.nodes.some(({ operation }) => operation === "relu") ? "he" : 0.01;
  const parameters = given?.parameters ?? ng.initialParameters(network, init, random);
  engine.setParameters(parameters);
  const notice = ng.roundingNotice(options, engine, parameters);
  if (notice) notices.push(notice);
  const next = ng.nextSample(random, data.train.count, settings.batch);
  const flips = ng.flipNotice(options, parameters, next);
  if (flips) notices.push(flips);
  run = { settings, data, options, random, engine, notices, losses: [] };
  return ready(run);
}

/** The most classes that the table of confusions shows. */
const MOST_CONFUSED = 50;

/** Reports the test accuracy, the confusion of classes, and the worst mistakes. */
function reportEvaluation(step: number, { data }: Run, evaluation: ng.Evaluation): void {
  const { accuracy, predictions, losses } = evaluation;
  const { test, classes } = data;
  // With many classes a table of which is taken for which is no help, and takes their square.
  const confusion = new Uint32Array(classes > MOST_CONFUSED ? 0 : classes * classes);
  predictions.forEach((predicted, n) => confusion[test.labels[n] * classes + predicted]++);
  const mistakes = [...predictions.keys()].filter((n) => predictions[n] !== test.labels[n]);
  const worst = mistakes.sort((a, b) => losses[b] - losses[a]).slice(0, WORST).map((n) => ({
    label: test.labels[n],
    prediction: predictions[n],
    loss: losses[n],
    pixels: (test.x as Uint8Array).slice(n * test.inputs, (n + 1) * test.inputs),
  }));
  report({ kind: "evaluation", step, accuracy, confusion, worst });
}

/** Trains until the step is reached, or the signal says stop. */
async function trainTo(steps: number, signal: AbortSignal): Promise<void> {
  const under = current();
  const { engine, data, random, settings, losses } = under;
  try {
    const events = ng.train(engine, data, random, {
      steps,
      done: losses.length,
      batch: settings.batch,
      learningRate: settings.lr,
      schedule: "constant",
      evalEvery: EVAL_EVERY,
      signal,
    });
    for await (const event of events) {
      if (event.kind === "evaluation") {
        reportEvaluation(event.step, under, event.evaluation);
        continue;
      }
      if (event.kind === "rest") continue; // nothing is saved here each so many steps
      for (const loss of event.losses) losses.push(loss);
      report(event);
    }
    report({ kind: "paused", step: losses.length, done: losses.length >= settings.steps });
  } catch (error) {
    // What came behind the last known-good weights went with the device.
    if (error instanceof ng.EngineLost) losses.length = (await engine.optimizerState()).steps;
    report({ kind: "stopped", step: losses.length, message: (error as Error).message });
  }
}

/** A batch that stays the same, for looking inside. */
const probe = (batch: number) => Uint32Array.from({ length: batch }, (_, n) => n);

const calls: { [K in keyof Calls]: (...values: Parameters<Calls[K]>) => unknown } = {
  reset: (settings, download) => begin(settings, download),
  async run(steps) {
    await halt();
    stop = new AbortController();
    training = trainTo(steps, stop.signal);
  },
  pause: halt,
  async look(digit) {
    const { engine, options, data } = current();
    // Asked for in one breath, they are of one moment: no step of training comes between.
    const [parameters, { gradient }] = await Promise.all([
      engine.parameters(),
      engine.gradient(probe(options.batch)),
    ]);
    return look(options.network, parameters, gradient, digit, data);
  },
  async slice(unit, pixel): Promise<Slice> {
    const { engine, options, settings } = current();
    const index = placeOf(options.network)(unit, pixel);
    const [parameters, { loss, gradient }] = await Promise.all([
      engine.parameters(),
      engine.gradient(probe(options.batch)),
    ]);
    // The copies are evaluated whole, by an engine of their own that training does not wait for.
    const { x, inputs, labels } = options.samples;
    const samples = {
      count: options.batch,
      inputs,
      x: x.slice(0, options.batch * inputs),
      labels: labels.slice(0, options.batch),
    };
    const once = { ...options, samples, method: "backprop" as const };
    using copies = await ng.openEngine(once, "auto", () => {});
    const reach = Math.max(1, 2 * settings.h, 2 * Math.abs(parameters[index]));
    const changes = Float64Array.from({ length: 41 }, (_, i) => reach * (i - 20) / 20);
    const losses = new Float64Array(changes.length);
    for (const [i, change] of changes.entries()) {
      const nudged = parameters.slice();
      nudged[index] += change;
      copies.setParameters(nudged);
      losses[i] = (await copies.evaluate(samples)).loss;
    }
    const weight = parameters[index];
    return { changes, losses, weight, loss, gradient: gradient[index], h: settings.h };
  },
  async predict(pixels) {
    // One sample is little work: in float64 here, without waiting for the device's own steps.
    const { engine, options } = current();
    using cpu = await ng.openEngine({ ...options, method: "backprop" }, "cpu");
    cpu.setParameters(await engine.parameters());
    const sample = { count: 1, inputs: pixels.length, x: pixels, labels: new Uint8Array(1) };
    const logits = [...await cpu.logits(sample)];
    const largest = Math.max(...logits);
    const weights = logits.map((value) => Math.exp(value - largest));
    const total = weights.reduce((a, b) => a + b);
    return weights.map((value) => value / total);
  },
  check: () => check(report),
  async race(activation, steps) {
    raceStop.abort();
    raceStop = new AbortController();
    await race(activation as ng.Activation, steps, raceStop.signal, report);
  },
  stopRace: () => raceStop.abort(),
  async useFiles(files) {
    mnist = await dataOf(files);
    return `${mnist.train.count} training and ${mnist.test.count} test samples`;
  },
  async save(format) {
    const { options, engine, losses } = current();
    const [parameters, { steps }] = await Promise.all([
      engine.parameters(),
      engine.optimizerState(),
    ]);
    const tensors = ng.asTensors(options.network, parameters, "numpy");
    const data = Float64Array.from(losses.slice(0, steps));
    tensors.set("losslist", { shape: [data.length], data });
    return await ng.writeTensors(tensors, `weights.${format}`);
  },
  async load({ name, bytes }) {
    const tensors = await ng.readTensors(bytes, name);
    return await begin(current().settings, false, { name, tensors });
  },
  loseDevices: async () => (await gpus()).forEach((gpu) => gpu.device.destroy()),
  liveBuffers: async () => (await gpus()).reduce((sum, gpu) => sum + gpu.buffers, 0),
};

/** All devices, for tests. */
const gpus = async () => [...(await import("../src/gpu/device.ts")).Gpu.live];

addEventListener("message", async ({ data }: MessageEvent<Question>) => {
  const { id, call, values } = data;
  try {
    const answer = calls[call] as (...values: readonly unknown[]) => unknown;
    post({ id, value: await answer(...values) });
  } catch (error) {
    post({ id, error: (error as Error).message });
  }
});
