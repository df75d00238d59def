/**
 * The worker that trains, races and checks: data, engine and training, away from the page, so that
 * the page never stutters. The page may end it at any moment, and begin another where it stood.
 */

import { hasSteps } from "../src/core/estimator.ts";
import * as ng from "../src/mod.ts";
import { answer, report } from "./answers.ts";
import { check } from "./check/check_worker.ts";
import { pictureOf } from "./flow/look.ts";
import { race } from "./race/race_worker.ts";
import type {
  Beginning,
  Calls,
  Cost,
  Exhibits,
  File,
  Moment,
  Notice,
  Ready,
} from "./run/protocol.ts";
import { dataOf, fetchMnist } from "./run/mnist.ts";
import { GivenUp, PIECE, PiecewiseEngine } from "./run/pieces.ts";
import { estimatorOf, nodesOf, type Settings } from "./way/settings.ts";

const EVAL_EVERY = 100;
const WORST = 12;
/** A step that takes longer is slow: each is told of, and no gradient is asked for between. */
const SLOW_MILLISECONDS = 150;
/** In a pause, a gradient that takes up to that is shown unasked. */
const SHOWN_MILLISECONDS = 2000;
/** Multiply-adds a millisecond where nothing was measured: software on a small machine. */
const CAUTIOUS_RATE = 1e6;
const MOMENT_MILLISECONDS = 700;
/** Below it a whole gradient is measured before the run. */
const QUICK = 5e8; // multiply-adds
/** Whole copies of so much work a step are taken piece by piece: each stands for itself. */
const LONG = 5e9; // multiply-adds
/** What products are measured by. */
const MEASURED_WORK = 1e8; // multiply-adds
/** Below it a step takes what its questions to the device take, and says nothing of larger ones. */
const ENOUGH = 3e7; // multiply-adds

/** A run under way. */
interface Run {
  readonly settings: Settings;
  readonly data: ng.DataSet;
  readonly options: ng.EngineOptions;
  readonly random: ng.Random;
  readonly engine: ng.Engine;
  readonly notices: readonly Notice[];
  readonly losses: number[];
  /** Steps taken by others before. */
  readonly before: number;
  readonly multiplyAdds: number;
  /** Milliseconds that a step takes, as measured. */
  step?: number;
}

let run: Run | undefined;
let mnist: ng.DataSet | undefined;
let stop = new AbortController();
/** Ends a look at a slow run, where it is to go on. */
let looking = new AbortController();
let training: Promise<void> | undefined;
let raceStop = new AbortController();
let isWatched = false;
const rates: Record<string, number> = {};
/** Beginnings are taken one after the other, and of those that wait the last alone. */
let beginning: Promise<unknown> = Promise.resolve(), latest = 0;

function current(): Run {
  if (!run) throw new Error("Cannot do this yet: no run has begun");
  return run;
}

const stepOf = ({ before, losses }: Run) => before + losses.length;
/** Milliseconds that a step of a run takes, as far as is known. */
const timeOf = ({ multiplyAdds, step, options }: Run) =>
  step ?? multiplyAdds / (rates[wayOf(options)] ?? CAUTIOUS_RATE);
const isSlow = (run: Run) => timeOf(run) > SLOW_MILLISECONDS;

/** What a rate is of: copies of units with steps, say, take another kind of work than those of others. */
function wayOf({ method, estimator, network }: ng.EngineOptions): string {
  return `${method}, ${estimator.name}, ${hasSteps(network.nodes) ? "steps" : "no steps"}`;
}

/** The data that the settings name, or, saying why, the synthetic digits. */
async function loadData(
  settings: Settings,
  notices: Notice[],
  download: boolean,
): Promise<ng.DataSet> {
  if (settings.data === "mnist") {
    try {
      return mnist ??= await fetchMnist(download);
    } catch (error) {
      const problems = (error as AggregateError).errors as string[];
      notices.push({ kind: "no mnist", problems, canDownload: !download });
    }
  }
  return ng.drawDigits({ seed: settings.seed });
}

