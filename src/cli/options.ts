/** The options that commands share, spelled and checked the same everywhere. */

import { type Command, InvalidArgumentError, Option } from "commander";
import { type Backend, BACKENDS } from "../backend.ts";
import {
  createEstimator,
  type EstimatorName,
  ESTIMATORS,
  rateFor,
  SMOOTHING_KERNELS,
  type SmoothingKernel,
  stepFor,
} from "../core/estimator.ts";
import { type GeneratorName, GENERATORS } from "../core/generators.ts";
import type { Initialization } from "../core/initialization.ts";
import {
  type Activation,
  ACTIVATIONS,
  chainOf,
  connect,
  type Loss,
  LOSSES,
  type Network,
  type Node,
  parseActivation,
  parseNodes,
  type Shape,
  shapeOf,
  sizeOfShape,
  skippedInput,
  textOfNodes,
  textOfShape,
  weightedLayers,
} from "../core/network.ts";
import { structures } from "../operations/registry.ts";
import type { Structure } from "../operations/structure.ts";
import { type OptimizerName, OPTIMIZERS } from "../core/optimizers.ts";
import { type Surrogate, type SurrogateName, SURROGATES } from "../core/surrogate.ts";
import { type ScheduleName, SCHEDULES } from "../core/schedule.ts";
import type { DataSet, Samples } from "../data/samples.ts";
import { type Layout, LAYOUTS } from "../data/weights.ts";
import { type EngineOptions, type Method, METHODS } from "../engine.ts";
import type { TrainingOptions } from "../method/training.ts";
import { suggestion } from "./errors.ts";
import { type Places, toData, toRead, toSave, toServer, toWrite } from "./places.ts";

/** Values of the shared options, as commander delivers them. */
export interface Options {
  data: string;
  network?: Node[];
  inputShape?: Shape;
  hidden: number[];
  activation: Activation[];
  loss: Loss;
  epsilon: number;
  init: Initialization;
  steps: number;
  batch: number;
  lr?: number;
  validation?: number;
  optimizer: OptimizerName;
  weightDecay: number;
  schedule: ScheduleName;
  estimator: EstimatorName;
  queries: number;
  kernel: SmoothingKernel;
  points: number;
  h?: number;
  sharing?: boolean;
  engine: Method;
  surrogate?: SurrogateName;
  surrogateWidth?: number;
  backend: Backend;
  seed: number;
  evalEvery: number;
  plan?: boolean;
  profile?: boolean;
  log?: string;
  json?: boolean;
  rng: GeneratorName;
  layout?: Layout;
  weights?: string;
  model?: string;
  save?: string;
  saveEvery?: number;
  resume?: string;
  override?: boolean;
  plot?: string;
  nats?: string;
  token?: string;
  nkey?: string;
  own?: boolean;
}

/** Whether an option stood on the command line, rather than having its default. */
export type Given = (name: keyof Options) => boolean;

/** An option, a path most often, with the places that the command touches because of it. */
export class PlaceOption extends Option {
  constructor(flags: string, description: string, readonly places: (path: string) => Places) {
    super(flags, description);
  }
}

/** Parses a number. */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("give a number");
  return value;
}

/** Parses a number from 0. */
function notNegative(text: string): number {
  const value = number(text);
  if (!(value >= 0 && Number.isFinite(value))) throw new InvalidArgumentError("give 0 or more");
  return value;
}

/** Parses one of the choices; a miss suggests the nearest. */
function oneOf<T extends string>(choices: readonly T[]): (text: string) => T {
  return (text) => {
    if (!choices.includes(text as T)) throw new InvalidArgumentError(suggestion(text, choices));
    return text as T;
  };
}

function parseHidden(text: string): number[] {
  if (text === "none") return [];
  const widths = text.split(",").map(Number);
  if (!widths.every((width) => Number.isInteger(width) && width > 0)) {
    throw new InvalidArgumentError("give widths as 50 or 100,50, or none");
  }
  return widths;
}

function parseOneActivation(text: string): Activation {
  try {
    return parseActivation(text.trim());
  } catch (error) {
    const isNone = !ACTIVATIONS.some((name) => name.split(" ")[0] === text.trim().split(" ")[0]);
    throw new InvalidArgumentError(
      isNone ? suggestion(text, ACTIVATIONS) : (error as Error).message,
    );
  }
}

