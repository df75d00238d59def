/** `bench`: measures what this machine allows, checking each result before it is timed. */

import os from "node:os";
import { measure, type Measurement, type Outcome, type Row } from "../bench/measurement.ts";
import { MEASUREMENTS } from "../bench/measurements.ts";
import { cpu } from "../bench/training.ts";
import { drawDigits } from "../data/digits.ts";
import { Gpu } from "../gpu/device.ts";
import { memory, start, tutorial } from "./bench_programs.ts";
import { loadDataSet } from "./datasets.ts";
import { EXIT, suggestion } from "./errors.ts";
import { drawGrowth } from "./figure.ts";
import { writeWhole } from "./files.ts";
import { claimFigureFile } from "./plot.ts";
import { tableLines } from "../method/table.ts";

/** Where measurements run: here, or in a browser. */
export interface Place {
  /** What computes there, for people. */
  readonly adapter: string;
  readonly runtime: string;
  /** The measurements that it knows. */
  readonly names: readonly string[];
  measure(name: string, runs: number): Promise<Outcome>;
  close(): Promise<void>;
}

export interface BenchOptions {
  data: string;
  seed: number;
  browser?: boolean;
  smoke?: boolean;
  runs: number;
  plot?: string;
  json?: boolean;
}

/** Four digits. */
const figure = (value: number) =>
  value >= 1000 ? Math.round(value).toLocaleString("en") : `${Number(value.toPrecision(4))}`;

const verdict = ({ ok }: Row) => ok === undefined ? "" : ok ? "reached" : "NOT REACHED";

/** The rows for people, and below them what was checked, skipped and said. */
function lines(outcomes: readonly Outcome[]): string[] {
  const rows = outcomes.flatMap((outcome) => outcome.rows);
  const notes = (outcome: Outcome) => [
    ...outcome.skipped === undefined ? [] : [`skipped, ${outcome.skipped}`],
    ...outcome.failed === undefined ? [] : [`FAILED, ${outcome.failed}`],
    ...outcome.checked === undefined ? [] : [`checked, ${outcome.checked}`],
    ...outcome.rows.filter(({ detail }) => detail).map(({ name, detail }) => `${name}: ${detail}`),
  ];
  return [
    ...tableLines([
      ["measurement", "figure", "median", "from .. to", "runs", "target", ""],
      ...rows.map((row) => [
        row.measurement,
        row.name,
        `${figure(row.value)} ${row.unit}`,
        `${figure(row.low)} .. ${figure(row.high)}`,
        `${row.runs}`,
        row.target ?? "",
        verdict(row),
      ]),
    ]),
    "",
    ...outcomes.flatMap((outcome) =>
      notes(outcome).map((note) => `${outcome.measurement}: ${note}`)
    ),
  ];
}

/**
 * Chooses measurements by their names, all of them where none is given.
 * @throws {TypeError} when one is not known there.
 */
function chosen(given: readonly string[], known: readonly string[]): readonly string[] {
  for (const name of given) {
    if (known.includes(name)) continue;
    throw new TypeError(`Cannot measure ${name}: ${suggestion(name, known)}`);
  }
  return given.length > 0 ? known.filter((name) => given.includes(name)) : known;
}

/** This process as a place to measure in. */
async function here(setting: Parameters<Measurement["prepare"]>[0]): Promise<Place> {
  const gpu = await Gpu.open();
  const adapter = gpu?.adapter ?? "no WebGPU adapter";
  gpu?.[Symbol.dispose]();
  const [step, backprop, ...others] = MEASUREMENTS;
  const measurements = [step, backprop, tutorial, cpu, ...others, start, memory];
  return {
    adapter,
    runtime: `Deno ${Deno.version.deno}`,
    names: measurements.map(({ name }) => name),
    measure: (name, runs) => measure(measurements.find((one) => one.name === name)!, setting, runs),
    close: () => Promise.resolve(),
  };
}

/** Runs the command; the exit code tells whether every result was right. */
export async function runBench(names: readonly string[], options: BenchOptions): Promise<number> {
  const { smoke = false } = options;
  const runs = smoke ? 1 : options.runs;
  if (!(Number.isInteger(runs) && runs >= 1)) {
    throw new RangeError(`Cannot take ${runs} runs: give a whole number from 1`);
  }
  if (options.plot !== undefined) await claimFigureFile(options.plot);
  const tell = (line: string) => options.json ? console.error(line) : console.log(line);
  const data = smoke
    ? drawDigits({ train: 200, test: 50 })
    : await loadDataSet(options.data, { seed: options.seed, tell });
  const setting = { data, smoke };
  const place = options.browser
    ? await (await import("./bench_browser.ts")).openBrowser(setting)
    : await here(setting);
  const outcomes: Outcome[] = [];
  try {
    const wanted = chosen(names, place.names);
    if (options.plot !== undefined && !wanted.includes("growth")) {
      throw new TypeError("Cannot plot the growth: it is not measured; add growth");
    }
    for (const name of wanted) {
      console.error(`Measuring ${name} ...`);
      const outcome = await place.measure(name, runs);
      outcomes.push(outcome);
      // What is known is said: all of it takes minutes.
      for (const row of outcome.rows) {
        console.error(`  ${row.name}: ${figure(row.value)} ${row.unit}`);
      }
    }
  } finally {
    await place.close();
  }
  const rows = outcomes.flatMap((outcome) => outcome.rows);
  if (options.plot !== undefined) await writeWhole(options.plot, await drawGrowth(rows));
  const ok = outcomes.every(({ failed }) => failed === undefined);
  const cores = os.cpus();
  const machine = {
    adapter: place.adapter,
    cpu: `${cores[0]?.model ?? "unknown"}, ${cores.length} cores`,
    runtime: place.runtime,
    date: new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC",
    data: data.name,
    smoke,
  };
  if (options.json) {
    console.log(JSON.stringify({
      ok,
      rows,
      checks: outcomes.map(({ rows: _, ...rest }) => rest),
      machine,
    }));
  } else {
    lines(outcomes).forEach(tell);
    tell("");
    tell(
      `${machine.adapter}; ${machine.cpu}; ${machine.runtime}; ${machine.data}; ${machine.date}` +
        (smoke ? "; a smoke run: small sizes, figures without meaning" : ""),
    );
    if (options.plot !== undefined) tell(`Wrote ${options.plot}.`);
  }
  if (!ok) console.error("Not every result is right.");
  return ok ? EXIT.done : EXIT.failed;
}