/** What a step of some options takes. */
function costOf(options: ng.EngineOptions, density: Density): Cost {
  const { network, method, estimator, batch } = options;
  const { multiplyAdds, forward } = ng.planOf(network, {
    ...{ estimator, batch, method, sharing: true, superposed: true },
    ...density,
    // What a device takes in one kernel is known to it alone; most take three layers of some width.
    fused: { width: 64, layers: 4, classes: 16 },
  });
  const rate = rates[wayOf(options)] ?? rates.products;
  return {
    multiplyAdds,
    forward: forward.reduce((sum, stage) => sum + stage.multiplyAdds, 0),
    evaluations: method === "backprop" ? 1 : ng.lossEvaluations(estimator, network),
    step: rate && multiplyAdds / rate,
  };
}
type Density = ReturnType<typeof ng.densityOf>;

/** The network that settings describe, for a data set. */
function networkFor(
  { inputs, image, classes }: Pick<ng.DataSet, "inputs" | "image" | "classes">,
  settings: Settings,
): ng.Network {
  const { loss } = settings;
  return ng.connect({ inputs, inputShape: image, classes, nodes: nodesOf(settings), loss });
}

/**
 * The network and its weights out of a file: where operations are set, it is those'; else the file
 * says how wide the dense layers are.
 */
async function networkIn(
  { name, bytes }: File,
  settings: Settings,
  data: ng.DataSet,
): Promise<{ network: ng.Network; parameters: Float64Array; hidden?: string }> {
  const tensors = await ng.readTensors(bytes, name);
  if (settings.network) {
    const network = networkFor(data, settings);
    const read = (layout: ng.Layout) => ng.parametersIn(tensors, network, layout);
    return { network, parameters: ng.inLayout(name, undefined, read).value };
  }
  const { value: { widths, parameters } } = ng.inLayout(
    name,
    undefined,
    (layout) => ng.weightsIn(tensors, layout),
  );
  const hidden = widths.slice(1, -1).join(",") || "none";
  const network = networkFor(data, { ...settings, hidden });
  if (ng.shapeOf(network) !== widths.join("-")) {
    throw new Error(
      `Cannot use these weights with ${data.name}: they are ${widths.join("-")}, and the ` +
        `data need ${data.inputs} inputs and ${data.classes} outputs`,
    );
  }
  return { network, parameters, hidden };
}

/** What an engine is built for. */
function optionsFor(
  settings: Settings,
  network: ng.Network,
  samples: ng.Samples,
): ng.EngineOptions {
  const { surrogate } = settings;
  return {
    network,
    method: settings.engine as ng.Method,
    estimator: estimatorOf(settings),
    optimizer: { name: settings.optimizer as ng.OptimizerName, weightDecay: settings.decay },
    samples,
    batch: settings.batch,
    seed: settings.seed,
    surrogate: surrogate === "none" ? undefined : { name: surrogate as ng.SurrogateName, width: 1 },
  };
}

/** How fresh weights are drawn where nothing is said: as the tutorial does, or He where it is relu. */
function initOf({ init }: Settings, { nodes }: ng.Network): ng.Initialization {
  if (init === "xavier" || init === "he") return init;
  if (init !== "auto") return Number(init);
  return nodes.some(({ operation }) => operation === "relu") ? "he" : 0.01;
}

/** Why training ends where something is to follow at once, so that it does not say that it rests. */
const GOES_ON = "it goes on";

/** Ends training. */
async function halt(reason?: typeof GOES_ON): Promise<void> {
  stop.abort(reason);
  await training?.catch(() => {});
}

