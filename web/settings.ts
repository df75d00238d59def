/** The settings of a run: what there are, and how they live in the page's address. */

import { ACTIVATIONS, METHODS, OPTIMIZERS } from "../src/mod.ts";

/** What a run is made of; a link that holds it reproduces the run. */
export interface Settings {
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
  readonly valid: (text: string) => boolean;
}

const oneOf = (choices: readonly string[]) => ({
  choices,
  valid: (text: string) => choices.includes(text),
});
const positive = (text: string) => Number(text) > 0 && Number.isFinite(Number(text));
const whole = (most: number) => (text: string) =>
  /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= most;

export const SETTINGS: Record<keyof Settings, Setting> = {
  data: {
    label: "Data",
    standard: "digits",
    hint: "digits or mnist",
    ...oneOf(["digits", "mnist"]),
  },
  hidden: {
    label: "Hidden widths",
    standard: "50",
    hint: "such as 50 or 100,50 or none",
    valid: (text) => text === "none" || /^[1-9]\d{0,3}(,[1-9]\d{0,3})*$/.test(text),
  },
  activation: {
    label: "Activation",
    standard: "sigmoid",
    hint: ACTIVATIONS.join(", "),
    ...oneOf(ACTIVATIONS),
  },
  optimizer: {
    label: "Optimiser",
    standard: "sgd",
    hint: OPTIMIZERS.join(", "),
    ...oneOf(OPTIMIZERS),
  },
  lr: { label: "Learning rate", standard: "0.5", hint: "a positive number", valid: positive },
  batch: { label: "Batch", standard: "100", hint: "a whole number to 2000", valid: whole(2000) },
  h: { label: "Step h", standard: "0.0001", hint: "a positive number", valid: positive },
  engine: { label: "Engine", standard: "differences", hint: METHODS.join(", "), ...oneOf(METHODS) },
  seed: {
    label: "Seed",
    standard: "1",
    hint: "a whole number to 4294967295",
    valid: (text) => /^\d+$/.test(text) && Number(text) <= 0xffffffff,
  },
  steps: {
    label: "Steps",
    standard: "3000",
    hint: "a whole number to 1000000",
    valid: whole(1_000_000),
  },
};

export const NAMES = Object.keys(SETTINGS) as (keyof Settings)[];

/** Reads settings from the page's address; what is not valid keeps its default, and is named. */
export function fromQuery(query: string): { texts: Record<string, string>; wrong: string[] } {
  const parameters = new URLSearchParams(query);
  const wrong: string[] = [];
  const texts = Object.fromEntries(NAMES.map((name) => {
    const text = parameters.get(name) ?? SETTINGS[name].standard;
    if (SETTINGS[name].valid(text)) return [name, text];
    wrong.push(`${name}=${text.slice(0, 40)}`);
    return [name, SETTINGS[name].standard];
  }));
  return { texts, wrong };
}

/** The settings as the page's address holds them; defaults are left out. */
export function toQuery(texts: Record<string, string>): string {
  const changed = NAMES.filter((name) => texts[name] !== SETTINGS[name].standard);
  const query = new URLSearchParams(changed.map((name) => [name, texts[name]])).toString();
  return query === "" ? "" : `?${query}`;
}

/** Settings out of texts that are valid. */
export function parseSettings(texts: Record<string, string>): Settings {
  const number = (name: keyof Settings) => Number(texts[name]);
  return {
    data: texts.data as Settings["data"],
    hidden: texts.hidden,
    activation: texts.activation,
    optimizer: texts.optimizer,
    engine: texts.engine,
    lr: number("lr"),
    batch: number("batch"),
    h: number("h"),
    seed: number("seed"),
    steps: number("steps"),
  };
}
