/** What a check of gradients found: data, and lines for people. */

import type { Diagnosis } from "./diagnosis.ts";
import { chanceUnseen } from "./sample.ts";
import { tableLines } from "./table.ts";
import type { CheckedValue } from "./values.ts";
import type { Checked, Element } from "./verdict.ts";

/** The farthest element of a tensor, with the loss's slopes on either side of its weight. */
export interface Worst extends Element {
  readonly left: number;
  readonly right: number;
}

/** One tensor of a gradient, and what is to be said of it. */
export interface TensorReport extends Omit<Checked, "worst"> {
  readonly worst?: Worst;
  /** Chances that an error in 1, 10, 100 of its elements was not looked at; 0 where all were. */
  readonly missed: Readonly<Record<1 | 10 | 100, number>>;
  /** Random directions over all of it, and on how many of them it is off, where a part is checked. */
  readonly directions?: { readonly count: number; readonly wrong: number };
}

/** What was checked, and how. */
export interface ReportData {
  readonly ok: boolean;
  /** Of the batch. */
  readonly loss: number;
  readonly samples: number;
  readonly h: number;
  readonly tolerance: number;
  /** What computed the differences. */
  readonly adapter: string;
  readonly backend: "cpu" | "webgpu";
  readonly tensors: readonly TensorReport[];
  /** Gradients of what is inside the network, from the data to the loss. */
  readonly values: readonly CheckedValue[];
  readonly diagnoses: readonly Diagnosis[];
  /** Units, and windows of pools, of all samples that float32 cannot decide on; float64 does. */
  readonly undecided: number;
  /** Units that stand exactly at a kink. */
  readonly exactly: number;
  /** What else is to be known, a line each. */
  readonly notes: readonly string[];
}

/** A gradient that is off, as a test runner reports it: all that was found is in the message. */
export class WrongGradient extends Error {
  override readonly name = "WrongGradient";
  constructor(readonly report: GradientReport) {
    super(report.text());
  }
}

/** What a check of gradients found. */
export class GradientReport implements ReportData {
  readonly ok: boolean;
  readonly loss: number;
  readonly samples: number;
  readonly h: number;
  readonly tolerance: number;
  readonly adapter: string;
  readonly backend: "cpu" | "webgpu";
  readonly tensors: readonly TensorReport[];
  readonly values: readonly CheckedValue[];
  readonly diagnoses: readonly Diagnosis[];
  readonly undecided: number;
  readonly exactly: number;
  readonly notes: readonly string[];

  constructor(data: ReportData) {
    this.ok = data.ok;
    this.loss = data.loss;
    this.samples = data.samples;
    this.h = data.h;
    this.tolerance = data.tolerance;
    this.adapter = data.adapter;
    this.backend = data.backend;
    this.tensors = data.tensors;
    this.values = data.values;
    this.diagnoses = data.diagnoses;
    this.undecided = data.undecided;
    this.exactly = data.exactly;
    this.notes = data.notes;
  }

  /** All of it for people. */
  text(): string {
    return reportLines(this).join("\n");
  }

  /** @throws {WrongGradient} where a gradient is off. */
  assertRight(): void {
    if (!this.ok) throw new WrongGradient(this);
  }
}

/** A number for people. */
const short = (value: number) => Number(value.toPrecision(4)).toString();

/** A chance for people. */
function percent(chance: number): string {
  if (chance === 0) return "0%";
  if (chance < 1e-4) return "<0.01%";
  if (chance >= 0.9995) return ">99.9%";
  return `${Number((100 * chance).toPrecision(chance > 0.99 ? 3 : 2))}%`;
}

/** A table of tensors: how far they are off, where the most, and what is to be said of them. */
export function verdictLines(rows: readonly (Checked | TensorReport)[]): string[] {
  const hasParts = rows.some(({ checked, size }) => checked < size);
  const hasKinks = rows.some(({ kinks }) => kinks > 0);
  const columns: [string, (row: Checked | TensorReport) => string][] = [
    ["tensor", ({ name }) => name],
    ["shape", ({ shape }) => shape.join("x")],
    ["relative error", ({ relativeError }) => relativeError.toExponential(2)],
    ["largest difference", ({ maxAbsDifference }) => maxAbsDifference.toExponential(2)],
    ...hasParts
      ? [["checked", ({ checked, size }) => `${checked} of ${size}`]] as typeof columns
      : [],
    ...hasKinks ? [["kinks", ({ kinks }) => `${kinks}`]] as typeof columns : [],
    ["at", ({ at }) => `[${at.join(",")}]`],
    ["verdict", ({ verdict }) => verdict === "off" ? "OFF" : verdict],
  ];
  return tableLines([
    columns.map(([head]) => head),
    ...rows.map((row) => columns.map(([, cell]) => cell(row))),
  ]);
}

