/**
 * An engine that outlives its device. It keeps the last known-good weights and the calls made since.
 * Where the device is lost it opens an engine anew, puts these weights in place and makes the calls
 * again in their order: the same work on the same bits, if in smaller pieces. Whoever waits for an answer gets it
 * late, and nobody gets one twice.
 */

import { copyState, initOptimizer, type OptimizerState } from "../core/optimizers.ts";
import type { Slice } from "../core/slices.ts";
import type { Samples } from "../data/samples.ts";
import { EngineLost, type Evaluation, type Gradient, type SlicedEngine } from "../engine.ts";

/** Known-good weights are at most about so old: it costs two readbacks to have newer ones. */
const SNAPSHOT_MILLISECONDS = 1000;

/** Weights, and where the optimiser stands with them. */
interface Snapshot {
  readonly parameters: Float64Array; // [parameters]
  readonly state: OptimizerState;
}

/** A call that the present state of the device depends on, or that somebody waits for. */
interface Call {
  run(engine: SlicedEngine): Promise<unknown>;
  /** Whether it moves the weights, so that it is made again though it was answered. */
  readonly changes: boolean;
  /** What weights it leaves behind, where that is known: nothing before it matters then. */
  puts?: Snapshot;
  /** Whoever waits for the answer; undefined once it is there. */
  waiting?: { resolve(value: unknown): void; reject(error: unknown): void };
}

/** An `Engine` that is opened again where its device is lost. */
export class RecoveringEngine implements SlicedEngine {
  readonly backend: SlicedEngine["backend"];
  readonly software: boolean;
  readonly #open: (losses: number) => Promise<SlicedEngine>;
  /** Devices lost so far. */
  #losses = 0;
  readonly #tell: (line: string) => void;
  /** What computes now; undefined between a loss and the next engine. */
  #engine: SlicedEngine | undefined;
  #adapter: string;
  #calls: Call[] = [];
  #opening = false;
  /** Why the last engine was lost. */
  #reason = "";
  /** Whether anything was answered since an engine was last opened again. */
  #progress = true;
  #snapshotAt = performance.now(); // Infinity while one is under way
  #disposed = false;

  private constructor(
    engine: SlicedEngine,
    open: (losses: number) => Promise<SlicedEngine>,
    tell: (line: string) => void,
  ) {
    this.backend = engine.backend;
    this.software = engine.software;
    this.#adapter = engine.adapter;
    this.#engine = engine;
    this.#open = open;
    this.#tell = tell;
  }

  /**
   * Opens an engine that is opened again where its device is lost.
   * @param open opens an engine, the same each time; it is told how many were lost before, so that
   *   one may give the device less to do at a time.
   * @param tell is given one line for each time that this happens.
   */
  static async open(
    open: (losses: number) => Promise<SlicedEngine>,
    tell: (line: string) => void,
  ): Promise<RecoveringEngine> {
    return new RecoveringEngine(await open(0), open, tell);
  }

  get adapter(): string {
    return this.#adapter;
  }

