/**
 * Activations: value, exact finite change, derivative. Twin of shaders/activations/.
 *
 * The change takes the unit's value `a` and one companion `c` kept by the forward pass, so that no
 * evaluation of a nudged copy needs the input z again.
 */

import type { Layer } from "../core/network.ts";
import { expm1, sigmoid, tanh } from "./special.ts";

/** One activation. */
export interface ActivationFunction {
  /** a = f(z). */
  value(z: number): number;
  /** What `change` needs beside the value. */
  companion(z: number): number;
  /** f(z + dz) - f(z), exact for any finite dz: no derivative, no limit, nothing dropped. */
  change(a: number, c: number, dz: number): number;
  /** f'(z). Only the backprop engine, which exists for comparison, asks for it. */
  derivative(a: number, c: number): number;
}

/** The activation functions by name. */
export const activationFunctions: Record<Layer["activation"], ActivationFunction> = {
  identity: {
    value: (z) => z,
    companion: () => 0,
    change: (_a, _c, dz) => dz,
    derivative: () => 1,
  },
  sigmoid: {
    value: sigmoid,
    companion: (z) => sigmoid(z) * sigmoid(-z),
    // s(z+dz) = s e^dz / (1 + s (e^dz - 1)), so the change is s (1-s) e / (1 + s e), e = expm1(dz).
    change(s, c, dz) {
      const e = expm1(dz);
      return c * e / (1 + s * e);
    },
    derivative: (_s, c) => c,
  },
  tanh: {
    value: Math.tanh,
    companion: (z) => 4 * sigmoid(2 * z) * sigmoid(-2 * z),
    // The addition theorem: tanh(z+dz) = (t + u) / (1 + t u), u = tanh(dz).
    change(t, c, dz) {
      const u = tanh(dz);
      return c * u / (1 + t * u);
    },
    derivative: (_t, c) => c,
  },
  relu: {
    value: (z) => (z > 0 ? z : 0),
    companion: (z) => z,
    // By the signs before and after: max(z+dz, 0) - max(z, 0) would subtract near-equals.
    change: (_a, z, dz) => (z > 0 ? (z + dz > 0 ? dz : -z) : (z + dz > 0 ? z + dz : 0)),
    derivative: (_a, z) => (z > 0 ? 1 : 0),
  },
  step: {
    value: (z) => (z > 0 ? 1 : 0),
    companion: (z) => z,
    change: (a, z, dz) => (z + dz > 0 ? 1 : 0) - a,
    derivative: () => 0,
  },
};
