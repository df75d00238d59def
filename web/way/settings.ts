/** The settings of a run: what there are, and how they live in the page's address. */

// Not from mod.ts, all of which would come along with the page's own thread.
import {
  createEstimator,
  type Estimator,
  type EstimatorName,
  ESTIMATORS,
  hasSteps,
  MOST_POINTS,
  SMOOTHING_KERNELS,
  type SmoothingKernel,
  stepFor,
} from "../../src/core/estimator.ts";
import { checkFit } from "../../src/core/fit.ts";
import {
  type Activation,
  ACTIVATIONS,
  chainOf,
  connect,
  type Loss,
  LOSSES,
  type Node,
  parseNodes,
  type Shape,
  sizeOfShape,
} from "../../src/core/network.ts";
import { OPTIMIZERS } from "../../src/core/optimizers.ts";
import { SCHEDULES } from "../../src/core/schedule.ts";
import { SURROGATES } from "../../src/core/surrogate.ts";
import { METHODS } from "../../src/engine.ts";
import type { SettingName } from "../texts/en.ts";
import { t } from "../texts/texts.ts";

/** Settings as they are typed. */
export type Texts = Readonly<Record<SettingName, string>>;

/** What a run is made of; a link that holds it reproduces the run. */
export interface Settings {
  /** Operations in order, in place of hidden widths and activation; empty for those. */
  readonly network: string;
  readonly data: "digits" | "mnist";
  readonly hidden: string;
  readonly activation: string;
  readonly init: string;
  readonly loss: Loss;
  readonly engine: string;
  readonly surrogate: string;
  readonly estimator: EstimatorName;
  readonly kernel: SmoothingKernel;
  readonly points: number;
  readonly queries: number;
  readonly h: number;
  readonly optimizer: string;
  readonly lr: number;
  readonly schedule: string;
  readonly decay: number;
  readonly batch: number;
  readonly steps: number;
  readonly seed: number;
}

/** One setting: its default, and what it may be. */
interface Setting {
  readonly standard: string;
  readonly choices?: readonly string[];
  /** Why a text makes no sense, for people; of a network, over samples of that shape. */
  readonly complaint: (text: string, sample: Shape) => string | undefined;
}

/** The shape of the digits that the page comes with, and of MNIST's. */
const DIGITS: Shape = [1, 28, 28];
/** Bytes of all weights, and of a batch's values, that are still shown without a long wait. */
const MOST_BYTES = 2 ** 27;

const setting = (
  name: SettingName,
  standard: string,
  what: () => string,
  valid: (text: string) => boolean,
): Setting => ({
  standard,
  complaint: (text) => valid(text) ? undefined : t.complaints.give(t.settings[name][0], what()),
});
const choice = (
  name: SettingName,
  choices: readonly string[],
  standard = choices[0],
): Setting => ({
  ...setting(name, standard, () => choices.join(", "), (text) => choices.includes(text)),
  choices,
});
const positive = (text: string) => Number(text) > 0 && Number.isFinite(Number(text));
const whole = (name: SettingName, standard: string, most: number): Setting =>
  setting(
    name,
    standard,
    () => t.complaints.whole(most.toLocaleString("en", { useGrouping: false })),
    (text) => /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= most,
  );

/** Why a network cannot be, or is too large to be shown here; with what would fit. */
function networkComplaint(nodes: readonly Node[], sample: Shape): string | undefined {
  try {
    const network = connect({
      inputs: sizeOfShape(sample),
      inputShape: sample,
      classes: 10,
      nodes,
    });
    const sizes = ({ parameters }: { parameters: number }) => ({ weights: 8 * parameters });
    checkFit(network, sizes, MOST_BYTES, "the page");
  } catch (error) {
    return t.error((error as Error).message);
  }
}

export const SETTINGS: Record<SettingName, Setting> = {
  network: {
    standard: "",
    complaint(text, sample) {
      if (text === "") return undefined;
      let nodes: readonly Node[];
      try {
        nodes = parseNodes(text);
      } catch (error) {
        return t.error(`Cannot read the network: ${(error as Error).message}`);
      }
      return networkComplaint(nodes, sample);
    },
  },
  data: choice("data", ["digits", "mnist"]),
  hidden: {
    standard: "50",
    complaint(text, sample) {
      if (text !== "none" && !/^[1-9]\d{0,3}(,[1-9]\d{0,3})*$/.test(text)) {
        return t.complaints.give(t.settings.hidden[0], t.complaints.hidden);
      }
      return networkComplaint(chainOf(widthsOf(text)), sample);
    },
  },
  activation: choice("activation", ACTIVATIONS),
  init: choice("init", ["auto", "0.01", "xavier", "he"]),
  loss: choice("loss", LOSSES),
  engine: choice("engine", METHODS),
  surrogate: choice("surrogate", ["none", ...SURROGATES]),
  estimator: choice("estimator", ESTIMATORS, "central"),
  kernel: choice("kernel", SMOOTHING_KERNELS, "logistic"),
  points: whole("points", "16", MOST_POINTS),
  queries: whole("queries", "100", 10_000),
  h: setting(
    "h",
    "",
    () => t.complaints.positiveOrEmpty,
    (text) => text === "" || (positive(text) && Number(text) >= 1e-300 && Number(text) <= 1e300),
  ),
  optimizer: choice("optimizer", OPTIMIZERS, "sgd"),
  lr: setting(
    "lr",
    "",
    () => t.complaints.positiveOrEmpty,
    (text) => text === "" || positive(text),
  ),
  schedule: choice("schedule", SCHEDULES),
  decay: setting(
    "decay",
    "0",
    () => t.complaints.notNegative,
    (text) => text !== "" && Number(text) >= 0 && Number.isFinite(Number(text)),
  ),
  batch: whole("batch", "100", 2000),
  steps: whole("steps", "3000", 1_000_000),
  seed: setting(
    "seed",
    "1",
    () => t.complaints.seed,
    (text) => /^\d+$/.test(text) && Number(text) <= 0xffffffff,
  ),
};

