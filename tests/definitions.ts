/** Activations as textbooks have them, in arithmetic of 90 digits: what all others are measured by. */

import { Decimal } from "decimal.js";
import type { activations } from "../src/operations/registry.ts";

// Values of e^-100, moved by 1e-20, have 44 + 20 digits in front of the first that counts.
export const Exact = Decimal.clone({ precision: 90, minE: -9e15, maxE: 9e15 });
export type Exact = Decimal;

/** The binary number itself, of which a decimal library would take the shortest decimal near it. */
export function exact(value: number): Exact {
  const exponent = value === 0 ? 0 : Math.floor(Math.log2(Math.abs(value))) - 52;
  const half = Math.trunc(exponent / 2); // neither factor is beyond float64
  return new Exact(value / 2 ** half / 2 ** (exponent - half)).mul(Exact.pow(2, exponent));
}

const ZERO = exact(0), ONE = exact(1);

/** e^x; beyond 2,000 it is nothing that a float64 holds. */
const exp = (x: Exact) => x.lt(-2000) ? ZERO : x.exp();
const logistic = (x: Exact) => x.lt(0) ? exp(x).div(exp(x).plus(1)) : ONE.div(exp(x.neg()).plus(1));
const clamp = (x: Exact, low: number, high: number) => Exact.min(Exact.max(x, low), high);

/** 2u of the gelu's tanh form; beyond 30 its sigmoid is what it is at 30. */
const geluArgument = (z: Exact) => {
  const near = clamp(z, -30, 30);
  const scale = exact(2).mul(exact(2).div(Exact.acos(-1)).sqrt());
  return scale.mul(near.plus(near.pow(3).mul("0.044715")));
};

/** Known values of `normal`, which takes some milliseconds. */
const normals = new Map<string, Exact>();

/**
 * The normal distribution's function: up to 6 by its series, whose terms are all of one sign (an odd
 * function and a half), beyond by the continued fraction of its tail, from below (Abramowitz and Stegun,
 * "Handbook of Mathematical Functions", 1964, 26.2.11 and 26.2.14).
 */
function normal(z: Exact): Exact {
  const key = z.toString(), known = normals.get(key);
  if (known) return known;
  const x = z.abs(), half = exact(0.5);
  const density = exp(x.mul(x).neg().div(2)).div(exact(2).mul(Exact.acos(-1)).sqrt());
  let tail: Exact;
  if (x.lt(6)) {
    let term = x, sum = x;
    for (let n = 3; term.gt(sum.mul("1e-100")); n += 2) {
      term = term.mul(x).mul(x).div(n);
      sum = sum.plus(term);
    }
    tail = half.minus(density.mul(sum));
  } else {
    let rest = x;
    for (let n = x.lt(40) ? 400 : 60; n > 0; n--) rest = x.plus(exact(n).div(rest));
    tail = density.div(rest);
  }
  const value = z.lt(0) ? tail : ONE.minus(tail);
  normals.set(key, value);
  return value;
}

/** Of families, one with other numbers than the usual ones: float32 holds them all. */
export const RELATIVES = [
  "leaky-relu 0.25",
  "leaky-relu 1.5",
  "elu 1.5",
  "hard-sigmoid 0.25 0.625",
  "clip -1.25 2.5",
  "clip -1.25 inf",
  "clip -inf -0.5",
] as const;
type Relative = (typeof RELATIVES)[number];

/** The functions as textbooks have them. */
export const DEFINITIONS: Record<keyof typeof activations | Relative, (z: Exact) => Exact> = {
  identity: (z) => z,
  sigmoid: logistic,
  tanh: (z) => logistic(z.mul(2)).mul(2).minus(1),
  relu: (z) => Exact.max(z, 0),
  step: (z) => z.gt(0) ? ONE : ZERO,
  "leaky-relu": (z) => z.gt(0) ? z : z.mul("0.01"),
  elu: (z) => z.gt(0) ? z : exp(z).minus(1),
  softplus: (z) => Exact.max(z, 0).plus(exp(z.abs().neg()).plus(1).ln()),
  silu: (z) => z.mul(logistic(z)),
  gelu: (z) => z.mul(logistic(geluArgument(z))),
  "gelu exact": (z) => z.mul(normal(z)),
  "hard-sigmoid": (z) => clamp(z.div(6).plus("0.5"), 0, 1),
  clip: (z) => clamp(z, 0, 6),
  sign: (z) => exact(z.isZero() ? 0 : z.s),
  "leaky-relu 0.25": (z) => z.gt(0) ? z : z.mul("0.25"),
  "leaky-relu 1.5": (z) => z.gt(0) ? z : z.mul("1.5"),
  "elu 1.5": (z) => z.gt(0) ? z : exp(z).minus(1).mul("1.5"),
  "hard-sigmoid 0.25 0.625": (z) => clamp(z.mul("0.25").plus("0.625"), 0, 1),
  "clip -1.25 2.5": (z) => clamp(z, -1.25, 2.5),
  "clip -1.25 inf": (z) => Exact.max(z, -1.25),
  "clip -inf -0.5": (z) => Exact.min(z, -0.5),
  "round 4": (z) => Exact.max(clamp(z, 0, 1).mul(3).minus("0.5").ceil(), 0).div(3),
};