/** Begins a run; nothing of the one before is left behind. */
async function begin({ settings, download, file, kept, ...known }: Beginning): Promise<Ready> {
  await halt(GOES_ON); // with another run
  Object.assign(rates, { ...known.rates, ...rates });
  const notices: Notice[] = [];
  const data = await loadData(settings, notices, download);
  const random = new ng.Xoshiro(settings.seed);
  const given = file && await networkIn(file, settings, data);
  const network = given?.network ?? networkFor(data, settings);
  const library = (line: string | undefined) => line && notices.push({ kind: "library", line });
  ng.skippedInput(network).forEach(library);
  if (settings.batch > data.train.count) {
    throw new Error(
      `Cannot draw batches of ${settings.batch}: there are only ${data.train.count} training ` +
        `samples; use a smaller batch`,
    );
  }
  const options = optionsFor(settings, network, data.train);
  run?.engine[Symbol.dispose]();
  run = undefined;
  let opened = false;
  const cost = costOf(options, ng.densityOf(data.train)), { multiplyAdds } = cost;
  const whole = await ng.openEngine(options, "auto", (line) => {
    if (opened) report({ kind: "notice", line }); // of a device that was lost
    else if (/^No WebGPU adapter/.test(line)) notices.push({ kind: "cpu" });
    else notices.push({ kind: "library", line });
  });
  opened = true;
  const isLong = options.method === "copies" && multiplyAdds > LONG;
  const engine = isLong ? new PiecewiseEngine(whole, options) : whole;
  try {
    // Fresh weights are drawn once the device has room for them.
    const fresh = given?.parameters ??
      ng.initialParameters(network, initOf(settings, network), random);
    const parameters = kept?.parameters ?? fresh;
    engine.setParameters(parameters, kept?.state);
    for (let step = 0; step < (kept?.step ?? 0); step++) {
      random.sample(data.train.count, settings.batch); // batches that were taken before
    }
    library(ng.roundingNotice(options, engine, parameters));
    const next = ng.nextSample(random, data.train.count, settings.batch);
    library(ng.flipNotice(options, parameters, next));
    const before = kept?.step ?? 0;
    const under = { settings, data, options, random, engine, notices, losses: [], before };
    run = { ...under, multiplyAdds };
    await measure(run, cost);
    const told = costOf(options, ng.densityOf(data.train));
    return ready(
      run,
      run.step ? { ...told, step: run.step } : told,
      file !== undefined,
      given?.hidden,
    );
  } catch (error) {
    engine[Symbol.dispose]();
    run = undefined;
    throw error;
  }
}

/** Takes something twice, as the first time pays for what is compiled and filled. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  await work();
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/**
 * Measures how fast products are here, by what more samples take to go through the network: what each
 * question to a device takes is in neither.
 */
async function measureProducts({ engine, options, data: { test } }: Run, cost: Cost) {
  const each = cost.forward / options.batch, { inputs } = test;
  const first = (count: number) => ({
    ...{ count, inputs },
    x: test.x.slice(0, count * inputs),
    labels: test.labels.slice(0, count),
  });
  const most = Math.min(test.count, Math.max(20, Math.round(MEASURED_WORK / each)));
  const [few, many] = [first(Math.ceil(most / 10)), first(most)];
  const time = await timed(() => engine.evaluate(many)) - await timed(() => engine.evaluate(few));
  return each * (many.count - few.count) / Math.max(0.5, time);
}

/** Measures how fast it is here, where nothing is known of it yet. */
async function measure(under: Run, cost: Cost): Promise<void> {
  const { engine, options, multiplyAdds } = under, probe = probeOf(options);
  rates.products ??= await measureProducts(under, cost);
  if (engine instanceof PiecewiseEngine) {
    const count = Math.min(PIECE, options.network.parameters);
    const elements = Uint32Array.from({ length: count }, (_, i) => i);
    const time = await timed(() => engine.gradient(probe, elements));
    tellRate(under, time * options.network.parameters / count);
  } else if (multiplyAdds < QUICK) {
    tellRate(under, await timed(() => engine.gradient(probe)));
  }
}

/** Tells how long a step takes. Of a way it says how fast that is, where there is enough to do. */
function tellRate(under: Run, step: number): void {
  under.step = step;
  const { multiplyAdds, options } = under;
  if (multiplyAdds > ENOUGH) rates[wayOf(options)] = multiplyAdds / step;
  report({ kind: "rates", rates: { ...rates }, step });
}

