/** The engine in float64 on the CPU: the reference, and what trains where there is no GPU. */

import { checkFit } from "../core/fit.ts";
import { checkParameters, checkSteps, firstBad } from "../core/finite.ts";
import { directionKey } from "../core/directions.ts";
import { checkElements } from "../core/network.ts";
import {
  copyState,
  initOptimizer,
  type OptimizerState,
  updateParameters,
} from "../core/optimizers.ts";
import { checkSurrogate } from "../core/surrogate.ts";
import type { Way } from "../core/plan.ts";
import { checkSlice, type Piece, placesOf, type Slice } from "../core/slices.ts";
import { checkSamples, type Samples, scoreOf } from "../data/samples.ts";
import {
  type EngineOptions,
  type Evaluation,
  type Gradient,
  piecesFor,
  type SlicedEngine,
} from "../engine.ts";
import { forward, gather, mean } from "./forward.ts";
import { meanAlong } from "./directions.ts";
import { added, combine, type Problem } from "./gradient.ts";
import { Pool, threadsFor } from "./pool.ts";
import { planFor, workOf } from "./work.ts";

/** Samples that an evaluation runs through the network at a time, and values of a layer, at most. */
const EVALUATION_BATCH = 500, EVALUATION_VALUES = 2 ** 22;

/** The most bytes of one array; training takes up to five as long as the parameters. */
const LARGEST_ARRAY = 2 ** 30;

/** An `Engine` on the CPU, on as many threads as its work is worth. */
export class CpuEngine implements SlicedEngine {
  readonly backend = "cpu";
  readonly software = true;
  readonly adapter: string;
  readonly #options: EngineOptions;
  readonly #ways: Readonly<Record<number, Way>>;
  readonly #pool: Pool;
  readonly #parameters: Float64Array; // [parameters]
  #state: OptimizerState;
  /** What slices are made of, once they are asked for. */
  #pieces: Piece[] | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param threads that evaluate a gradient; its bits do not depend on them.
   * @throws {RangeError} when the network is too large to hold, or samples are no numbers.
   */
  constructor(options: EngineOptions, threads?: number) {
    checkFit(
      options.network,
      ({ parameters, layers }) => ({
        "parameter vector in float64": 8 * parameters,
        "values of a batch in float64": 8 * options.batch *
          Math.max(...layers.map(({ outputs }) => outputs + 1)),
      }),
      LARGEST_ARRAY,
      "the CPU engine",
    );
    checkSurrogate(options.network, options.method, options.surrogate);
    checkSamples(options.samples, options.network, "float64");
    this.#options = options;
    const plan = planFor(options);
    this.#ways = Object.fromEntries(plan.gradient.map(({ layer, way }) => [layer, way]));
    const count = threads ?? threadsFor(workOf(plan, options.method));
    this.#pool = new Pool(count);
    this.adapter = `CPU, float64, ${count} thread${count === 1 ? "" : "s"}`;
    this.#parameters = new Float64Array(options.network.parameters);
    this.#state = initOptimizer(options.network.parameters);
  }