  setParameters(parameters: Float64Array, state = initOptimizer(parameters.length)): void {
    const puts = { parameters: parameters.slice(), state: copyState(state) };
    const call: Call = { run: () => Promise.resolve(), changes: true, puts };
    if (this.#engine) this.#begin(call, this.#engine); // may refuse them
    this.#calls.push(call);
    this.#snapshotAt = performance.now();
    this.#forget();
  }

  /** Reads the parameters back: where the device was lost for good, the last known-good ones. */
  async parameters(): Promise<Float64Array> {
    const held = this.#held();
    return held ? held.parameters.slice() : await this.#call((engine) => engine.parameters());
  }

  /** Reads the optimiser's state back: where the device was lost for good, the last known-good. */
  async optimizerState(): Promise<OptimizerState> {
    const held = this.#held();
    return held ? copyState(held.state) : await this.#call((engine) => engine.optimizerState());
  }

  gradient(indices: Uint32Array, elements?: Uint32Array): Promise<Gradient> {
    return this.#call((engine) => engine.gradient(indices, elements));
  }

  train(indices: Uint32Array, rates: Float64Array): Promise<Float64Array> {
    const [batches, table] = [indices.slice(), rates.slice()]; // kept: the caller may change his
    const losses = this.#call((engine) => engine.train(batches, table), true);
    if (performance.now() - this.#snapshotAt > SNAPSHOT_MILLISECONDS) this.#takeSnapshot();
    return losses;
  }

  slice(indices: Uint32Array, first: number, end: number): Promise<Slice> {
    const batch = indices.slice();
    return this.#call((engine) => engine.slice(batch, first, end));
  }

  update(all: Slice, rate: number): Promise<Float64Array> {
    const parameters = this.#call((engine) => engine.update(all, rate), true);
    if (performance.now() - this.#snapshotAt > SNAPSHOT_MILLISECONDS) this.#takeSnapshot();
    return parameters;
  }

  evaluate(samples: Samples): Promise<Evaluation> {
    return this.#call((engine) => engine.evaluate(samples));
  }

  logits(samples: Samples): Promise<Float64Array> {
    return this.#call((engine) => engine.logits(samples));
  }

  /** Makes a call, and again behind a loss, until it is answered. */
  #call<T>(run: (engine: SlicedEngine) => Promise<T>, changes = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#add({
        run,
        changes,
        waiting: { resolve: resolve as (value: unknown) => void, reject },
      });
    });
  }

  #add(call: Call): void {
    this.#calls.push(call);
    if (this.#engine) this.#begin(call, this.#engine);
    else if (!this.#opening) this.#reopen();
  }

  /** Reads the weights back behind all that was begun; where they arrive, they are the last good. */
  #takeSnapshot(): void {
    this.#snapshotAt = Infinity;
    const next = () => this.#snapshotAt = performance.now();
    const call: Call = {
      run: (engine) => Promise.all([engine.parameters(), engine.optimizerState()]),
      changes: false,
      waiting: {
        resolve: (value) => {
          const [parameters, state] = value as [Float64Array, OptimizerState];
          call.puts = { parameters, state };
          next();
        },
        reject: next, // the next call says what is wrong
      },
    };
    this.#add(call);
  }

  #begin(call: Call, engine: SlicedEngine): void {
    if (call.puts) return engine.setParameters(call.puts.parameters, call.puts.state);
    call.run(engine).then(
      (value) => {
        if (engine !== this.#engine || !call.waiting) return;
        this.#progress = true;
        const { resolve } = call.waiting;
        call.waiting = undefined;
        resolve(value);
        this.#forget();
      },
      (error) => {
        if (engine !== this.#engine) return; // the call is made again, or was refused
        if (error instanceof EngineLost) {
          this.#engine = undefined;
          this.#reason = error.reason;
          engine[Symbol.dispose]();
          this.#reopen();
        } else {
          call.waiting?.reject(error);
          call.waiting = undefined;
          this.#forget();
        }
      },
    );
  }

  /** Drops answered calls that nothing depends on any more. */
  #forget(): void {
    const open = this.#calls.findIndex((call) => call.waiting);
    const last = open < 0 ? this.#calls.length : open;
    const start = this.#calls.findLastIndex((call, i) => call.puts && i <= last);
    this.#calls = this.#calls.slice(Math.max(0, start))
      .filter((call) => call.waiting || call.changes || call.puts);
  }

  /** Goes on with a new engine from the last known-good weights; the second time running, not. */
  async #reopen(): Promise<void> {
    const reason = this.#reason, twice = `${reason}, twice in a row`;
    if (!this.#progress) return this.#giveUp(twice);
    this.#opening = true;
    this.#progress = false;
    const before = this.#adapter;
    let engine;
    try {
      engine = await this.#open(++this.#losses);
    } catch (error) {
      this.#opening = false;
      const { message } = error as Error;
      return this.#giveUp(
        error instanceof EngineLost ? twice : `${reason}, and no other was had: ${message}`,
      );
    }
    this.#opening = false;
    if (this.#disposed) return engine[Symbol.dispose](); // while it was opened
    this.#engine = engine;
    this.#adapter = engine.adapter;
    const step = this.#calls[0]?.puts?.state.steps;
    this.#tell(
      `The GPU device was lost (${reason}) and opened again` +
        (step === undefined ? "" : `; the run goes on from step ${step}`) +
        (engine.adapter === before ? "" : `, on ${engine.adapter}, whose last digits may differ`),
    );
    for (const call of this.#calls) this.#begin(call, engine);
  }

  /** Refuses what is waited for, and keeps the last known-good weights for whoever asks again. */
  #giveUp(reason: string): void {
    this.#progress = true;
    this.#refuse(new EngineLost(reason));
    this.#calls = this.#calls.filter((call) => call.puts).slice(0, 1);
  }

  #refuse(error: Error): void {
    for (const call of this.#calls) {
      call.waiting?.reject(error);
      call.waiting = undefined;
    }
  }

  /** The last known-good weights, where no engine has any. */
  #held(): Snapshot | undefined {
    return this.#engine || this.#opening ? undefined : this.#calls[0]?.puts;
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    const engine = this.#engine;
    this.#engine = undefined;
    engine?.[Symbol.dispose]();
    this.#refuse(new Error("Cannot go on: the engine was closed"));
  }
}
