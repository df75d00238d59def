/** The measurements that run wherever there is WebGPU, in Deno and in a browser. */

import type { Measurement } from "./measurement.ts";
import { compile } from "./compile.ts";
import { convolution } from "./convolution.ts";
import { copies } from "./copies.ts";
import { general } from "./general.ts";
import { growth } from "./growth.ts";
import { backprop, step } from "./training.ts";

export const MEASUREMENTS: readonly Measurement[] = [
  step,
  backprop,
  copies,
  general,
  growth,
  convolution,
  compile,
];
