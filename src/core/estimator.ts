/**
 * How a gradient is estimated from evaluations of the loss.
 *
 * A stencil nudges one weight at a time to a few points around its value and combines the changes
 * of the loss there. Random directions nudge all weights at once, as SPSA does.
 */

import { activationOf, losses, type LossName, structures } from "../operations/registry.ts";
import { layersBehind, type Network, type Node, sizeOfShape, weightedLayers } from "./network.ts";

/** Estimators by name; `--estimator` spells them so. */
export const ESTIMATORS = ["forward", "central", "five-point", "smoothed", "spsa"] as const;
export type EstimatorName = (typeof ESTIMATORS)[number];

/** Kernels that `smoothed` smooths with, by name; `--kernel` spells them so. */
export const SMOOTHING_KERNELS = ["triangle", "exponential", "logistic"] as const;
export type SmoothingKernel = (typeof SMOOTHING_KERNELS)[number];

/** The most points of a smoothed difference on either side. */
export const MOST_POINTS = 60;

/** One evaluation in a stencil: the loss at w + offset h, with its weight in the sum. */
export interface StencilPoint {
  readonly offset: number;
  readonly coefficient: number;
}

/**
 * The derivative by f(w + offset h) - f(w), summed with the coefficients and divided by h
 * (Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids", 1988).
 * f(w) itself needs no copy: its change is 0. Points are evenly spaced: ahead, behind, and so on
 * outward; the first says how far apart.
 */
export const STENCILS: Record<
  Exclude<EstimatorName, "smoothed" | "spsa">,
  readonly StencilPoint[]
> = {
  "forward": [{ offset: 1, coefficient: 1 }],
  "central": [{ offset: 1, coefficient: 1 / 2 }, { offset: -1, coefficient: -1 / 2 }],
  "five-point": [
    { offset: 1, coefficient: 2 / 3 },
    { offset: -1, coefficient: -2 / 3 },
    { offset: 2, coefficient: -1 / 12 },
    { offset: -2, coefficient: 1 / 12 },
  ],
};

/**
 * Of a kernel G of the scale 1: -G'(x) for x > 0, up to a factor, and how far the points go: where G
 * has fallen to a hundredth of G(0), or all the way where it ends.
 */
const KERNELS: Record<SmoothingKernel, { falls(x: number): number; reach: number }> = {
  triangle: { falls: () => 1, reach: 1 },
  exponential: { falls: (x) => Math.exp(-x), reach: Math.log(100) },
  logistic: { falls: (x) => Math.tanh(x / 2) / Math.cosh(x / 2) ** 2, reach: 2 * Math.acosh(10) },
};

/**
 * The derivative of the loss smoothed along one weight: of its convolution with a kernel G, an even
 * density,
 *   (f * G)'(w) = integral over x > 0 of -G'(x) (f(w + x) - f(w - x)),
 * as a sum over evenly spaced x, made exact where f is linear (Katkovnik and Kulchytsky, "Convergence
 * of a class of random search algorithms", 1972, who draw the x: smoothed functionals). Where f jumps
 * at w + t, the jump counts about G(t): units far from their threshold are seen, too, the less the
 * farther, where a central difference sees all up to h alike and none beyond.
 */
function smoothedStencil(kernel: SmoothingKernel, points: number): readonly StencilPoint[] {
  const { falls, reach } = KERNELS[kernel];
  const places = Array.from({ length: points }, (_, k) => (k + 1) * reach / points);
  const whole = places.reduce((sum, x) => sum + 2 * x * falls(x), 0);
  return places.flatMap((x) => [
    { offset: x, coefficient: falls(x) / whole },
    { offset: -x, coefficient: -falls(x) / whole },
  ]);
}

/** A choice of estimator with its settings. */
export interface Estimator {
  readonly name: EstimatorName;
  /** The step h of the difference; the scale of the kernel where it is smoothed. */
  readonly h: number;
  /** Random directions a step, for `spsa`; 0 for stencils. */
  readonly queries: number;
  /** Of `smoothed`: what it smooths with, and its points on either side. */
  readonly smoothing?: { readonly kernel: SmoothingKernel; readonly points: number };
}

/**
 * Checks and completes a choice of estimator.
 * @param smoothing default a logistic kernel, and 16 points on either side.
 * @throws {RangeError} when h is no number that can be divided by, queries no positive whole number, or
 *   points none up to `MOST_POINTS`.
 */
export function createEstimator(
  name: EstimatorName,
  h: number,
  queries = 1,
  { kernel = "logistic", points = 16 }: Partial<NonNullable<Estimator["smoothing"]>> = {},
): Estimator {
  // Where h is subnormal it has lost digits, and 1 / h is infinite; stencils go to 2h and beyond.
  if (!(h >= 2 ** -1022 && h <= 2 ** 1022)) {
    throw new RangeError(
      `Cannot take differences with h = ${h}: h must be a positive number from 2.3e-308 to 4.4e307`,
    );
  }
  if (!Number.isInteger(queries) || queries < 1) {
    throw new RangeError(`Cannot use ${queries} queries: give a whole number from 1`);
  }
  if (!Number.isInteger(points) || points < 1 || points > MOST_POINTS) {
    throw new RangeError(
      `Cannot take ${points} points on either side: give a whole number from 1 to ${MOST_POINTS}`,
    );
  }
  const smoothing = name === "smoothed" ? { smoothing: { kernel, points } } : {};
  return { name, h, queries: name === "spsa" ? queries : 0, ...smoothing };
}

