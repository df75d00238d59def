/**
 * The contest of numerical gradients with surrogates, on units with steps. Each contestant chooses one
 * of its settings by one run each, judged on training samples that are held out; then it trains anew
 * with that, from several seeds, and is tested once each. With the same seed all start from the same
 * weights, go through the same batches, and so are paired.
 */

import {
  type Backend,
  createNetwork,
  type DataSet,
  initialParameters,
  openEngine,
  shapeOf,
  train,
  withValidation,
  Xoshiro,
} from "../mod.ts";
import type { Contestant, Setting } from "./contestants.ts";

/** How a contest is held. */
export interface Rules {
  readonly steps: number;
  readonly batch: number;
  /** Training samples that are held out where settings are chosen. */
  readonly validation: number;
  /** Of the runs that choose. */
  readonly choosing: number;
  /** Of the runs that count. */
  readonly seeds: readonly number[];
}

/** The contest's own rules. */
export const RULES: Rules = {
  steps: 3000,
  batch: 100,
  validation: 10_000,
  choosing: 100,
  seeds: [1, 2, 3, 4, 5],
};

/** One run, before it is taken. */
export interface Entry {
  readonly data: string;
  readonly hidden: readonly number[];
  readonly contestant: string;
  readonly stage: "choice" | "final";
  readonly setting: Setting;
  readonly seed: number;
  readonly steps: number;
  readonly batch: number;
  readonly validation: number;
}

/** One run, and what came of it. */
export interface Result extends Entry {
  /** 784-128-10 */
  readonly network: string;
  /** Of the held-out samples where a setting is chosen, else of the test set; 0 where it went astray. */
  readonly accuracy: number;
  readonly seconds: number;
  /** What computed. */
  readonly adapter: string;
}

const keyOf = (entry: Entry) => {
  const { data, hidden, contestant, stage, setting, seed, steps, batch, validation } = entry;
  const { lr, h, width } = setting;
  return JSON.stringify([
    ...[data, hidden, contestant, stage, lr, h ?? 0, width ?? 0],
    ...[seed, steps, batch, validation],
  ]);
};

/** Takes one run. */
async function take(
  entry: Entry,
  { activation, engine: engineOf }: Contestant,
  data: DataSet,
  backend: Backend,
  tell: (line: string) => void,
): Promise<Result> {
  const { hidden, setting, seed, steps, batch, stage } = entry;
  const split = stage === "choice" ? withValidation(data, entry.validation) : data;
  const { inputs, classes } = data;
  const network = createNetwork({ inputs, hidden, classes, activation });
  const random = new Xoshiro(seed);
  using engine = await openEngine(
    {
      network,
      ...engineOf(setting),
      optimizer: { name: "adam", weightDecay: 0 },
      samples: split.train,
      batch,
      seed,
    },
    backend,
    tell,
  );
  engine.setParameters(initialParameters(network, "xavier", random));
  let milliseconds = 0, accuracy = 0;
  try {
    const training = { steps, batch, learningRate: setting.lr, schedule: "cosine" as const };
    for await (const event of train(engine, split, random, { ...training, evalEvery: steps })) {
      if (event.kind === "steps") milliseconds += event.milliseconds;
      if (event.kind === "evaluation") ({ accuracy } = event.evaluation);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    tell(error.message); // a loss or a weight is no number any more: the setting is a bad one
  }
  const seconds = milliseconds / 1000;
  return { ...entry, network: shapeOf(network), accuracy, seconds, adapter: engine.adapter };
}

/** What a contest is held over. */
export interface Field {
  /** By name, loaded where they are first needed. */
  readonly data: Readonly<Record<string, () => Promise<DataSet>>>;
  /** Widths of hidden layers. */
  readonly networks: readonly (readonly number[])[];
  readonly contestants: readonly Contestant[];
}

/**
 * Holds a contest, run by run.
 * @param known results of runs that are not taken again.
 * @returns every result that the contest is made of, the known ones among them, as they come.
 */
export async function* hold(
  { data, networks, contestants }: Field,
  rules: Rules,
  known: readonly Result[],
  { backend, tell, signal }: {
    backend: Backend;
    tell: (line: string) => void;
    signal?: AbortSignal;
  },
): AsyncGenerator<{ result: Result; isNew: boolean }> {
  const taken = new Map(known.map((result) => [keyOf(result), result]));
  const { steps, batch, validation } = rules;
  for (const [name, load] of Object.entries(data)) {
    let loaded: DataSet | undefined;
    for (const hidden of networks) {
      for (const contestant of contestants) {
        const run = async (stage: Entry["stage"], setting: Setting, seed: number) => {
          const place = { data: name, hidden, contestant: contestant.name, stage };
          const entry = { ...place, setting, seed, steps, batch, validation };
          const before = taken.get(keyOf(entry));
          if (before) return { result: before, isNew: false };
          loaded ??= await load();
          return { result: await take(entry, contestant, loaded, backend, tell), isNew: true };
        };
        const tried: Result[] = [];
        for (const setting of contestant.settings) {
          if (signal?.aborted) return;
          const outcome = await run("choice", setting, rules.choosing);
          tried.push(outcome.result);
          yield outcome;
        }
        const best = tried.reduce((best, one) => one.accuracy > best.accuracy ? one : best);
        for (const seed of rules.seeds) {
          if (signal?.aborted) return;
          yield await run("final", best.setting, seed);
        }
      }
    }
  }
}

/** What a contestant reached on one data set with one network. */
export interface Standing {
  readonly data: string;
  readonly network: string;
  readonly contestant: string;
  readonly setting: Setting;
  readonly runs: number;
  /** Of the accuracies on the test set; the deviation is that of a sample, and NaN of one run. */
  readonly mean: number;
  readonly deviation: number;
  /** Of a run, in the mean. */
  readonly seconds: number;
  /** How far it is ahead of the best surrogate, in the mean over paired runs, and the standard error of that. */
  readonly ahead?: { readonly mean: number; readonly error: number };
}

const meanOf = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const deviationOf = (values: readonly number[]) => {
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1));
};