export const NAMES = Object.keys(SETTINGS) as SettingName[];

/** The groups that the form shows them in. */
export const GROUPS = {
  network: ["data", "hidden", "activation", "network", "init", "loss"],
  gradient: ["engine", "surrogate", "estimator", "h", "kernel", "points", "queries"],
  learning: ["optimizer", "lr", "schedule", "decay", "batch", "steps", "seed"],
} as const satisfies Record<string, readonly SettingName[]>;

/** Whether a setting has a say, as the others are. */
export function matters(name: SettingName, texts: Texts): boolean {
  const isBackprop = texts.engine === "backprop";
  switch (name) {
    case "hidden":
    case "activation":
      return texts.network === "";
    case "surrogate":
      return isBackprop && hasSteps(nodesOf(texts));
    case "estimator":
    case "h":
      return !isBackprop;
    case "kernel":
    case "points":
      return !isBackprop && texts.estimator === "smoothed";
    case "queries":
      return !isBackprop && texts.estimator === "spsa";
    default:
      return true;
  }
}

/** The complaint about what is typed for a setting; undefined where it makes sense. */
export const complaintAbout = (name: SettingName, text: string, sample: Shape = DIGITS) =>
  SETTINGS[name].complaint(text, sample);

/** Reads settings from the page's address; what makes no sense keeps its default, and is returned. */
export function fromQuery(query: string): { texts: Texts; wrong: Partial<Texts> } {
  const parameters = new URLSearchParams(query);
  const wrong: Partial<Record<SettingName, string>> = {};
  const texts = Object.fromEntries(NAMES.map((name) => {
    const text = parameters.get(name) ?? SETTINGS[name].standard;
    if (complaintAbout(name, text) === undefined) return [name, text];
    wrong[name] = text;
    return [name, SETTINGS[name].standard];
  })) as Texts;
  return { texts, wrong };
}

/** The settings as the page's address holds them; defaults are left out. */
export function toQuery(texts: Texts): string {
  const changed = NAMES.filter((name) => texts[name] !== SETTINGS[name].standard);
  const query = new URLSearchParams(changed.map((name) => [name, texts[name]])).toString();
  return query === "" ? "" : `?${query}`;
}

const widthsOf = (hidden: string) => hidden === "none" ? [] : hidden.split(",").map(Number);

/** The operations of the network that settings describe, all but the last layer. */
export function nodesOf(
  { network, hidden, activation }: Pick<Texts, "network" | "hidden" | "activation">,
): readonly Node[] {
  if (network) return parseNodes(network);
  return chainOf(widthsOf(hidden), activation as Activation);
}

/** The learning rate where none is given: 0.5 for plain steps on these data, and what others take. */
const rateOn = (optimizer: string) =>
  optimizer === "sgd" ? 0.5 : optimizer === "adam" || optimizer === "rmsprop" ? 0.005 : 0.05;

/** Settings out of texts that are valid. */
export function parseSettings(texts: Texts): Settings {
  const number = (name: SettingName) => Number(texts[name]);
  const loss = texts.loss as Loss, estimator = texts.estimator as EstimatorName;
  return {
    network: texts.network,
    data: texts.data as Settings["data"],
    hidden: texts.hidden,
    activation: texts.activation,
    init: texts.init,
    loss,
    engine: texts.engine,
    surrogate: matters("surrogate", texts) ? texts.surrogate : "none",
    estimator,
    kernel: texts.kernel as SmoothingKernel,
    points: number("points"),
    queries: number("queries"),
    h: texts.h === "" ? stepFor(nodesOf(texts), loss) : number("h"),
    optimizer: texts.optimizer,
    lr: texts.lr === "" ? rateOn(texts.optimizer) : number("lr"),
    schedule: texts.schedule,
    decay: number("decay"),
    batch: number("batch"),
    steps: number("steps"),
    seed: number("seed"),
  };
}

/** The estimator that settings describe. */
export const estimatorOf = ({ estimator, h, queries, kernel, points }: Settings): Estimator =>
  createEstimator(estimator, h, queries, { kernel, points });