function ready(under: Run, cost: Cost, isLoaded: boolean, hidden?: string): Ready {
  const { engine, data, options, notices } = under, { network } = options;
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
    evaluationsPerStep: cost.evaluations,
    step: stepOf(under),
    isLoaded,
    hidden,
    cost,
  };
}

/** The most classes that the table of confusions shows. */
const MOST_CONFUSED = 50;

/** Reports the test accuracy, the confusion of classes, and the worst mistakes. */
function reportEvaluation(step: number, { data }: Run, evaluation: ng.Evaluation): void {
  const { accuracy, predictions, losses } = evaluation;
  const { test, classes } = data;
  // With many classes a table of which is taken for which is no help, and takes their square.
  const confusion = new Uint32Array(classes > MOST_CONFUSED ? 0 : classes * classes);
  if (confusion.length > 0) {
    predictions.forEach((predicted, n) => confusion[test.labels[n] * classes + predicted]++);
  }
  const mistakes = [...predictions.keys()].filter((n) => predictions[n] !== test.labels[n]);
  const worst = mistakes.sort((a, b) => losses[b] - losses[a]).slice(0, WORST).map((n) => ({
    label: test.labels[n],
    prediction: predictions[n],
    pixels: (test.x as Uint8Array).slice(n * test.inputs, (n + 1) * test.inputs),
  }));
  report({ kind: "evaluation", step, accuracy, confusion, worst });
}

/** The network as it is, all of it asked for in one breath: no step comes between. */
async function momentOf(under: Run, withGradient: boolean): Promise<Moment> {
  const { engine, options } = under;
  const [parameters, state, gradient] = await Promise.all([
    engine.parameters(),
    engine.optimizerState(),
    withGradient ? engine.gradient(probeOf(options)) : undefined,
  ]);
  return { step: state.steps, parameters, state, gradient: gradient?.gradient };
}

/** Tells of moments as a run goes on, at most one at a time. */
function momentsOf(under: Run) {
  let last = 0, pending: Promise<void> | undefined;
  return (isDue: boolean) => {
    const now = performance.now();
    if (pending || !(isDue || now - last > MOMENT_MILLISECONDS)) return;
    last = now;
    pending = momentOf(under, isWatched && !isSlow(under))
      .then((moment) => report({ kind: "moment", moment }))
      .catch(() => {}) // training tells of a lost device
      .finally(() => pending = undefined);
  };
}

/** Trains until the step is reached, or the signal says stop; or by a single step. */
async function trainTo(
  under: Run,
  steps: number,
  single: boolean,
  { signal }: AbortController,
): Promise<void> {
  // A signal that has ended lets one group of steps through, and the first is of one.
  const ends = single ? AbortSignal.abort() : signal;
  const { engine, data, random, settings, losses } = under;
  const tellMoment = momentsOf(under);
  let drawn = random.state.slice(); // where the batches of the steps that are taken end
  if (engine instanceof PiecewiseEngine) engine.giveUpOn(signal);
  try {
    do {
      // A slow run rests behind each step, so that none is lost where the page ends this worker.
      const rests = isSlow(under) || engine instanceof PiecewiseEngine,
        changed = new AbortController();
      const events = ng.train(engine, data, random, {
        steps,
        done: stepOf(under),
        batch: settings.batch,
        learningRate: settings.lr,
        schedule: settings.schedule as ng.ScheduleName,
        saveEvery: rests ? 1 : undefined,
        evalEvery: EVAL_EVERY,
        signal: AbortSignal.any([ends, changed.signal]),
      });
      for await (const event of events) {
        if (event.kind === "evaluation") {
          reportEvaluation(event.step, under, event.evaluation);
        } else if (event.kind === "rest") {
          drawn = random.state.slice();
          tellMoment(true);
        } else {
          // The first steps of a run pay for what is compiled.
          const isFirst = losses.length === 0;
          for (const loss of event.losses) losses.push(loss);
          report({ kind: "steps", losses: event.losses, milliseconds: event.milliseconds });
          if (!isFirst) tellRate(under, event.milliseconds / event.losses.length);
          if (!rests && isSlow(under)) changed.abort();
          if (!rests) tellMoment(false);
        }
      }
    } while (!ends.aborted && stepOf(under) < steps && !signal.aborted);
    if (single && stepOf(under) < steps && stepOf(under) % EVAL_EVERY !== 0) {
      reportEvaluation(stepOf(under), under, await engine.evaluate(data.test));
    }
    if (signal.reason !== GOES_ON) report({ kind: "paused", step: stepOf(under) });
  } catch (error) {
    if (error instanceof GivenUp) {
      random.state = drawn; // the step is taken again from its start
      if (signal.reason !== GOES_ON) report({ kind: "paused", step: stepOf(under) });
      return;
    }
    // What came behind the last known-good weights went with the device.
    if (error instanceof ng.EngineLost) {
      losses.length = Math.max(0, (await engine.optimizerState()).steps - under.before);
    }
    report({ kind: "stopped", step: stepOf(under), message: (error as Error).message });
  }
}

