/**
 * An engine whose steps take long, asked for a gradient a piece at a time, so that a pause need not
 * wait for all of it, and a device has never more to do than that. The update is taken here, in
 * float64, by the optimiser's own formula.
 */

import { initOptimizer, type OptimizerState, updateParameters } from "../../src/core/optimizers.ts";
import { checkSteps } from "../../src/core/finite.ts";
import type { Engine, EngineOptions, Evaluation, Gradient, Samples } from "../../src/mod.ts";

/** About how long a piece may take. */
const PIECE_MILLISECONDS = 200;
/** Elements of a piece at first, and how it grows where a device is fast: each size is compiled anew. */
export const PIECE = 64;
const GROWTH = 4;

/** A step that was given up between two pieces. */
export class GivenUp extends Error {}

export class PiecewiseEngine implements Engine {
  readonly backend: Engine["backend"];
  readonly software: boolean;
  readonly #engine: Engine;
  readonly #options: EngineOptions;
  #parameters: Float64Array; // [parameters]
  #state: OptimizerState;
  #size = PIECE;
  /** Whether a piece of that size was taken before, so that nothing is compiled for it. */
  #isKnown = false;
  #signal: AbortSignal | undefined;

  /** @param engine that computes; it is this one's from now on. */
  constructor(engine: Engine, options: EngineOptions) {
    this.#engine = engine;
    this.#options = options;
    this.backend = engine.backend;
    this.software = engine.software;
    const { parameters } = options.network;
    this.#parameters = new Float64Array(parameters);
    this.#state = initOptimizer(parameters);
  }

  get adapter(): string {
    return this.#engine.adapter;
  }

  /** Gives up what is asked for from now on, once the signal says so. */
  giveUpOn(signal: AbortSignal): void {
    this.#signal = signal;
  }

  setParameters(
    parameters: Float64Array,
    state = initOptimizer(parameters.length),
  ): void {
    this.#engine.setParameters(parameters);
    this.#parameters = parameters.slice();
    this.#state = { ...state, first: state.first.slice(), second: state.second.slice() };
  }

  parameters(): Promise<Float64Array> {
    return Promise.resolve(this.#parameters.slice());
  }

  optimizerState(): Promise<OptimizerState> {
    const { first, second, steps } = this.#state;
    return Promise.resolve({ first: first.slice(), second: second.slice(), steps });
  }

  /**
   * The same as an engine's, piece by piece; no bit depends on how it is cut.
   * @throws {GivenUp} where the signal says so in between.
   */
  async gradient(indices: Uint32Array, elements?: Uint32Array): Promise<Gradient> {
    const asked = elements ??
      Uint32Array.from({ length: this.#options.network.parameters }, (_, i) => i);
    const gradient = new Float64Array(asked.length);
    const signal = this.#signal;
    let loss = NaN;
    for (let at = 0; at < asked.length;) {
      if (signal?.aborted) throw new GivenUp("a step was given up");
      const size = this.#size, count = Math.min(size, asked.length - at);
      // The last piece is filled up with its first element again.
      const piece = new Uint32Array(size).fill(asked[at]);
      piece.set(asked.subarray(at, at + count));
      const started = performance.now();
      const found = await this.#engine.gradient(indices, piece);
      gradient.set(found.gradient.subarray(0, count), at);
      loss = found.loss;
      at += count;
      const milliseconds = performance.now() - started;
      const grows = this.#isKnown && GROWTH * milliseconds < PIECE_MILLISECONDS;
      if (grows) this.#size *= GROWTH;
      this.#isKnown = !grows;
      await new Promise((resolve) => setTimeout(resolve)); // questions have their turn
    }
    return { loss, gradient };
  }

  async train(indices: Uint32Array, rates: Float64Array): Promise<Float64Array> {
    const { batch, optimizer, network } = this.#options, losses = new Float64Array(rates.length);
    for (const [step, rate] of rates.entries()) {
      const { steps } = this.#state;
      const rows = indices.subarray(step * batch, (step + 1) * batch);
      const { loss, gradient } = await this.gradient(rows);
      losses[step] = loss;
      checkSteps(network, steps, losses.subarray(step, step + 1));
      updateParameters(optimizer, this.#parameters, gradient, this.#state, rate);
      // Weights are float32 on a device: here they are the same numbers.
      if (this.backend === "webgpu") this.#parameters = this.#parameters.map(Math.fround);
      this.#engine.setParameters(this.#parameters);
    }
    return losses;
  }

  evaluate(samples: Samples): Promise<Evaluation> {
    return this.#engine.evaluate(samples);
  }

  logits(samples: Samples): Promise<Float64Array> {
    return this.#engine.logits(samples);
  }

  [Symbol.dispose](): void {
    this.#engine[Symbol.dispose]();
  }
}
