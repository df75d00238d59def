/** The settings of a run: what there are, and how they live in the page's address. */

// Not from mod.ts, all of which would come along to the page's first script.
import { stepFor } from "../src/core/estimator.ts";
import {
  type Activation,
  ACTIVATIONS,
  chainOf,
  connect,
  type Node,
  parseNodes,
  type Shape,
  sizeOfShape,
} from "../src/core/network.ts";
import { OPTIMIZERS } from "../src/core/optimizers.ts";
import { METHODS } from "../src/engine.ts";

/** What a run is made of; a link that holds it reproduces the run. */
export interface Settings {
  /** Operations in order, in place of hidden widths and activation; empty for those. */
  network: string;
  data: "digits" | "mnist";
  hidden: string;
  activation: string;
  optimizer: string;
  lr: number;
  batch: number;
  h: number;
  engine: string;
  seed: number;
  steps: number;
}

/** One setting: its label, its default, and what it may be. */
interface Setting {
  readonly label: string;
  readonly standard: string;
  readonly hint: string;
  readonly choices?: readonly string[];
  /** Why a text makes no sense, for people; of a network, over samples of that shape. */
  readonly complaint: (text: string, sample: Shape) => string | undefined;
}

/** The shape of the digits that the page comes with, and of MNIST's. */
const DIGITS: Shape = [1, 28, 28];

const setting = (
  label: string,
  standard: string,
  hint: string,
  valid: (text: string) => boolean,
): Setting => ({
  label,
  standard,
  hint,
  complaint: (text) => valid(text) ? undefined : `${label}: give ${hint}.`,
});
const choice = (label: string, choices: readonly string[], standard = choices[0]): Setting => ({
  ...setting(label, standard, choices.join(", "), (text) => choices.includes(text)),
  choices,
});
const positive = (text: string) => Number(text) > 0 && Number.isFinite(Number(text));
const whole = (most: number) => (text: string) =>
  /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= most;

export const SETTINGS: Record<keyof Settings, Setting> = {
  network: {
    label: "Network",
    standard: "",
    hint: "operations in order, such as conv 8x5, relu, maxpool 2, dense 50, relu; " +
      "empty for hidden widths and activation",
    complaint(text, sample) {
      if (text === "") return undefined;
      let nodes: readonly Node[];
      try {
        nodes = parseNodes(text);
      } catch (error) {
        return `Cannot read the network: ${(error as Error).message}`;
      }
      try {
        connect({ inputs: sizeOfShape(sample), inputShape: sample, classes: 1, nodes });
      } catch (error) {
        return (error as Error).message;
      }
    },
  },
  data: choice("Data", ["digits", "mnist"]),
  hidden: setting(
    "Hidden widths",
    "50",
    "widths such as 50 or 100,50 or none",
    (text) => text === "none" || /^[1-9]\d{0,3}(,[1-9]\d{0,3})*$/.test(text),
  ),
  activation: choice("Activation", ACTIVATIONS),
  optimizer: choice("Optimiser", OPTIMIZERS, "sgd"),
  lr: setting("Learning rate", "0.5", "a positive number", positive),
  batch: setting("Batch", "100", "a whole number to 2000", whole(2000)),
  h: setting(
    "Step h",
    "",
    "a positive number, or nothing for the one that the network needs",
    (text) => text === "" || positive(text),
  ),
  engine: choice("Engine", METHODS),
  seed: setting(
    "Seed",
    "1",
    "a whole number to 4294967295",
    (text) => /^\d+$/.test(text) && Number(text) <= 0xffffffff,
  ),
  steps: setting("Steps", "3000", "a whole number to 1000000", whole(1_000_000)),
};

export const NAMES = Object.keys(SETTINGS) as (keyof Settings)[];

/** What a network says by itself, where one is given. */
export const SHORT_FORM: readonly (keyof Settings)[] = ["hidden", "activation"];

/** Settings as they are typed. */
export type Texts = Readonly<Record<keyof Settings, string>>;

/** The complaint about what is typed for a setting; undefined where it makes sense. */
export const complaintAbout = (name: keyof Settings, text: string, sample: Shape = DIGITS) =>
  SETTINGS[name].complaint(text, sample);

/** Reads settings from the page's address; what makes no sense keeps its default, and is returned. */
export function fromQuery(query: string): { texts: Texts; wrong: Partial<Texts> } {
  const parameters = new URLSearchParams(query);
  const wrong: Partial<Record<keyof Settings, string>> = {};
  const texts = Object.fromEntries(NAMES.map((name) => {
    const text = (parameters.get(name) ?? SETTINGS[name].standard).trim();
    if (complaintAbout(name, text) === undefined) return [name, text];
    wrong[name] = text;
    return [name, SETTINGS[name].standard];
  })) as Texts;
  return { texts, wrong };
}

/** The settings as the page's address holds them; defaults are left out. */
export function toQuery(texts: Texts): string {
  const changed = NAMES.filter((name) =>
    texts[name] !== SETTINGS[name].standard && !(texts.network && SHORT_FORM.includes(name))
  );
  const query = new URLSearchParams(changed.map((name) => [name, texts[name]])).toString();
  return query === "" ? "" : `?${query}`;
}

/** The operations of the network that settings describe, all but the last layer. */
export function nodesOf({ network, hidden, activation }: Texts | Settings): readonly Node[] {
  if (network) return parseNodes(network);
  return chainOf(hidden === "none" ? [] : hidden.split(",").map(Number), activation as Activation);
}

/** Settings out of texts that are valid. */
export function parseSettings(texts: Texts): Settings {
  const number = (name: keyof Settings) => Number(texts[name]);
  return {
    network: texts.network,
    data: texts.data as Settings["data"],
    hidden: texts.hidden,
    activation: texts.activation,
    optimizer: texts.optimizer,
    engine: texts.engine,
    lr: number("lr"),
    batch: number("batch"),
    h: texts.h === "" ? stepFor(nodesOf(texts)) : number("h"),
    seed: number("seed"),
    steps: number("steps"),
  };
}