function parseNetwork(text: string): Node[] {
  try {
    return parseNodes(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** Parses channels, height and width: 1x28x28. */
function parseShape(text: string): Shape {
  const [channels, height, width] = /^([1-9]\d*)x([1-9]\d*)x([1-9]\d*)$/.exec(text)?.slice(1)
    .map(Number) ?? [];
  if (channels === undefined) {
    throw new InvalidArgumentError("give channels, height and width, as in 1x28x28");
  }
  return [channels, height, width];
}

function parseInit(text: string): Initialization {
  if (text === "xavier" || text === "he") return text;
  const deviation = Number(text);
  if (text.trim() === "" || !(deviation >= 0 && Number.isFinite(deviation))) {
    throw new InvalidArgumentError("give a standard deviation, xavier or he");
  }
  return deviation;
}

const shared = {
  data: new PlaceOption(
    "--data <set>",
    "auto, mnist, digits, a file of x and t (.npz, .h5, .safetensors), or a folder with four IDX files",
    toData,
  ).default("auto"),
  network: new Option(
    "--network <operations>",
    'operations in order, in place of --hidden and --activation: "dense 100, relu, dense 50, tanh", ' +
      'or "conv 30x5, relu, maxpool 2, dense 100, relu"',
  ).argParser(parseNetwork),
  inputShape: new Option(
    "--input-shape <CxHxW>",
    "channels, height and width of a sample, as in 1x28x28, where the data do not say",
  ).argParser(parseShape),
  hidden: new Option("--hidden <widths>", "widths of the hidden layers: 50, or 100,50, or none")
    .argParser(parseHidden).default([50], "50"),
  activation: new Option(
    "--activation <names>",
    `${ACTIVATIONS.join(", ")}; one for all hidden layers, or one for each`,
  ).argParser((text) => text.split(",").map(parseOneActivation))
    .default(["sigmoid"], "sigmoid"),
  loss: new Option("--loss <name>", LOSSES.join(", ")).argParser(oneOf(LOSSES))
    .default("cross-entropy"),
  epsilon: new Option("--epsilon <number>", "added inside the logarithm of the cross-entropy")
    .argParser(number).default(1e-7, "1e-7, the tutorial's"),
  init: new Option("--init <scale>", "standard deviation of fresh weights, or xavier, or he")
    .argParser(parseInit).default(0.01),
  steps: new Option("--steps <number>", "steps to train").argParser(number).default(600),
  batch: new Option("--batch <number>", "samples a step").argParser(number).default(100),
  lr: new Option("--lr <number>", "learning rate (default 0.1; 0.5 for sgd where a unit has steps)")
    .argParser(number),
  validation: new Option(
    "--validation <number>",
    "hold out the last so many training samples, and evaluate them instead of the test set",
  ).argParser(number),
  optimizer: new Option("--optimizer <name>", OPTIMIZERS.join(", "))
    .argParser(oneOf(OPTIMIZERS)).default("sgd"),
  weightDecay: new Option("--weight-decay <number>", "share of each weight taken, times the rate")
    .argParser(notNegative).default(0),
  schedule: new Option("--schedule <name>", `learning rate: ${SCHEDULES.join(", ")}`)
    .argParser(oneOf(SCHEDULES)).default("constant"),
  estimator: new Option("--estimator <name>", ESTIMATORS.join(", "))
    .argParser(oneOf(ESTIMATORS)).default("central"),
  queries: new Option("--queries <number>", "random directions a step, for spsa")
    .argParser(number).default(1),
  kernel: new Option(
    "--kernel <name>",
    `${SMOOTHING_KERNELS.join(", ")}: what smoothed smooths with`,
  )
    .argParser(oneOf(SMOOTHING_KERNELS)).default("logistic"),
  points: new Option("--points <number>", "of smoothed, on either side").argParser(number)
    .default(16),
  h: new Option(
    "--h <number>",
    "step of the difference, or scale of the kernel (default 1e-4; 1 where a unit has steps; 1e-6 with a maxpool, and in checks)",
  )
    .argParser(number),
  sharing: new Option("--no-sharing", "every copy by itself, sharing nothing: to compare with"),
  engine: new Option("--engine <name>", METHODS.join(", ")).argParser(oneOf(METHODS))
    .default("differences"),
  surrogate: new Option(
    "--surrogate <name>",
    `${SURROGATES.join(", ")}: what backprop takes for the derivative of units with steps`,
  ).argParser(oneOf(SURROGATES)),
  surrogateWidth: new Option(
    "--surrogate-width <number>",
    "how far a surrogate reaches (default 1)",
  )
    .argParser(number),
  backend: new Option("--backend <name>", BACKENDS.join(", ")).argParser(oneOf(BACKENDS))
    .default("auto"),
  seed: new Option("--seed <number>", "everything random follows it").argParser(number)
    .default(1),
  evalEvery: new Option("--eval-every <number>", "test accuracy each so many steps")
    .argParser(number).default(600),
  rng: new Option("--rng <name>", "random numbers: xoshiro, or r for what R draws behind set.seed")
    .argParser(oneOf(GENERATORS)).default("xoshiro"),
  layout: new Option("--layout <name>", "order of a file's dimensions: numpy, or r for R's")
    .argParser(oneOf(LAYOUTS)),
  weights: new PlaceOption(
    "--weights <file>",
    "weights W1, b1, W2, ... from .h5, .safetensors or .npz",
    toRead,
  ),
  model: new PlaceOption("--model <file.onnx>", "network and weights from ONNX", toRead),
  save: new PlaceOption(
    "--save <file>",
    "weights and losses, as .h5, .safetensors or .onnx",
    toSave,
  ),
  saveEvery: new Option("--save-every <number>", "save each so many steps, and at the end")
    .argParser(number),
  resume: new PlaceOption(
    "--resume <file>",
    "go on with a saved run, or start from weights",
    toRead,
  ),
  override: new Option("--override", "resume although options or data differ"),
  plot: new PlaceOption(
    "--plot <file.svg>",
    "the loss curve and the accuracy, as a figure",
    toWrite,
  ),
  log: new PlaceOption("--log <file>", "one JSON object a line: losses and accuracies", toWrite),
  plan: new Option("--plan", "print what a step will do and what it costs, and stop"),
  profile: new Option("--profile", "print what a few steps' time goes to on the GPU, and stop"),
  nats: new PlaceOption(
    "--nats <address>",
    "share gradients out over a NATS server's websocket: ws://host:port, or wss://",
    toServer,
  ),
  token: new Option("--token <token>", "what the NATS server asks for (default $NATS_TOKEN)"),
  nkey: new PlaceOption("--nkey <file>", "a file with the seed of an nkey, in its place", toRead),
  own: new Option("--no-own", "with --nats: leave all slices to workers"),
  json: new Option("--json", "standard output is exactly one JSON object"),
};

/** The name of an option as it is typed, without its dashes. */
export const flagOf = (name: string) =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Options as they would be typed, to be kept with a run. */
export function textOf(
  options: Options,
  names: readonly (keyof Options)[],
): Partial<Record<keyof Options, string>> {
  const text = (name: keyof Options) => {
    if (name === "network") return textOfNodes(options.network!);
    const value = options[name];
    if (name === "inputShape") return textOfShape(options.inputShape!);
    return Array.isArray(value) ? value.join(",") || "none" : `${value}`;
  };
  const said = names.filter((name) => options[name] !== undefined);
  return Object.fromEntries(said.map((name) => [name, text(name)]));
}

/**
 * Options from what was kept with a run, checked as if they were typed.
 * @throws {SyntaxError} when one of them is not what could have been typed.
 */
export function optionsFrom(
  kept: Record<string, unknown>,
  names: readonly (keyof typeof shared)[],
  fileName: string,
): Partial<Options> {
  return Object.fromEntries(
    names.filter((name) => name in kept).map((name) => {
      const { parseArg } = shared[name], text = kept[name];
      try {
        if (typeof text !== "string") throw new Error("it is no text");
        return [name, parseArg ? parseArg(text, undefined) : text];
      } catch (error) {
        throw new SyntaxError(
          `Cannot read the run in ${fileName}: its ${name} is ${JSON.stringify(text)}: ` +
            `${(error as Error).message}`,
        );
      }
    }),
  );
}

/** Options with the defaults of all that a command does not offer. */
export function withDefaults<T extends Partial<Options>>(options: T): T & Options {
  const defaults = Object.entries(shared).map(([name, option]) => [name, option.defaultValue]);
  return { ...Object.fromEntries(defaults), ...options };
}

/** Adds shared options to a command. */
export function withOptions(command: Command, ...names: (keyof typeof shared)[]): Command {
  for (const name of names) command.addOption(shared[name]);
  return command.hook("preAction", (_, command) => {
    const isGiven = (name: string) => command.getOptionValueSource(name) === "cli";
    const short = ["hidden", "activation"].find(isGiven);
    const other = ["network", "hidden", "activation", "inputShape", "weights", "resume"]
      .find(isGiven);
    if (isGiven("model") && other) {
      command.error(
        `Cannot use --${flagOf(other)} with --model: the file says the network and its weights; ` +
          `leave one of them out`,
      );
    }
    if (isGiven("network") && short) {
      command.error(
        `Cannot build two networks: --network says all that --${short} does; leave one of them out`,
      );
    }
  });
}

/** The training run that the options describe. */
export function trainingOf(options: Options): TrainingOptions {
  const { steps, batch, schedule, evalEvery, saveEvery } = options;
  return { steps, batch, learningRate: rateOf(options), schedule, evalEvery, saveEvery };
}

/** What an engine is told, for a network and the samples it trains on. */
export function engineOptionsOf(
  options: Options,
  network: Network,
  samples: Samples,
): EngineOptions {
  return {
    network,
    method: options.engine,
    estimator: estimatorOf(options),
    optimizer: { name: options.optimizer, weightDecay: options.weightDecay },
    samples,
    batch: options.batch,
    seed: options.seed,
    sharing: options.sharing,
    surrogate: surrogateOf(options),
  };
}

/**
 * The surrogate that the options describe.
 * @throws {TypeError} when a width is given without one.
 */
function surrogateOf({ surrogate: name, surrogateWidth }: Options): Surrogate | undefined {
  if (name) return { name, width: surrogateWidth ?? 1 };
  if (surrogateWidth === undefined) return undefined;
  throw new TypeError(
    `Cannot use --surrogate-width: there is no surrogate; give --surrogate ${
      SURROGATES.join(" or ")
    }`,
  );
}

/** The operations that the options describe, all but the last layer. */
export function nodesOf({ network, hidden, activation }: Options): readonly Node[] {
  return network ?? chainOf(hidden, activation.length === 1 ? activation[0] : activation);
}

/** The network that the options describe, for a data set. */
export function networkFor(options: Options, { inputs, image, classes }: DataSet): Network {
  const { loss, epsilon, inputShape = image } = options;
  return connect({ inputs, inputShape, classes, nodes: nodesOf(options), loss, epsilon });
}

/** Says on standard error what a network leaves unseen of its inputs, and what it leaves out. */
export function tellSkipped(network: Network): void {
  for (const line of skippedInput(network)) console.error(`Note: ${line}`);
  if (network.nodes.some(({ operation }) => operation === "dropout")) {
    console.error("Note: dropout drops nothing here: it is as at inference, in training too");
  }
}

/** Whether the options describe a network of maps, whose weights do not tell its shapes. */
export const isOfMaps = (options: Options): boolean =>
  nodesOf(options).some(({ operation }) => ofMaps.has(operation));

const ofMaps = new Set<string>(
  Object.values(structures as Record<string, Pick<Structure, "name" | "ofMaps">>)
    .filter((structure) => structure.ofMaps).map(({ name }) => name),
);

/**
 * The network of maps that the options describe, of so many classes.
 * @param path of the file that its weights are in.
 * @throws {TypeError} where nothing says the shape of its input.
 */
export function networkOfMaps(options: Options, classes: number, path: string): Network {
  const { inputShape, loss, epsilon } = options;
  if (!inputShape) {
    throw new TypeError(
      `Cannot use ${path} with --network "${textOfNodes(nodesOf(options))}": nothing says the ` +
        `shape of a sample; give --input-shape, as in --input-shape 1x28x28`,
    );
  }
  const inputs = sizeOfShape(inputShape);
  return connect({ inputs, inputShape, classes, nodes: nodesOf(options), loss, epsilon });
}

/**
 * The network of these widths, inputs and classes included, as the options have it otherwise.
 * @throws {TypeError} when the options say other widths.
 */
export function networkOf(options: Options, widths: readonly number[], path: string): Network {
  const hidden = widths.slice(1, -1);
  const data = { inputs: widths[0], classes: widths.at(-1)! };
  const { loss, epsilon } = options;
  const network = connect({ ...data, loss, epsilon, nodes: nodesOf({ ...options, hidden }) });
  const theirs = weightedLayers(network.layers);
  if (theirs.length !== hidden.length + 1 || theirs.some((l, i) => l.outputs !== widths[i + 1])) {
    throw new TypeError(
      `Cannot use ${path} with --network "${textOfNodes(network.nodes)}": that is ` +
        `${shapeOf(network)}, and its weights are ${widths.join("-")}`,
    );
  }
  return network;
}

/** The operations that decide on what is not given. */
const given = ({ network, activation }: Options) =>
  network ?? activation.map((operation) => ({ operation }));

/** The step of the difference: the one given, or what the network needs. */
export function stepOf(options: Options): number {
  return options.h ?? stepFor(given(options), options.loss);
}

/** The learning rate: the one given, or what the network needs. */
export function rateOf(options: Options): number {
  return options.lr ?? rateFor(given(options), options.optimizer);
}

/** The estimator that the options describe. */
export function estimatorOf(options: Options) {
  const { estimator, queries, kernel, points } = options;
  return createEstimator(estimator, stepOf(options), queries, { kernel, points });
}
