/** What the page asks of its worker, what it answers, and what it reports by itself. */

import type { ParityRow } from "../src/method/parity.ts";
import type { Comparison, Shape } from "../src/mod.ts";
import type { Settings } from "./settings.ts";

/** A file by its name. */
export interface File {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What a run runs on. */
export interface Ready {
  readonly adapter: string;
  readonly backend: "cpu" | "webgpu";
  readonly software: boolean;
  /** Why it is not WebGPU, or not the data that was asked for. */
  readonly notices: readonly string[];
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
}

/** Rows and columns of a picture. */
export type Picture = readonly [rows: number, columns: number];

/** What a layer makes of one sample. */
export interface FeatureMaps {
  /** The layer's name. */
  readonly behind: string;
  readonly shape: readonly [maps: number, rows: number, columns: number];
  readonly values: Float32Array; // [maps, rows, columns]
}

/** The first weights and their gradient as pictures, and what they make of a sample; of one moment. */
export interface Look {
  /** What has a picture each. */
  readonly of: "hidden unit" | "filter";
  readonly count: number;
  readonly image: Picture;
  readonly weights: Float32Array; // [count, pixels]
  readonly gradient: Float32Array; // [count, pixels]
  /** From the first convolution to the first pool behind it; none where there is no convolution. */
  readonly maps: readonly FeatureMaps[];
  /** Of which sample they are, for people. */
  readonly seen: string;
}

/** The loss along one weight. */
export interface Slice {
  readonly changes: Float64Array; // [points]
  readonly losses: Float64Array; // [points]
  readonly weight: number;
  readonly loss: number;
  readonly gradient: number;
  readonly h: number;
}

/** A racer's stand. */
export interface RaceRow {
  readonly engine: string;
  readonly losses: readonly number[];
  readonly seconds: readonly number[]; // since the start, on its own
  readonly cosine: number; // between its gradient and backprop's, at its own weights
}

/** An adapter's gradients against float64. */
export interface Checked {
  readonly adapter: string;
  readonly tensors: readonly (Comparison & { backpropRelativeError: number })[];
  readonly sweep: readonly { h: number; differences: number; copies: number }[];
}

/** All that an adapter was compared in; no rows where there is none. */
export interface CheckResult {
  readonly adapter: string;
  readonly rows: readonly ParityRow[];
}

/** The questions, with their answers. */
export interface Calls {
  /** Begins a run anew; data are downloaded from elsewhere only if the person asked for it. */
  reset(settings: Settings, download: boolean): Ready;
  /** Trains up to a step, or till `pause`. */
  run(steps: number): void;
  pause(): void;
  /** Looks at the first weights, and at maps of a drawn digit, or of a test digit by its number. */
  look(digit: Uint8Array | number): Look;
  slice(unit: number, pixel: number): Slice;
  predict(pixels: Uint8Array): number[];
  check(): CheckResult;
  race(activation: string, steps: number): void;
  stopRace(): void;
  useFiles(files: File[]): string;
  save(format: "h5" | "safetensors"): Uint8Array;
  load(file: File): Ready;
  /** For tests: destroys all devices. */
  loseDevices(): void;
  /** For tests: buffers that exist on all devices. */
  liveBuffers(): number;
}

/** What the worker reports by itself. */
export type Report =
  | { kind: "steps"; first: number; losses: Float64Array; milliseconds: number }
  | {
    kind: "evaluation";
    step: number;
    accuracy: number;
    confusion: Uint32Array; // [classes, classes]: label, prediction; empty for very many
    worst: readonly { label: number; prediction: number; loss: number; pixels: Uint8Array }[];
  }
  | { kind: "paused"; step: number; done: boolean }
  | { kind: "stopped"; step: number; message: string }
  | { kind: "notice"; line: string }
  | { kind: "race"; rows: readonly RaceRow[]; done: boolean }
  | { kind: "check" } & Checked
  | { kind: "parity"; rows: readonly ParityRow[] };

/** Messages to the worker. */
export interface Question {
  readonly id: number;
  readonly call: keyof Calls;
  readonly values: readonly unknown[];
}

/** Messages from the worker. */
export type Answer = { id: number; value?: unknown; error?: string } | { report: Report };
