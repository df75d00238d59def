/** What the page asks of its worker, what it answers, and what it reports by itself. */

import type { Comparison } from "../src/mod.ts";
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
  readonly image: readonly [number, number];
  readonly classes: number;
  readonly shape: string;
  readonly parameters: number;
  readonly evaluationsPerStep: number;
  readonly step: number;
}

/** The first layer's weights and their gradient, as images of the hidden units. */
export interface Look {
  readonly units: number;
  readonly image: readonly [number, number];
  readonly weights: Float32Array; // [units, pixels]
  readonly gradient: Float32Array; // [units, pixels]
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

/** The check of an adapter. */
export interface CheckResult {
  readonly adapter: string;
  readonly tensors: readonly (Comparison & { backpropRelativeError: number })[];
  readonly sweep: readonly { h: number; differences: number; copies: number }[];
}

/** The questions, with their answers. */
export interface Calls {
  /** Begins a run anew; data are downloaded from elsewhere only if the person asked for it. */
  reset(settings: Settings, download: boolean): Ready;
  /** Trains up to a step, or till `pause`. */
  run(steps: number): void;
  pause(): void;
  look(): Look;
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
  | { kind: "race"; rows: readonly RaceRow[]; done: boolean };

/** Messages to the worker. */
export interface Question {
  readonly id: number;
  readonly call: keyof Calls;
  readonly values: readonly unknown[];
}

/** Messages from the worker. */
export type Answer = { id: number; value?: unknown; error?: string } | { report: Report };