/** The points that nudge one weight, or two for a random direction (w + h d and w - h d). */
export function stencilOf({ name, smoothing }: Estimator): readonly StencilPoint[] {
  if (name !== "smoothed") return STENCILS[name === "spsa" ? "central" : name];
  const { kernel, points } = smoothing!;
  return smoothedStencil(kernel, points);
}

/**
 * Refuses an h that float32 cannot compute with. Its smallest normal number is 2^-126, below which
 * devices may take 0: as a change of the loss this is a gradient of 2^-26 for the smallest h that is
 * taken. Of the largest, the coefficients over h and the batch are such numbers still.
 * @throws {RangeError} with the least and the largest that go.
 */
export function checkFloat32(estimator: Estimator, batch: number): void {
  const coefficients = stencilOf(estimator).map(({ coefficient }) => Math.abs(coefficient));
  const farthest = Math.max(...stencilOf(estimator).map(({ offset }) => Math.abs(offset)));
  const least = 2 ** -100;
  const largest = Math.min(Math.min(...coefficients) / batch * 2 ** 126, 2 ** 127 / farthest);
  const { h } = estimator;
  if (h >= least && h <= largest) return;
  throw new RangeError(
    `Cannot take differences with h = ${h} on WebGPU: float32 has room for an h from ` +
      `${least.toPrecision(2)} to ${
        largest.toPrecision(2)
      }; give one within, or use --backend cpu, ` +
      `which computes in float64`,
  );
}

/** Losses over the batch that one gradient takes, when every nudged copy is counted as one. */
export function lossEvaluations(estimator: Estimator, network: Network): number {
  if (estimator.name === "spsa") return stencilOf(estimator).length * estimator.queries;
  return weightedLayers(network.layers).reduce((sum, layer) => {
    const at = estimatorAt(estimator, network, network.layers.indexOf(layer));
    const weights = layer.tensors.reduce((sum, { shape }) => sum + sizeOfShape(shape), 0);
    return sum + stencilOf(at).length * weights;
  }, 0);
}

/** Whether some of the operations have steps, which only a nudge that is long enough takes. */
export const hasSteps = (nodes: readonly Pick<Node, "operation">[]): boolean =>
  nodes.some(({ operation }) => !(operation in structures) && activationOf(operation).states);

/** Points with the h that they are multiples of. */
export interface Stencil {
  readonly points: readonly StencilPoint[];
  readonly h: number;
}

/** What the weights of each layer are nudged by. */
export const stencilsOf = (estimator: Estimator, network: Network): Stencil[] =>
  network.layers.map((_, l) => {
    const at = estimatorAt(estimator, network, l);
    return { points: stencilOf(at), h: at.h };
  });

/**
 * How the weights of layer `l` are nudged. Smoothing is for what jumps: where nothing at or behind
 * them does, there is nothing to smooth, and what would come of it is a blurred gradient. There it is
 * a central difference, with the h that a network without steps has.
 */
export function estimatorAt(estimator: Estimator, { layers, loss }: Network, l: number): Estimator {
  if (estimator.name !== "smoothed" || !losses[loss].isSmooth) return estimator;
  const moved = [l, ...layersBehind(layers, l)].map((m) => layers[m]);
  if (moved.some(({ activation }) => activationOf(activation).states)) return estimator;
  return createEstimator("central", smoothStep(moved.some(({ kind }) => kind === "maxpool")));
}

/**
 * The learning rate where none is given: the tutorial's 0.1, and for plain steps along the gradient of
 * units with steps, whose differences over a large h are small, 0.5.
 */
export const rateFor = (nodes: readonly Pick<Node, "operation">[], optimizer: string): number =>
  optimizer === "sgd" && hasSteps(nodes) ? 0.5 : 0.1;

/**
 * The step h that a network needs where none is given: the tutorial's 1e-4; 1 where units or the loss
 * have steps, which a short nudge does not reach; and less where neighbours compete to be a max
 * pool's largest, which a longer nudge of a filter decides anew in many places.
 */
export function stepFor(
  nodes: readonly Pick<Node, "operation">[],
  loss: LossName = "cross-entropy",
): number {
  if (hasSteps(nodes) || !losses[loss].isSmooth) return 1;
  return smoothStep(nodes.some(({ operation }) => operation === "maxpool"));
}

/** The h where nothing has steps. */
const smoothStep = (hasMaxPool: boolean) => hasMaxPool ? 1e-6 : 1e-4;
