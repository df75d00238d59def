/**
 * Gaussian error linear unit as it is defined, z Phi(z), with the distribution function of the normal
 * distribution (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016). Its tanh form is gelu.ts.
 */

import wgsl from "../../shaders/operations/gelu-exact.wgsl" with { type: "text" };
import type { Activation } from "./activation.ts";

/** Beyond this nothing is left of a tail. */
const FAR = 40;

const PEAK = 1 / Math.sqrt(2 * Math.PI);

/** The density. */
const density = (x: number) => PEAK * Math.exp(-x * x / 2);

/**
 * Chebyshev coefficients of (x + CENTRE) exp(x^2 / 2) Phi(-x) over s = (x - CENTRE) / (x + CENTRE),
 * which goes from -1 to 1 as x does from 0 to infinity (the form is that of Shepherd and Laframboise,
 * "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity", 1981; the coefficients
 * are interpolated with 60 digits). What is left out is below 1e-17.
 */
const CENTRE = 4.5,
  SERIES = [
    1.02931894133898924,
    -0.850330183561476165,
    0.280536984594226784,
    -0.0732985784376699482,
    0.0145372599012066804,
    -0.00192687340511698684,
    0.0000831667891106176682,
    0.0000268805465853030618,
    -5.36232008570435485e-6,
    -9.730051419870386e-8,
    1.54093732281373704e-7,
    -8.05828803432582027e-9,
    -4.32945078844821698e-9,
    4.33900311472249418e-10,
    1.3796197617411139e-10,
    -1.72999417789397858e-11,
    -5.18915971868725079e-12,
    6.13932612090087351e-13,
    2.24447470907959187e-13,
    -1.82082096773070885e-14,
    -1.05078775490894912e-14,
    2.53894878945742027e-16,
    4.97830011215933396e-16,
    2.33802405630506186e-17,
  ];

/** Phi(-x) for x >= 0, to its last digits but for those of x^2 / 2. */
function tail(x: number): number {
  const near = Math.min(x, FAR), s = (near - CENTRE) / (near + CENTRE);
  let one = 0, two = 0;
  for (let k = SERIES.length - 1; k > 0; k--) [one, two] = [2 * s * one - two + SERIES[k], one];
  return Math.exp(-near * near / 2) * (s * one - two + SERIES[0]) / (near + CENTRE);
}

/** Phi(z). */
export const normal = (z: number): number => z < 0 ? tail(-z) : 1 - tail(z);

/** Nodes from 0 to 1 and weights of Gauss and Legendre's rule of eight points, of either side. */
const RULE = [
  [0.18343464249564980494, 0.36268378337836198297],
  [0.52553240991632898582, 0.31370664587788728734],
  [0.79666647741362673959, 0.22238103445337447054],
  [0.96028985649753623168, 0.10122853629037625915],
] as const;

/** Up to here, and as long as |m| d is no more, a change of Phi is the density's integral. */
const NEAR = 0.5;

/**
 * Phi(high) - Phi(low), d = high - low, which is given as it was before any rounding, as m, half way
 * between, is. Near by it is d density(m) times the mean of exp(-m d u - d^2 u^2 / 2) over u from -1/2
 * to 1/2: a sum of positive terms, by a rule that leaves out less than 1e-17. Farther off it is a
 * difference of tails of which neither is more than 0.7 of the other, or what both leave of 1, which is
 * a fifth at least.
 */
function rise(low: number, high: number, m: number, d: number): number {
  const p = m * d;
  if (d <= NEAR && Math.abs(p) <= NEAR) {
    const mean = RULE.reduce((sum, [node, weight]) => {
      const u = node / 2;
      return sum + weight * Math.cosh(p * u) * Math.exp(-d * d * u * u / 2);
    }, 0);
    return d * density(m) * mean;
  }
  if (low >= 0) return tail(low) - tail(high);
  if (high <= 0) return tail(-high) - tail(-low);
  return 1 - (tail(high) + tail(-low));
}

export const geluExact: Activation = {
  name: "gelu exact",
  onnx: "Gelu",
  wgsl,
  activate: (z) => z * normal(z),
  // Upwards, high Phi(high) - low Phi(low) = (high - low) Phi(low) + high (Phi(high) - Phi(low)).
  change(_a, _c, z, dz) {
    const after = z + dz, d = Math.abs(dz);
    const low = Math.min(z, after), high = Math.max(z, after);
    const up = d * normal(low) + high * rise(low, high, z + dz / 2, d);
    return dz < 0 ? -up : up;
  },
  derivative: (z) => normal(z) + z * density(Math.max(-FAR, Math.min(z, FAR))),
  range: [-0.17, Infinity], // the minimum is at -0.7518
  steepest: 1.129, // at the root of 2
  work: 110,
};