/** The standings of the runs that count, in the order in which they were taken. */
export function standingsOf(
  results: readonly Result[],
  contestants: readonly Contestant[],
): Standing[] {
  const finals = results.filter(({ stage }) => stage === "final");
  const places = [...new Set(finals.map(({ data, network }) => JSON.stringify([data, network])))];
  return places.flatMap((place): Standing[] => {
    const [data, network] = JSON.parse(place) as [string, string];
    const at = contestants.flatMap(({ name, kind }) => {
      const runs = finals.filter((run) =>
        run.data === data && run.network === network && run.contestant === name
      );
      return runs.length > 0 ? [{ name, kind, runs }] : [];
    });
    const meanAt = ({ runs }: (typeof at)[number]) => meanOf(runs.map(({ accuracy }) => accuracy));
    const rival = at.filter(({ kind }) => kind === "surrogate")
      .reduce<(typeof at)[number] | undefined>(
        (best, one) => !best || meanAt(one) > meanAt(best) ? one : best,
        undefined,
      );
    return at.map((one) => {
      const accuracies = one.runs.map(({ accuracy }) => accuracy);
      const pairs = one.runs.flatMap(({ seed, accuracy }) => {
        const other = rival?.runs.find((run) => run.seed === seed);
        return other ? [accuracy - other.accuracy] : [];
      });
      const error = deviationOf(pairs) / Math.sqrt(pairs.length);
      return {
        data,
        network,
        contestant: one.name,
        setting: one.runs[0].setting,
        runs: one.runs.length,
        mean: meanOf(accuracies),
        deviation: deviationOf(accuracies),
        seconds: meanOf(one.runs.map(({ seconds }) => seconds)),
        ...(one !== rival && pairs.length > 0 ? { ahead: { mean: meanOf(pairs), error } } : {}),
      };
    });
  });
}

const percent = (share: number) => (100 * share).toFixed(2);
const signed = (share: number) => `${share < 0 ? "" : "+"}${percent(share)}`;

/** Standings as a table in Markdown. */
export function tableOf(standings: readonly Standing[]): string[] {
  const head = ["data", "network", "method", "chosen", "test accuracy", "of a seed"];
  const columns = [...head, "ahead of the best surrogate", "seconds a run"];
  return [
    `| ${columns.join(" | ")} |`,
    `| ${columns.map(() => "---").join(" | ")} |`,
    ...standings.map((one) => {
      const { lr, h, width } = one.setting;
      const chosen = [
        `lr ${lr}`,
        ...(h === undefined ? [] : [`h ${h}`]),
        ...(width === undefined ? [] : [`width ${width}`]),
      ];
      const deviation = Number.isNaN(one.deviation) ? "" : `± ${percent(one.deviation)}`;
      const ahead = !one.ahead
        ? ""
        : Number.isNaN(one.ahead.error)
        ? signed(one.ahead.mean)
        : `${signed(one.ahead.mean)} ± ${percent(one.ahead.error)}`;
      const cells = [one.data, one.network, one.contestant, chosen.join(", ")];
      return `| ${
        [...cells, `${percent(one.mean)}%`, deviation, ahead, one.seconds.toFixed(1)].join(" | ")
      } |`;
    }),
  ];
}
