/** What the page asks of its workers, what they answer, and what they report by themselves. */

import type { ParityRow } from "../../src/method/measured.ts";
import type { Comparison, Labels, OptimizerState, Shape } from "../../src/mod.ts";
import type { Settings } from "../way/settings.ts";

/** A file by its name. */
export interface File {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What is said of a run before it goes, in words that the page knows in every language. */
export type Notice =
  | { kind: "cpu" }
  | { kind: "no mnist"; problems: readonly string[]; canDownload: boolean }
  | { kind: "library"; line: string };

/** What a run runs on. */
export interface Ready {
  readonly adapter: string;
  readonly backend: "cpu" | "webgpu";
  readonly software: boolean;
  readonly notices: readonly Notice[];
  readonly data: string;
  /** The shape of a sample, and rows and columns that it is painted in. */
  readonly sample: Shape;
  readonly image: Picture;
  readonly classes: number;
  readonly testSamples: number;
  /** The network's, for people. */
  readonly shape: string;
  readonly parameters: number;
  readonly evaluationsPerStep: number;
  readonly step: number;
  /** Whether its weights are a file's, which may be trained ones. */
  readonly isLoaded: boolean;
  /** Hidden widths of a network that a file's weights decided. */
  readonly hidden?: string;
  readonly cost: Cost;
}

/** Multiply-adds a millisecond on this machine, of each kind of work that was measured. */
export type Rates = Readonly<Record<string, number>>;

/** What a step takes. */
export interface Cost {
  readonly multiplyAdds: number;
  /** Of these, those of the forward pass. */
  readonly forward: number;
  readonly evaluations: number;
  /** Milliseconds, where anything was measured on this machine. */
  readonly step?: number;
}

/** Rows and columns of a picture. */
export type Picture = readonly [rows: number, columns: number];

/**
 * A network at one step. All that is shown together is of one of these, and a run goes on from one
 * to the same bits.
 */
export interface Moment {
  readonly step: number;
  readonly parameters: Float64Array; // [parameters]
  readonly state: OptimizerState;
  /** Over the probe; left out where it would hold up a slow run. */
  readonly gradient?: Float64Array; // [parameters]
}

/** What looking needs of a run beside its moments. */
export interface Exhibits {
  readonly settings: Settings;
  readonly sample: Shape;
  readonly classes: number;
  /** A batch that stays the same. */
  readonly probe: { readonly x: Float32Array | Float64Array | Uint8Array; readonly labels: Labels };
  readonly test: { readonly x: Float32Array | Float64Array | Uint8Array; readonly labels: Labels };
}

/** What a layer makes of one sample. */
export interface LayerValues {
  /** The layer's name. */
  readonly behind: string;
  readonly shape: Shape;
  readonly values: Float32Array; // [...shape]
}

/** One sample's way through a network, of one moment. */
export interface Look {
  readonly step: number;
  /** What has a picture each. */
  readonly of: "unit" | "filter";
  readonly count: number;
  readonly image: Picture;
  readonly weights: Float32Array; // [count, pixels]
  readonly gradient?: Float32Array; // [count, pixels]
  /** The sample, 0 to 255. */
  readonly pixels: Uint8Array;
  /** Of every layer but the last. */
  readonly layers: readonly LayerValues[];
  readonly probabilities: readonly number[];
  /** The test sample's number from 1 and its label; of a drawing neither. */
  readonly test?: { readonly place: number; readonly label: number };
}

/** The loss along one weight, of one moment, in float64. */
export interface Slice {
  readonly step: number;
  readonly changes: Float64Array; // [points]
  readonly losses: Float64Array; // [points]
  readonly weight: number;
  readonly loss: number;
  /** The central difference at h. */
  readonly slope: number;
  readonly h: number;
  readonly samples: number;
}

/** Ways to a gradient, as the page names and colours them. */
export const ENGINES = ["differences", "copies", "backprop", "straight", "random"] as const;
export type EngineName = (typeof ENGINES)[number];

/** A racer's stand. */
export interface RaceRow {
  readonly engine: EngineName;
  readonly losses: readonly number[];
  readonly seconds: readonly number[]; // since the start, on its own
  readonly accuracy: number;
  readonly cosine: number; // between its gradient and backprop's, at its own weights
}

/** An adapter's gradients against float64. */
export interface Checked {
  /** Empty for the CPU. */
  readonly adapter: string;
  readonly tensors: readonly (Comparison & { backpropRelativeError: number })[];
  readonly sweep: readonly { h: number; differences: number; copies: number }[];
}

/** All that an adapter was compared in; no rows where there is none. */
export interface CheckResult {
  readonly adapter: string;
  readonly rows: readonly ParityRow[];
}

/** How a run begins. */
export interface Beginning {
  readonly settings: Settings;
  /** Whether the person asked for data from elsewhere. */
  readonly download: boolean;
  /** Weights from a file. */
  readonly file?: File;
  /** Where it stood before. */
  readonly kept?: Moment;
  readonly rates: Rates;
}

/** The questions to the worker that trains, races and checks, with their answers. */
export interface Calls {
  begin(beginning: Beginning): Ready;
  /** What looking needs of the run that has begun. */
  exhibits(): Exhibits;
  /** Trains up to a step, or till `pause`; a single step on the way there where asked for. */
  run(steps: number, single: boolean): void;
  pause(): void;
  /** Whether moments come with gradients from now on. */
  watch(isWatched: boolean): void;
  /** Of now; with its gradient, or where that takes no time. */
  moment(withGradient: boolean): Moment;
  /** What other settings would cost, in their order; undefined where they cannot be. */
  costs(settings: readonly Settings[]): readonly (Cost | undefined)[];
  check(): CheckResult;
  race(activation: "sigmoid" | "step", steps: number): void;
  stopRace(): void;
  useFiles(files: File[]): { train: number; test: number };
  /** @param losses of the run's steps, which go along. */
  save(format: "h5" | "safetensors", losses: Float64Array): Uint8Array;
  /** For tests: destroys all devices. */
  loseDevices(): void;
  /** For tests: buffers that exist on all devices. */
  liveBuffers(): number;
}

/** The questions to the worker that looks, which waits for no device. */
export interface LookCalls {
  exhibit(exhibits: Exhibits): void;
  /** @param digit pixels that were drawn, or the number of a test sample, from 1. */
  look(moment: Moment, digit: Uint8Array | number): Look;
  slice(moment: Moment, unit: number, pixel: number): Slice;
}

/** What a worker reports by itself. */
export type Report =
  | { kind: "steps"; losses: Float64Array; milliseconds: number }
  | {
    kind: "evaluation";
    step: number;
    accuracy: number;
    confusion: Uint32Array; // [classes, classes]: label, prediction; empty for very many
    worst: readonly { label: number; prediction: number; pixels: Uint8Array }[];
  }
  | { kind: "moment"; moment: Moment }
  | { kind: "rates"; rates: Rates; step: number }
  | { kind: "paused"; step: number }
  | { kind: "stopped"; step: number; message: string }
  | { kind: "notice"; line: string }
  | { kind: "race"; rows: readonly RaceRow[]; done: boolean }
  | { kind: "check" } & Checked
  | { kind: "parity"; rows: readonly ParityRow[] };

/** Messages to a worker. */
export interface Question {
  readonly id: number;
  readonly call: string;
  readonly values: readonly unknown[];
}

/** Messages from a worker. */
export type Answer =
  | { id: number; value?: unknown; error?: { message: string; missing?: MissingPart } }
  | { report: Report };

/** Which of MNIST's four files is not among those given. */
export type MissingPart = "trainImages" | "trainLabels" | "testImages" | "testLabels";
