/** `contest`: numerical gradients against surrogates, on units with steps; goes on where it was stopped. */

import type { Backend } from "../backend.ts";
import { CONTESTANTS } from "../contest/contestants.ts";
import { hold, type Result, RULES, standingsOf, tableOf } from "../contest/contest.ts";
import { drawDigits } from "../data/digits.ts";
import type { DataSet } from "../data/samples.ts";
import { loadDataSet } from "./datasets.ts";
import { EXIT, suggestion } from "./errors.ts";
import { Log, why, writeWhole } from "./files.ts";
import { Interrupt } from "./interrupt.ts";

/** What the command is told. */
export interface ContestOptions {
  results: string;
  fashionMnist: string;
  only: string[];
  smoke?: boolean;
  steps: number;
  seeds: number;
  backend: Backend;
  json?: boolean;
}

const NETWORKS = [[128], [256, 256]], SMOKE_NETWORKS = [[4], [4, 4]];
/** A smoke run is over in seconds: it shows that the contest goes, and nothing of who wins. */
const SMOKE_RULES = { steps: 3, batch: 10, validation: 50, choosing: 100, seeds: [1, 2] };

const nameOf = (hidden: readonly number[]) => hidden.join("-");

/** Results of a contest that was stopped; a last line that is not whole is dropped. */
async function readResults(path: string): Promise<Result[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new TypeError(`Cannot read ${path}: ${why(error)}; give a path that can be read`);
  }
  const end = text.lastIndexOf("\n") + 1;
  if (end < text.length) await writeWhole(path, text.slice(0, end));
  return text.slice(0, end).split("\n").filter((line) => line !== "").map((line, i) => {
    try {
      const result = JSON.parse(line);
      if (typeof result.contestant === "string" && typeof result.accuracy === "number") {
        return result;
      }
    } catch { /* said below */ }
    throw new SyntaxError(
      `Cannot go on with ${path}: its line ${i + 1} is no result of a contest; give another file`,
    );
  });
}

/** Those that are named, or all where none of them is. */
function named<T>(all: readonly T[], name: (one: T) => string, only: readonly string[]): T[] {
  const some = all.filter((one) => only.includes(name(one)));
  return some.length > 0 ? some : [...all];
}

/** Runs the command. */
export async function runContest(options: ContestOptions): Promise<number> {
  const { results: path, only, smoke = false, json = false, backend } = options;
  const tell = (line: string) => console.error(line);
  if (!(Number.isInteger(options.seeds) && options.seeds >= 1)) {
    throw new RangeError(`Cannot train from ${options.seeds} seeds: give a whole number from 1`);
  }
  if (!(Number.isInteger(options.steps) && options.steps >= 1)) {
    throw new RangeError(`Cannot train ${options.steps} steps: give a whole number from 1`);
  }
  const data: Record<string, () => Promise<DataSet>> = smoke
    ? { digits: () => Promise.resolve(drawDigits({ seed: 1, train: 200, test: 50 })) }
    : {
      "mnist": () => loadDataSet("mnist", { seed: 1, tell }),
      "fashion-mnist": () => loadDataSet(options.fashionMnist, { seed: 1, tell }),
    };
  const networks = smoke ? SMOKE_NETWORKS : NETWORKS;
  const names = [...Object.keys(data), ...networks.map(nameOf), ...CONTESTANTS.map((c) => c.name)];
  for (const name of only) {
    if (!names.includes(name)) {
      throw new TypeError(`Cannot hold the contest over ${name} only: ${suggestion(name, names)}`);
    }
  }
  const seeds = Array.from({ length: options.seeds }, (_, i) => i + 1);
  const rules = smoke ? SMOKE_RULES : { ...RULES, steps: options.steps, seeds };
  const field = {
    data: Object.fromEntries(named(Object.entries(data), ([name]) => name, only)),
    networks: named(networks, nameOf, only),
    contestants: named(CONTESTANTS, ({ name }) => name, only),
  };
  using interrupt = new Interrupt();
  const known = await readResults(path), all: Result[] = [];
  using log = new Log(path, true);
  const each = field.contestants.reduce(
    (sum, c) => sum + c.settings.length + rules.seeds.length,
    0,
  );
  const total = Object.keys(field.data).length * field.networks.length * each;
  const how = { backend, tell, signal: interrupt.signal };
  for await (const { result, isNew } of hold(field, rules, known, how)) {
    all.push(result);
    if (!isNew) continue;
    log.write(result);
    const { data, network, contestant, stage, setting, seed, accuracy, seconds } = result;
    tell(
      `${all.length}/${total} ${data} ${network} ${contestant} ${JSON.stringify(setting)} ` +
        `seed ${seed}: ${stage === "choice" ? "held-out" : "test"} accuracy ` +
        `${(100 * accuracy).toFixed(2)}% in ${seconds.toFixed(1)} s`,
    );
  }
  const isWritten = log.finish();
  const standings = standingsOf(all, CONTESTANTS);
  if (json) console.log(JSON.stringify({ complete: all.length === total, standings }));
  else tableOf(standings).forEach((line) => console.log(line));
  if (interrupt.code !== 0 && all.length < total) {
    tell(`Interrupted behind ${all.length} of ${total} runs; the same command goes on`);
    return interrupt.code;
  }
  return isWritten ? EXIT.done : EXIT.failed;
}
