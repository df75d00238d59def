/**
 * What a measurement is, and how it is taken: what it times is checked first, then sampled in turn
 * (A B A B ...), so that a machine that slows down slows all of it, and summed up as medians with
 * their spread. Ratios are taken within each turn. Targets are printed, never asserted.
 */

import type { DataSet } from "../data/samples.ts";

/** What a figure should reach. */
export type Target = { readonly most: number } | { readonly least: number };

/** A figure's place in a series, where it belongs to one. */
export interface Point {
  readonly series: string;
  readonly x: number;
}

/** One thing that gives a figure each time that it is run. */
export interface Contender {
  readonly name: string;
  readonly unit: string;
  readonly target?: Target;
  readonly point?: Point;
  /** Runs it once; gives the figure. */
  sample(): Promise<number>;
  /** What there is to say about it, asked for when all samples are taken. */
  detail?(): string;
}

/** One contender's figure over another's, turn by turn. */
export interface Ratio {
  readonly name: string;
  /** Their places in the list of contenders. */
  readonly of: number;
  readonly to: number;
  /** What stands behind the number; "times" where nothing is given. */
  readonly unit?: string;
  readonly target?: Target;
  readonly point?: Point;
}

/** A measurement that is ready to be taken. */
export interface Prepared {
  readonly contenders: readonly Contender[];
  readonly ratios?: readonly Ratio[];
  /**
   * Checks that what is timed computes the right thing.
   * @returns how right it is, for people.
   * @throws {WrongResult} when it does not.
   */
  check(): Promise<string>;
  /** Lets go of what it holds. */
  close?(): unknown;
}

/** What measurements are told. */
export interface Setting {
  readonly data: DataSet;
  /** Whether small sizes will do: everything runs, and the figures mean nothing. */
  readonly smoke: boolean;
}

/** Something to measure. */
export interface Measurement {
  readonly name: string;
  /** What it measures, for people. */
  readonly what: string;
  /** @throws {Skip} where this machine does not allow it. */
  prepare(setting: Setting): Promise<Prepared>;
}

/** Says why a measurement is not possible here. */
export class Skip extends Error {}

/** Says what came out wrong. */
export class WrongResult extends Error {}

/** A figure: the median of its runs, and the smallest and the largest of them. */
export interface Row {
  readonly measurement: string;
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly low: number;
  readonly high: number;
  readonly runs: number;
  readonly target?: string;
  /** Whether the median reaches the target. */
  readonly ok?: boolean;
  readonly detail?: string;
  readonly point?: Point;
}

/** What came of a measurement: rows, or why there are none. */
export interface Outcome {
  readonly measurement: string;
  readonly rows: readonly Row[];
  /** How right the results are. */
  readonly checked?: string;
  readonly skipped?: string;
  readonly failed?: string;
}

/** Middle of the values; of two middles, their mean. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b), half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}

function targetText(target: Target, unit: string): string {
  const number = (value: number) => value.toLocaleString("en");
  return "most" in target
    ? `<= ${number(target.most)} ${unit}`
    : `>= ${number(target.least)} ${unit}`;
}

/** Takes a measurement: `runs` samples of each contender, behind one that is not counted. */
export async function measure(
  { name: measurement, prepare }: Measurement,
  setting: Setting,
  runs: number,
): Promise<Outcome> {
  let prepared: Prepared | undefined;
  try {
    prepared = await prepare(setting);
    const { contenders, ratios = [] } = prepared;
    const checked = await prepared.check();
    const samples = contenders.map((): number[] => []); // [contenders, runs]
    for (let turn = setting.smoke ? 0 : -1; turn < runs; turn++) {
      for (const [i, contender] of contenders.entries()) {
        const value = await contender.sample();
        if (turn >= 0) samples[i].push(value);
      }
    }
    const row = (
      { name, unit = "times", target, point, detail }:
        & Pick<Contender, "name" | "target" | "point" | "detail">
        & { unit?: string },
      values: readonly number[],
    ): Row => {
      const value = median(values);
      return {
        measurement,
        name,
        value,
        unit,
        low: Math.min(...values),
        high: Math.max(...values),
        runs: values.length,
        ...(target && !setting.smoke && {
          target: targetText(target, unit),
          ok: "most" in target ? value <= target.most : value >= target.least,
        }),
        ...(detail && { detail: detail() }),
        ...(point && { point }),
      };
    };
    return {
      measurement,
      checked,
      rows: [
        ...contenders.map((contender, i) => row(contender, samples[i])),
        ...ratios.map((ratio) =>
          row(ratio, samples[ratio.of].map((value, run) => value / samples[ratio.to][run]))
        ),
      ],
    };
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof Skip) return { measurement, rows: [], skipped: message };
    return { measurement, rows: [], failed: error instanceof WrongResult ? message : `${error}` };
  } finally {
    await prepared?.close?.();
  }
}
