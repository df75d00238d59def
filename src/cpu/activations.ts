/**
 * Activations: value, derivative, exact finite change. Twin of shaders/activations/, whose functions
 * have the same names; the derivations stand here.
 */

import type { Layer } from "../core/network.ts";
import { expm1, logisticChange, rectifiedChange, sigmoid, tanh } from "./special.ts";

/** One activation. */
export interface ActivationFunction {
  /** a = f(z). */
  activate(z: number): number;
  /** f'(z). As a number it is part of some exact changes; as a slope, only backprop takes it. */
  derivative(z: number): number;
  /**
   * f(z + dz) - f(z), exact for any dz: no limit, nothing dropped, no near-equals subtracted.
   * @param a f(z)
   * @param c f'(z)
   */
  change(a: number, c: number, z: number, dz: number): number;
}

/** The activation functions by name. */
export const activationFunctions: Record<Layer["activation"], ActivationFunction> = {
  identity: {
    activate: (z) => z,
    derivative: () => 1,
    change: (_a, _c, _z, dz) => dz,
  },
  sigmoid: {
    activate: sigmoid,
    derivative: (z) => sigmoid(z) * sigmoid(-z),
    // s(z+dz) = s e^dz / (1 + s (e^dz - 1)), so the change is s (1-s) e / (1 + s e), e = expm1(dz).
    // Up to |dz| = 1 its denominator is 1/3 or more, and nothing cancels.
    change(s, c, z, dz) {
      if (!(Math.abs(dz) <= 1)) return logisticChange(z, z + dz, dz);
      const e = expm1(dz);
      return c * e / (1 + s * e);
    },
  },
  tanh: {
    activate: Math.tanh,
    derivative: (z) => 4 * sigmoid(2 * z) * sigmoid(-2 * z),
    // The addition theorem: tanh(z+dz) = (t + u) / (1 + t u), u = tanh(dz). Beyond, tanh(z) is
    // 2 sigmoid(2z) - 1.
    change(t, c, z, dz) {
      if (!(Math.abs(dz) <= 0.5)) return 2 * logisticChange(2 * z, 2 * (z + dz), 2 * dz);
      const u = tanh(dz);
      return c * u / (1 + t * u);
    },
  },
  relu: {
    activate: (z) => (z > 0 ? z : 0),
    derivative: (z) => (z > 0 ? 1 : 0),
    change: (_a, _c, z, dz) => rectifiedChange(z, dz),
  },
  step: {
    activate: (z) => (z > 0 ? 1 : 0),
    derivative: () => 0,
    change: (a, _c, z, dz) => (z + dz > 0 ? 1 : 0) - a,
  },
};