/** A batch that stays the same, for looking inside. */
const probeOf = ({ batch }: ng.EngineOptions) => Uint32Array.from({ length: batch }, (_, n) => n);

/** All devices, for tests. */
const gpus = async () => [...(await import("../src/gpu/device.ts")).Gpu.live];

answer<Calls>({
  begin(request) {
    const mine = ++latest;
    const begun = beginning.then(() => {
      if (mine !== latest) throw new Error("Cannot begin: another run is to begin instead");
      return begin(request);
    });
    beginning = begun.catch(() => {});
    return begun;
  },
  exhibits(): Exhibits {
    const { settings, data, options } = current(), { train, test, inputs } = data;
    const probe = Math.min(options.batch, 100);
    return {
      settings,
      sample: options.network.inputShape,
      classes: data.classes,
      probe: { x: train.x.slice(0, probe * inputs), labels: train.labels.slice(0, probe) },
      test: { x: test.x, labels: test.labels },
    };
  },
  async run(steps, single) {
    await halt(GOES_ON);
    looking.abort();
    stop = new AbortController();
    training = trainTo(current(), steps, single, stop);
  },
  pause: () => halt(),
  watch(watched) {
    isWatched = watched;
  },
  moment(withGradient) {
    const under = current(), { engine } = under;
    looking.abort();
    looking = new AbortController();
    if (engine instanceof PiecewiseEngine) engine.giveUpOn(looking.signal);
    return momentOf(under, withGradient || timeOf(under) < SHOWN_MILLISECONDS);
  },
  costs(list) {
    const { data } = current(), density = ng.densityOf(data.train);
    return list.map((settings) => {
      try {
        const network = networkFor(data, settings);
        return costOf(optionsFor(settings, network, data.train), density);
      } catch {
        return undefined; // its fields say why
      }
    });
  },
  check: () => check(report),
  async race(activation, steps) {
    raceStop.abort();
    raceStop = new AbortController();
    await race(activation, steps, raceStop.signal, report);
  },
  stopRace: () => raceStop.abort(),
  async useFiles(files) {
    mnist = await dataOf(files);
    return { train: mnist.train.count, test: mnist.test.count };
  },
  async save(format, losses) {
    const { options, engine } = current();
    const [parameters, { steps }] = await Promise.all([
      engine.parameters(),
      engine.optimizerState(),
    ]);
    const tensors = ng.asTensors(options.network, parameters, "numpy");
    const data = losses.slice(0, steps);
    tensors.set("losslist", { shape: [data.length], data });
    return await ng.writeTensors(tensors, `weights.${format}`);
  },
  loseDevices: async () => (await gpus()).forEach((gpu) => gpu.device.destroy()),
  liveBuffers: async () => (await gpus()).reduce((sum, gpu) => sum + gpu.buffers, 0),
});