  /** Does something once all that was begun before is done: calls take effect in their order. */
  #inTurn<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {}); // its caller hears of it
    return result;
  }

  setParameters(parameters: Float64Array, state = initOptimizer(parameters.length)): void {
    checkParameters(this.#options.network, parameters, "float64");
    const [copy, copied] = [parameters.slice(), copyState(state)];
    this.#inTurn(() => {
      this.#parameters.set(copy);
      this.#state = copied;
    });
  }

  parameters(): Promise<Float64Array> {
    return this.#inTurn(() => this.#parameters.slice());
  }

  optimizerState(): Promise<OptimizerState> {
    return this.#inTurn(() => copyState(this.#state));
  }

  async gradient(indices: Uint32Array, elements?: Uint32Array): Promise<Gradient> {
    checkElements(this.#options.network, elements);
    return await this.#inTurn(() => this.#gradient(indices, elements));
  }

  /** Of what the gradient over a batch is evaluated, or some elements of it, or some directions. */
  #problem(indices: Uint32Array, elements?: Uint32Array, queries?: Uint32Array): Problem {
    const { network, method, estimator, samples, seed, sharing = true } = this.#options;
    const directions = queries ?? Uint32Array.from({ length: estimator.queries }, (_, i) => i);
    return {
      network,
      method,
      surrogate: this.#options.surrogate,
      estimator,
      parameters: this.#parameters,
      batch: gather(samples, indices),
      ways: this.#ways,
      sharing,
      elements,
      keys: Array.from(directions, (query) => directionKey(seed, this.#state.steps, query)),
    };
  }

  async #gradient(indices: Uint32Array, elements?: Uint32Array): Promise<Gradient> {
    const problem = this.#problem(indices, elements);
    return combine(problem, await this.#pool.evaluate(problem));
  }

  slice(indices: Uint32Array, first: number, end: number): Promise<Slice> {
    const rows = indices.slice();
    return this.#inTurn(async () => {
      const all = this.#pieces ??= piecesFor(this.#options);
      checkSlice(all, first, end);
      const pieces = all.slice(first, end);
      if (this.#options.estimator.name === "spsa") {
        const queries = Uint32Array.from(pieces, ({ first }) => first);
        const problem = this.#problem(rows, undefined, queries);
        return added(await this.#pool.evaluate(problem));
      }
      const { loss, gradient } = await this.#gradient(
        rows,
        placesOf(this.#options.network, pieces),
      );
      return { loss, values: gradient };
    });
  }

  update({ loss, values }: Slice, rate: number): Promise<Float64Array> {
    return this.#inTurn(() => {
      this.#step(loss, this.#whole(values), rate);
      return this.#parameters.slice();
    });
  }

  /** The gradient that pieces put behind one another are. */
  #whole(values: Float64Array): Float64Array { // [parameters]
    const { network, estimator } = this.#options;
    if (estimator.name === "spsa") {
      return meanAlong(this.#problem(new Uint32Array()).keys, values, network.parameters);
    }
    const pieces = this.#pieces ??= piecesFor(this.#options);
    const gradient = new Float64Array(network.parameters);
    placesOf(network, pieces).forEach((place, i) => gradient[place] = values[i]);
    return gradient;
  }

  /** One step along a gradient. */
  #step(loss: number, gradient: Float64Array, rate: number): void {
    const { network, optimizer } = this.#options, done = this.#state.steps;
    updateParameters(optimizer, this.#parameters, gradient, this.#state, rate);
    const index = firstBad(this.#parameters, "float64");
    checkSteps(network, done, Float64Array.of(loss), index < 0 ? undefined : { step: 0, index });
  }

  train(indices: Uint32Array, rates: Float64Array): Promise<Float64Array> {
    const { batch } = this.#options;
    return this.#inTurn(async () => {
      const losses = new Float64Array(rates.length);
      for (let step = 0; step < rates.length; step++) {
        const rows = indices.subarray(step * batch, (step + 1) * batch);
        const { loss, gradient } = await this.#gradient(rows);
        losses[step] = loss;
        this.#step(loss, gradient, rates[step]);
      }
      // Promises alone would let no signal and no message in: on one thread a run had no end to it.
      await new Promise((resolve) => setTimeout(resolve));
      return losses;
    });
  }

  evaluate(samples: Samples): Promise<Evaluation> {
    return this.#inTurn(() => {
      const predictions = new Uint16Array(samples.count);
      const losses = new Float64Array(samples.count);
      for (const { n, logits, loss } of this.#scores(samples)) {
        predictions[n] = logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
        losses[n] = loss;
      }
      const accuracy = scoreOf(samples, predictions, losses);
      return { accuracy, loss: mean(losses), predictions, losses };
    });
  }

  logits(samples: Samples): Promise<Float64Array> {
    return this.#inTurn(() => {
      const { classes } = this.#options.network;
      const all = new Float64Array(samples.count * classes);
      for (const { n, logits } of this.#scores(samples)) all.set(logits, n * classes);
      return all;
    });
  }

  /** The forward pass of other samples, a block of them at a time. */
  *#scores(samples: Samples): Generator<{ n: number; logits: Float64Array; loss: number }> {
    const { network } = this.#options, { classes } = network;
    checkSamples(samples, network, "float64");
    const widest = Math.max(...network.layers.map(({ outputs }) => outputs));
    const most = Math.max(1, Math.min(EVALUATION_BATCH, Math.floor(EVALUATION_VALUES / widest)));
    for (let start = 0; start < samples.count; start += most) {
      const size = Math.min(most, samples.count - start);
      const indices = Uint32Array.from({ length: size }, (_, n) => start + n);
      const { values, losses } = forward(
        network,
        this.#parameters,
        gather(samples, indices),
      );
      const logits = values.at(-1)!; // [size, classes + 1]
      for (let n = 0; n < size; n++) {
        const row = n * (classes + 1);
        yield { n: start + n, logits: logits.subarray(row, row + classes), loss: losses[n] };
      }
    }
  }

  [Symbol.dispose](): void {
    this.#pool[Symbol.dispose]();
  }
}
