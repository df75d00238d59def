/**
 * The contract between the training method and the machine that evaluates it.
 *
 * An engine holds the network's parameters, the training samples and the optimiser's state, and
 * knows one way to a gradient on one backend. Everything above it (training, gradient check)
 * works on this interface and knows neither WebGPU nor float64 arrays' owners.
 */

import type { Estimator } from "./core/estimator.ts";
import { type Piece, piecesOf, type Slice } from "./core/slices.ts";
import type { Network } from "./core/network.ts";
import type { Surrogate } from "./core/surrogate.ts";
import type { Optimizer, OptimizerState } from "./core/optimizers.ts";
import { densityOf, type Samples } from "./data/samples.ts";

/** The ways to a gradient. Only the first two are numerical; backprop is there to compare with. */
export const METHODS = ["differences", "copies", "backprop"] as const;
export type Method = (typeof METHODS)[number];

/** What an engine is built for. */
export interface EngineOptions {
  readonly network: Network;
  readonly method: Method;
  readonly estimator: Estimator;
  readonly optimizer: Optimizer;
  /** The samples that batches index into. */
  readonly samples: Samples;
  /** Samples in a batch. */
  readonly batch: number;
  /** Seeds the random directions of `spsa`. */
  readonly seed: number;
  /**
   * Whether copies share what they have exactly in common (see core/plan.ts); default true. Without
   * it each goes through all later layers by itself, which is slow, and there to compare with.
   */
  readonly sharing?: boolean;
  /** What backprop takes for the derivative of units with steps; default that, 0. */
  readonly surrogate?: Surrogate;
  /**
   * Whether `slice` is going to be called: work is then cut where pieces end, which shows in no bit.
   * Default false.
   */
  readonly sliced?: boolean;
}

/**
 * The pieces that an engine's gradient is made of.
 * @throws {TypeError} where it is not made of any: whole copies and backpropagation are there to
 *   compare with.
 */
export function piecesFor(
  { network, method, estimator, batch, samples, sharing = true }: EngineOptions,
): Piece[] {
  if (method !== "differences") {
    throw new TypeError(
      `Cannot share out the gradient of --engine ${method}: only that of differences is made in ` +
        `pieces; leave --engine out`,
    );
  }
  return piecesOf(network, { estimator, batch, sharing, ...densityOf(samples) });
}

/** A gradient of the mean loss over a batch. */
export interface Gradient {
  readonly loss: number;
  readonly gradient: Float64Array; // [parameters], or [elements] where some are asked for
}

/** How a network does on a set of samples. */
export interface Evaluation {
  /**
   * Share of samples whose largest logit is their label's; where they have targets, the share of these
   * targets' variance that is explained.
   */
  readonly accuracy: number;
  /** Mean loss. */
  readonly loss: number;
  /** Predicted class of each sample. */
  readonly predictions: Uint16Array; // [samples]
  /** Loss of each sample. */
  readonly losses: Float64Array; // [samples]
}

/** What an engine's calls throw when the device behind it is gone, and its weights with it. */
export class EngineLost extends Error {
  /** @param reason what is known of it, for people. */
  constructor(readonly reason: string) {
    super(`Cannot go on: the GPU device was lost (${reason})`);
  }
}

/**
 * A network in training on one backend. Dispose of it when done. Calls are taken in the order in
 * which they are made, also where one does not wait for the other; all of them may throw
 * `EngineLost`.
 */
export interface Engine extends Disposable {
  readonly backend: "cpu" | "webgpu";
  /** Whether it computes without graphics hardware. */
  readonly software: boolean;
  /** What computes, for people: an adapter's name, or the CPU. */
  readonly adapter: string;
  /**
   * Puts parameters in place, and the optimiser where it was left, or back to its start.
   * @throws {RangeError} naming the first that is no finite number to the engine.
   */
  setParameters(parameters: Float64Array, state?: OptimizerState): void; // [parameters]
  /** Reads the parameters back. */
  parameters(): Promise<Float64Array>; // [parameters]
  /** Reads the optimiser's state back. */
  optimizerState(): Promise<OptimizerState>;
  /**
   * The gradient at the present parameters, over one batch of sample indices. Updates nothing.
   * @param indices of samples, [batch].
   * @param elements of the gradient that are asked for, by their index in the parameter vector, in
   *   any order; default all. What they cost is in proportion to how many they are, and the bits of
   *   one do not depend on which others are asked for.
   * @throws {RangeError} naming the first element that the gradient does not have.
   */
  gradient(indices: Uint32Array, elements?: Uint32Array): Promise<Gradient>;
  /**
   * Takes one step for each row of `indices`: gradient, then update.
   * @returns the mean loss over each step's batch, before its update.
   * @throws {RangeError} naming the step and the loss or the weight that is the first to be no
   *   finite number.
   */
  train(indices: Uint32Array, rates: Float64Array): Promise<Float64Array>; // [steps, batch], [steps]
  /**
   * Runs other samples through the network.
   * @throws {RangeError} naming the first of their values that is no finite number to the engine.
   */
  evaluate(samples: Samples): Promise<Evaluation>;
  /** What the last layer makes of other samples, before any softmax. */
  logits(samples: Samples): Promise<Float64Array>; // [samples, classes]
}

/** An engine whose gradient may be evaluated in pieces, anywhere. */
export interface SlicedEngine extends Engine {
  /**
   * Some pieces of the gradient at the present parameters: those of `piecesOf` in core/slices.ts from
   * `first` up to `end`, none of them for the loss alone. They cost what they take, and a forward pass
   * where the last call was over another batch or other parameters. Updates nothing. Their bits are
   * those that `train` makes of them.
   * @throws {RangeError} when the gradient does not have these pieces, or is not made of any.
   */
  slice(indices: Uint32Array, first: number, end: number): Promise<Slice>;
  /**
   * Takes the step that `train` takes behind its gradient, with one whose pieces were evaluated anywhere.
   * @param all of them: what `slice` gives for all pieces at these parameters.
   * @returns the parameters behind it.
   * @throws {RangeError} naming the step and the loss or the weight that is no finite number.
   */
  update(all: Slice, rate: number): Promise<Float64Array>; // [parameters]
}