/** Lines on what a part of a gradient leaves unseen. */
function riskLines({ tensors, tolerance }: ReportData): string[] {
  const parts = tensors.filter(({ checked, size }) => checked < size);
  if (parts.length === 0) return [];
  const rows = parts.map(({ name, missed, directions }) => [
    name,
    ...([1, 10, 100] as const).map((wrong) => percent(missed[wrong])),
    `${directions!.count - directions!.wrong} of ${directions!.count}`,
  ]);
  const { count } = parts[0].directions!;
  return [
    "Of tensors of which a part was checked, the chance that none of so many wrong elements was " +
    "looked at, wherever they are, and the random directions over all of each that agree:",
    ...tableLines([["tensor", "1 wrong", "10", "100", "directions"], ...rows]),
    `Along ${count} directions an error of ${short(10 * tolerance)} of a tensor's norm, in ` +
    `however many elements, is missed ${percent(chanceUnseen(10, count))} of the time, one of ` +
    `${short(2 * tolerance)} ${percent(chanceUnseen(2, count))}.`,
  ];
}

/** Lines on the elements that are off the most. */
function worstLines({ tensors }: ReportData): string[] {
  return tensors.flatMap(({ name, verdict, worst, wrong, checked, size, directions }) => {
    if (verdict !== "off") return [];
    if (wrong === 0) {
      return [
        `${name}: right in the elements that were looked at, but off along ` +
        `${directions!.wrong} of ${directions!.count} random directions.`,
      ];
    }
    const { at, theirs, ours, least, most, kinks, left, right } = worst!;
    const of = checked < size ? `the ${checked} elements that were checked` : `${size} elements`;
    const around = most - least > 1e-3 * Math.abs(ours)
      ? `, and anything from ${short(least)} to ${short(most)} would be right`
      : "";
    const sides = kinks > 0
      ? ` (${short(left)} to the left, ${short(right)} to the right; ${kinks} samples at a kink)`
      : "";
    return [
      `${name}[${at}] is ${short(theirs)}, the difference ${short(ours)}${sides}${around}; ` +
      `${wrong} of ${of} ${wrong === 1 ? "is" : "are"} off.`,
    ];
  });
}

/** Lines on kinks. */
function kinkLines({ tensors, undecided, exactly, h }: ReportData): string[] {
  const kinks = tensors.reduce((sum, row) => sum + row.kinks, 0);
  const lines: string[] = [];
  if (kinks > 0) {
    lines.push(
      `${kinks} ${
        kinks === 1 ? "element has" : "elements have"
      } a kink between -${h} and +${h} on ` +
        `some sample: there anything between the slopes on either side of it is right.`,
    );
  }
  if (undecided + exactly > 0) {
    const some = [
      ...undecided > 0
        ? [
          `${undecided} are as near to a kink, or as large as another in a pool, as float32 can tell`,
        ]
        : [],
      ...exactly > 0 ? [`${exactly} stand exactly at a kink`] : [],
    ];
    lines.push(
      `Of the units of all samples ${
        some.join(", and ")
      }: decided in float64, and either side is ` +
        `right.`,
    );
  }
  return lines;
}

/** All that was found, for people. */
export function reportLines(report: ReportData): string[] {
  const { tensors, values, diagnoses, ok, tolerance, notes } = report;
  return [
    ...verdictLines([...tensors, ...values]),
    ...kinkLines(report),
    ...riskLines(report),
    ...worstLines(report),
    ...diagnoses.filter(({ text }) => text !== "").map(({ tensors, text }) =>
      `${tensors.join(", ")}: ${text}`
    ),
    ...notes,
    ok
      ? `Every gradient is within ${tolerance}.`
      : `Not every gradient is within ${tolerance}: those marked are off.`,
  ];
}
