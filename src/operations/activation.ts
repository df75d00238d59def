/**
 * What an activation is: its value, its exact finite change, its derivative, and what kernels and
 * plans may rely on. Its file has the same functions in WGSL beside it, in shaders/operations/.
 *
 * The change takes what the forward pass keeps of a unit: its value, its derivative, which several
 * exact changes have as a factor, and its input.
 */

import type { States } from "./states.ts";

/** One activation. */
export interface Activation {
  readonly name: string;
  /** Its name in ONNX files. */
  readonly onnx?: string;
  /** Numbers that its operator takes in ONNX files, as attributes or inputs. */
  readonly onnxNumbers?: Readonly<Record<string, number>>;
  /** The same functions as WGSL, for four units at a time. */
  readonly wgsl: string;
  /** a = f(z). */
  activate(z: number): number;
  /** c = f'(z). */
  derivative(z: number): number;
  /** f(z + dz) - f(z), exact for any finite dz: no limit, nothing dropped. */
  change(a: number, c: number, z: number, dz: number): number;
  /** No value is outside. */
  readonly range: readonly [number, number];
  /** No |f(z + dz) - f(z)| is more than this times |dz|; Infinity where it jumps. */
  readonly steepest: number;
  /** About how many multiply-adds an exact change takes. */
  readonly work: number;
  /**
   * Whether tiny_change in its WGSL is a series, slope dz (1 + curvature dz), of what tiny_unit gives.
   */
  readonly series?: boolean;
  /** Where it is continuous and made of straight pieces: the one that holds z. */
  readonly pieces?: {
    slope(z: number): number;
    bounds(z: number): readonly [number, number];
  };
  /** Its values, where they are but a few. */
  readonly states?: States;
}
