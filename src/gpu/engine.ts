/**
 * The engine on WebGPU. Data, weights and optimiser state live on the device; a step is a fixed
 * list of dispatches, and many steps are one submission. Only losses come back, a group at a time.
 */

import { checkFit } from "../core/fit.ts";
import { checkElements } from "../core/network.ts";
import { checkSurrogate } from "../core/surrogate.ts";
import { checkParameters, checkSteps, withoutSubnormals } from "../core/finite.ts";
import { directionKey } from "../core/directions.ts";
import {
  BETA1,
  BETA2,
  copyState,
  DECAY,
  initOptimizer,
  MOMENTUM,
  type OptimizerState,
  TINY,
} from "../core/optimizers.ts";
import { checkSlice, type Piece, placesOf, type Slice } from "../core/slices.ts";
import { type Samples, scoreOf } from "../data/samples.ts";
import {
  type EngineOptions,
  type Evaluation,
  type Gradient,
  piecesFor,
  type SlicedEngine,
} from "../engine.ts";
import { type Command, Gpu, type OpenOptions } from "./device.ts";
import { backprop } from "./backprop.ts";
import { copies } from "./copies.ts";
import { differences, slicesOf } from "./differences.ts";
import { directions, gradientAlong } from "./directions.ts";
import { Forward } from "./forward.ts";
import { command } from "./kernel.ts";
import { elementsOf } from "./elements.ts";
import { Lists } from "./lists.ts";
import { dispatchesOf } from "./scope.ts";
import { createStage, type Parts, type Stage } from "./stage.ts";

export { Gpu };

/** The most steps in one submission; sizes the buffers of indices, rates and losses. */
export const MAX_GROUP = 1024;

/** Behind the losses, as long as there is nothing to note: see shaders/shared/notes.wgsl. */
const NOTHING = 0xffffffff;
const NOTHING_NOTED = Uint32Array.of(NOTHING, NOTHING, NOTHING);

/** Optimiser constants as the kernels spell them; rests are taken in float64. */
const OPTIMIZER_CONSTANTS = {
  MOMENTUM,
  DECAY,
  BETA1,
  BETA2,
  REST_OF_DECAY: 1 - DECAY,
  REST_OF_BETA1: 1 - BETA1,
  REST_OF_BETA2: 1 - BETA2,
  ROOT_GUARD: TINY,
};

/** The first step of a group that had more items in a list than there were passes for. */
function shortStep(losses: ArrayBuffer): number | undefined { // [MAX_GROUP], then notes
  const [, , short] = new Uint32Array(losses, 4 * MAX_GROUP);
  return short === NOTHING ? undefined : short;
}

/** A way through the network for samples that are not trained on. */
interface Prepared {
  readonly samples: Samples;
  readonly forward: Forward;
  readonly commands: readonly Command[];
  readonly scores: GPUBuffer;
}

/** The way to the gradient that the options ask for. */
function methodOf({ method, estimator }: EngineOptions): (stage: Stage) => Command[] {
  if (method === "backprop") return backprop;
  if (method === "copies") return copies;
  return estimator.name === "spsa" ? directions : differences;
}

/** An `Engine` on WebGPU. It owns the device that it is given. */
export class GpuEngine implements SlicedEngine {
  readonly backend = "webgpu";
  readonly adapter: string;
  readonly software: boolean;
  /** The device that it computes on. */
  readonly gpu: Gpu;
  readonly #options: EngineOptions;
  readonly #parameters: GPUBuffer; // [parameters]
  readonly #state: GPUBuffer; // [parameters] of two numbers
  readonly #gradient: GPUBuffer; // [slices, parameters]
  readonly #slices: number;
  readonly #keys: GPUBuffer; // [MAX_GROUP, queries]
  readonly #forward: Forward;
  readonly #rates: GPUBuffer; // [MAX_GROUP] of four numbers
  readonly #losses: GPUBuffer; // [MAX_GROUP], then the step and the weight that went bad, the short step
  readonly #lists: Lists;
  /** From a forward pass to the gradient, for as long lists as there were so far. */
  #method: { value: Command[]; release(): void };
  /** Behind it for a gradient, or for a step. */
  readonly #endOfGradient: Command[];
  readonly #endOfStep: Command[];
  /** The update alone, of slopes along directions, too. */
  readonly #updateAlone: Command[];
  readonly #check: Command;
  readonly #finish: Command;
  /** What gradients are made of. */
  readonly #parts: Parts;
  /** What slices are made of, once they are asked for. */
  #pieces: Piece[] | undefined;
  /** The batch that went through the network last, and what serves all its slices and was made. */
  #passed: { readonly indices: Uint32Array; readonly done: Set<Command> } | undefined;
  /** What other samples go through, the last ones. */
  #evaluation: { value: Prepared; release(): void } | undefined;
  #steps = 0; // taken so far
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Opens an engine on the default adapter; `undefined` where there is none.
   * @param tryOut throws where the device is not to be used.
   * @throws {RangeError} when the network, the batch or the data do not fit the device.
   * @throws {CompileError} when the device does not compile a kernel.
   */
  static async open(
    options: EngineOptions,
    how: OpenOptions = {},
    tryOut: (gpu: Gpu) => Promise<void> = () => Promise.resolve(),
  ): Promise<GpuEngine | undefined> {
    const gpu = await Gpu.open(how);
    if (!gpu) return undefined;
    try {
      await tryOut(gpu);
      const engine = new GpuEngine(gpu, options);
      await gpu.settle();
      return engine;
    } catch (error) {
      gpu[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * @throws {RangeError} when the network, the batch or the data do not fit the device's limits;
   *   what does not fit its memory is thrown by the next call.
   */
  constructor(gpu: Gpu, options: EngineOptions) {
    this.gpu = gpu;
    this.adapter = gpu.adapter;
    this.software = gpu.software;
    this.#options = options;
    const { network, optimizer, estimator, samples, batch, surrogate } = options;
    const { parameters } = network;
    checkSurrogate(network, options.method, surrogate);
    const method = methodOf(options);
    this.#lists = new Lists(gpu);
    this.#slices = [differences, backprop].includes(method) ? slicesOf(gpu, options) : 1;
    checkFit(
      network,
      ({ inputs, layers, parameters }) => ({
        "optimiser state": 8 * parameters,
        "gradient": 4 * parameters * this.#slices,
        "batch": 4 * batch * (Math.max(inputs, ...layers.map((layer) => layer.outputs)) + 1),
      }),
      gpu.largestBuffer,
      `the device (${gpu.adapter})`,
    );
    this.#parameters = gpu.buffer("parameters", 4 * parameters);
    this.#state = gpu.buffer("optimiser state", 8 * parameters);
    this.#rates = gpu.buffer("learning rates", 16 * MAX_GROUP);
    this.#losses = gpu.buffer("losses", 4 * (MAX_GROUP + NOTHING_NOTED.length));
    this.#forward = new Forward(
      gpu,
      network,
      this.#parameters,
      samples,
      batch,
      MAX_GROUP,
      surrogate,
    );
    this.#gradient = gpu.buffer("gradient", 4 * parameters * this.#slices);
    this.#keys = gpu.buffer("direction keys", 4 * estimator.queries * MAX_GROUP);

    const finish = this.#finish = command(gpu, "finish", [1], {
      losses: this.#forward.losses,
      mean_losses: this.#losses,
      step: this.#forward.step,
    }, { BATCH: batch });
    const width = Math.min(Math.ceil(parameters / 256), 32768);
    const update = command(
      gpu,
      "update",
      [width, Math.ceil(parameters / 256 / width)],
      {
        parameters: this.#parameters,
        gradient: this.#gradient,
        state: this.#state,
        rates: this.#rates,
        step: this.#forward.step,
        notes: this.#losses,
      },
      {
        ...OPTIMIZER_CONSTANTS,
        BAD: MAX_GROUP,
        PARAMETERS: parameters,
        SLICES: this.#slices,
        WEIGHT_DECAY: optimizer.weightDecay,
      },
      { optimizer: optimizer.name },
    );
    this.#check = command(gpu, "check", [width, Math.ceil(parameters / 256 / width)], {
      parameters: this.#parameters,
      step: this.#forward.step,
      notes: this.#losses,
    }, { BAD: MAX_GROUP, PARAMETERS: parameters });
    this.#parts = {
      gpu,
      options,
      forward: this.#forward,
      parameters: this.#parameters,
      gradient: this.#gradient,
      slices: this.#slices,
      keys: this.#keys,
      slopes: gpu.buffer("slopes", 4 * estimator.queries),
      lists: this.#lists,
      notes: { buffer: this.#losses, at: MAX_GROUP },
    };
    this.#method = this.#makeMethod();
    const total = command(
      gpu,
      "total",
      [width, Math.ceil(parameters / 256 / width)],
      { gradient: this.#gradient },
      { PARAMETERS: parameters, SLICES: this.#slices, WIDTH: width },
    );
    this.#endOfGradient = [...(this.#slices > 1 ? [total] : []), finish];
    this.#endOfStep = [update, finish];
    this.#updateAlone = estimator.name === "spsa"
      ? [gradientAlong(createStage(this.#parts), this.#parts.slopes), update]
      : [update];
  }

  #makeMethod() {
    return this.gpu.lease(() => methodOf(this.#options)(createStage(this.#parts)));
  }

  /** Does something once all that was begun before is done, where that may have to be done again. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (!this.#lists.mayFallShort) return work();
    const result = this.#last.then(work);
    this.#last = result.catch(() => {}); // its caller hears of it
    return result;
  }

  /** Makes room for lists as long as those that were counted. */
  async #makeRoom(counts: ArrayBuffer): Promise<void> {
    this.#lists.learn(new Uint32Array(counts));
    this.#method.release();
    this.#method = this.#makeMethod();
    await this.gpu.settle();
  }

  setParameters(parameters: Float64Array, state = initOptimizer(parameters.length)): void {
    checkParameters(this.#options.network, parameters, "float32");
    if (!this.#lists.mayFallShort) return this.#put(parameters, state);
    const [copy, copied] = [parameters.slice(), copyState(state)];
    void this.#inTurn(() => Promise.resolve(this.#put(copy, copied)));
  }

  #put(parameters: Float64Array, state: OptimizerState): void {
    this.#passed = undefined;
    const pairs = new Float32Array(2 * parameters.length);
    for (let i = 0; i < parameters.length; i++) {
      pairs[2 * i] = state.first[i];
      pairs[2 * i + 1] = state.second[i];
    }
    this.gpu.write(this.#parameters, Float32Array.from(parameters));
    this.gpu.write(this.#state, pairs);
    this.#steps = state.steps;
  }

  optimizerState(): Promise<OptimizerState> {
    return this.#inTurn(() => this.#optimizerState());
  }

  async #optimizerState(): Promise<OptimizerState> {
    const state = initOptimizer(this.#options.network.parameters);
    state.steps = this.#steps;
    const pairs = new Float32Array(await this.gpu.read(this.#state));
    for (let i = 0; i < state.first.length; i++) {
      state.first[i] = pairs[2 * i];
      state.second[i] = pairs[2 * i + 1];
    }
    return state;
  }

  parameters(): Promise<Float64Array> {
    return this.#inTurn(() => this.#readParameters());
  }

  async #readParameters(): Promise<Float64Array> {
    const read = new Float32Array(await this.gpu.read(this.#parameters));
    return withoutSubnormals(Float64Array.from(read))
      .subarray(0, this.#options.network.parameters);
  }

  /** Announces the batches and the random directions of the next submission. */
  #begin(indices: Uint32Array, steps: number): void { // indices: [steps, batch]
    this.#passed = undefined;
    this.gpu.write(this.#losses, NOTHING_NOTED, 4 * MAX_GROUP);
    this.#forward.begin(indices);
    const { estimator: { queries }, seed } = this.#options;
    if (queries === 0) return;
    const keys = Uint32Array.from(
      { length: steps * queries },
      (_, i) => directionKey(seed, this.#steps + Math.floor(i / queries), i % queries),
    );
    this.gpu.write(this.#keys, keys);
  }

  /** Begins a gradient without running it: its dispatches, for who follows them one by one. */
  gradientCommands(indices: Uint32Array): readonly Command[] { // indices: [batch]
    this.#begin(indices, 1);
    return [...this.#forward.commands, ...this.#method.value, ...this.#endOfGradient];
  }

  async gradient(indices: Uint32Array, elements?: Uint32Array): Promise<Gradient> {
    const { network, method, estimator } = this.#options;
    checkElements(network, elements);
    if (elements && method !== "backprop" && estimator.name !== "spsa") {
      return await this.#inTurn(() => this.#elements(indices, elements));
    }
    const { losses, total } = await this.#inTurn(() => this.#wholeGradient(indices));
    const gradient = Float64Array.from(new Float32Array(total));
    return {
      loss: new Float32Array(losses)[0],
      // All along a random direction is one evaluation, and backpropagation one piece.
      gradient: elements ? Float64Array.from(elements, (element) => gradient[element]) : gradient,
    };
  }

  /** The mean loss and the gradient as they come from the device. */
  async #wholeGradient(
    indices: Uint32Array,
  ): Promise<{ losses: ArrayBuffer; total: ArrayBuffer }> {
    this.gpu.run(this.gradientCommands(indices));
    const [losses, total, counts] = await this.gpu.readAll([
      { buffer: this.#losses, bytes: this.#losses.size },
      { buffer: this.#gradient, bytes: 4 * this.#options.network.parameters },
      { buffer: this.#lists.counts, bytes: this.#lists.counts.size },
    ]);
    if (shortStep(losses) === undefined) return { losses, total };
    await this.#makeRoom(counts);
    return await this.#wholeGradient(indices);
  }

  /**
   * Begins a gradient of some elements without running it: its dispatches, where they leave what, and
   * what lets their buffers go.
   */
  elementCommands(indices: Uint32Array, elements: Uint32Array) { // indices: [batch]
    const { gpu } = this;
    const { value: { commands, parts }, release } = gpu.lease(() => {
      const stage = createStage(this.#parts);
      if (elements.length === 0) return { commands: [], parts: [] };
      if (this.#options.method !== "copies") return elementsOf(stage, elements);
      const sums = gpu.buffer("elements' sums", 4 * elements.length);
      const places = [...elements.keys()];
      return { commands: copies(stage, elements, sums), parts: [{ places, sums }] };
    });
    this.#begin(indices, 1);
    return { commands: [...this.#forward.commands, ...commands, this.#finish], parts, release };
  }

  /** Some elements of the gradient. */
  async #elements(indices: Uint32Array, elements: Uint32Array): Promise<Gradient> {
    const { gpu } = this, gradient = new Float64Array(elements.length);
    const { commands, parts, release } = this.elementCommands(indices, elements);
    try {
      gpu.run(commands);
      const [losses, ...sums] = await gpu.readAll([
        { buffer: this.#losses, bytes: 4 },
        ...parts.map(({ sums, places }) => ({ buffer: sums, bytes: 4 * places.length })),
      ]);
      parts.forEach(({ places }, i) => {
        const values = new Float32Array(sums[i]);
        places.forEach((place, at) => gradient[place] = values[at]);
      });
      return { loss: new Float32Array(losses)[0], gradient };
    } finally {
      release();
    }
  }

  slice(indices: Uint32Array, first: number, end: number): Promise<Slice> {
    const batch = indices.slice();
    return this.#inTurn(async () => {
      const pieces = this.#pieces ??= piecesFor(this.#options);
      checkSlice(pieces, first, end);
      return await this.#slice(batch, pieces.slice(first, end));
    });
  }

  async #slice(indices: Uint32Array, pieces: readonly Piece[]): Promise<Slice> {
    const { network, estimator } = this.#options, isRandom = estimator.name === "spsa";
    const isSame = this.#passed?.indices.every((index, n) => index === indices[n]);
    const passed = isSame ? this.#passed! : { indices, done: new Set<Command>() };
    this.#begin(indices, 1);
    const method = isRandom ? this.#method.value.slice(0, -1) : this.#method.value;
    this.gpu.run([
      ...(isSame ? [] : this.#forward.commands),
      ...dispatchesOf(method, pieces, passed.done),
      ...(isRandom ? [this.#finish] : this.#endOfGradient),
    ]);
    this.#passed = passed;
    const [losses, values, counts] = await this.gpu.readAll([
      { buffer: this.#losses, bytes: this.#losses.size },
      isRandom
        ? { buffer: this.#parts.slopes, bytes: 4 * estimator.queries }
        : { buffer: this.#gradient, bytes: pieces.length > 0 ? 4 * network.parameters : 0 },
      { buffer: this.#lists.counts, bytes: this.#lists.counts.size },
    ]);
    if (shortStep(losses) !== undefined) {
      await this.#makeRoom(counts);
      return await this.#slice(indices, pieces);
    }
    const all = new Float32Array(values);
    const places = isRandom
      ? Uint32Array.from(pieces, ({ first }) => first)
      : placesOf(network, pieces);
    return {
      loss: new Float32Array(losses)[0],
      values: Float64Array.from(places, (place) => all[place]),
    };
  }

  update({ loss, values }: Slice, rate: number): Promise<Float64Array> {
    return this.#inTurn(() => this.#update(loss, values, rate));
  }

  async #update(loss: number, values: Float64Array, rate: number): Promise<Float64Array> {
    const { network, estimator, batch } = this.#options, done = this.#steps;
    this.#announce(Float64Array.of(rate));
    this.#begin(new Uint32Array(batch), 1);
    this.#steps++;
    if (estimator.name === "spsa") this.gpu.write(this.#parts.slopes, Float32Array.from(values));
    else {
      // The update sums slices: all is in the first of them.
      const gradient = new Float32Array(network.parameters * this.#slices);
      const pieces = this.#pieces ??= piecesFor(this.#options);
      placesOf(network, pieces).forEach((element, i) => gradient[element] = values[i]);
      this.gpu.write(this.#gradient, gradient);
    }
    this.gpu.run([...this.#updateAlone, this.#finish, this.#check]);
    const [read, parameters] = await this.gpu.readAll([
      { buffer: this.#losses, bytes: this.#losses.size },
      { buffer: this.#parameters, bytes: 4 * network.parameters },
    ]);
    const [step, index] = new Uint32Array(read, 4 * MAX_GROUP);
    const bad = step === NOTHING ? undefined : { step: 0, index };
    checkSteps(network, done, Float64Array.of(loss), bad);
    return withoutSubnormals(Float64Array.from(new Float32Array(parameters)));
  }

  /** Begins steps without running them: the dispatches of each. */
  stepCommands(indices: Uint32Array, rates: Float64Array): readonly Command[] {
    if (rates.length > MAX_GROUP) {
      throw new RangeError(`Cannot take ${rates.length} steps at once: at most ${MAX_GROUP}`);
    }
    this.#announce(rates);
    this.#begin(indices, rates.length);
    this.#steps += rates.length;
    return [...this.#forward.commands, ...this.#method.value, ...this.#endOfStep];
  }

  /** Tells the updates of the next steps how far they go. */
  #announce(rates: Float64Array): void {
    const table = new Float32Array(4 * rates.length);
    rates.forEach((rate, i) => {
      const step = this.#steps + i + 1;
      table.set([rate, 1 / (1 - BETA1 ** step), 1 / (1 - BETA2 ** step), step], 4 * i);
    });
    this.gpu.write(this.#rates, table);
  }

  async train(indices: Uint32Array, rates: Float64Array): Promise<Float64Array> {
    return await this.#inTurn(() => this.#train(indices, rates));
  }

  async #train(indices: Uint32Array, rates: Float64Array): Promise<Float64Array> {
    const done = this.#steps, { network, batch } = this.#options;
    this.gpu.run(this.stepCommands(indices, rates), rates.length);
    this.gpu.run([this.#check]); // behind the last update
    const [read, counts] = await this.gpu.readAll([
      { buffer: this.#losses, bytes: this.#losses.size },
      { buffer: this.#lists.counts, bytes: this.#lists.counts.size },
    ]);
    const short = shortStep(read), taken = short ?? rates.length;
    const losses = Float64Array.from(new Float32Array(read, 0, taken));
    const [step, index] = new Uint32Array(read, 4 * MAX_GROUP);
    checkSteps(network, done, losses, step === NOTHING ? undefined : { step, index });
    if (short === undefined) return losses;
    // From that step on nothing was updated: the rest is taken again.
    this.#steps = done + short;
    await this.#makeRoom(counts);
    const rest = await this.#train(indices.subarray(short * batch), rates.subarray(short));
    return Float64Array.of(...losses, ...rest);
  }

  /** Begins an evaluation without running it: the dispatches of each batch. */
  evaluationCommands(samples: Samples): readonly Command[] {
    const { forward, commands } = this.#wayOf(samples);
    // The last batch is filled up with the last sample again.
    const indices = Uint32Array.from(
      { length: Math.ceil(samples.count / forward.batch) * forward.batch },
      (_, n) => Math.min(n, samples.count - 1),
    );
    forward.begin(indices);
    return commands;
  }

  evaluate(samples: Samples): Promise<Evaluation> {
    return this.#inTurn(() => this.#evaluate(samples));
  }

  async #evaluate(samples: Samples): Promise<Evaluation> {
    const { forward, scores } = this.#wayOf(samples);
    const batches = Math.ceil(samples.count / forward.batch);
    this.gpu.run(this.evaluationCommands(samples), batches);
    const table = new Float32Array(await this.gpu.read(scores, 8 * samples.count));
    const predictions = new Uint16Array(samples.count);
    const losses = new Float64Array(samples.count);
    let loss = 0;
    for (let n = 0; n < samples.count; n++) {
      losses[n] = table[2 * n];
      loss += losses[n];
      predictions[n] = table[2 * n + 1];
    }
    const accuracy = scoreOf(samples, predictions, losses);
    return { accuracy, loss: loss / samples.count, predictions, losses };
  }

  logits(samples: Samples): Promise<Float64Array> {
    return this.#inTurn(() => this.#logits(samples));
  }

  async #logits(samples: Samples): Promise<Float64Array> {
    const { forward } = this.#wayOf(samples);
    const { classes } = this.#options.network;
    const logits = new Float64Array(samples.count * classes);
    const starts = Array.from(
      { length: Math.ceil(samples.count / forward.batch) },
      (_, i) => i * forward.batch,
    );
    // All is submitted at once: later calls may change the weights, or the way.
    await Promise.all(starts.map(async (start) => {
      // The last batch is filled up with the last sample again.
      const indices = Uint32Array.from(
        { length: forward.batch },
        (_, n) => Math.min(start + n, samples.count - 1),
      );
      forward.begin(indices);
      this.gpu.run(forward.commands);
      const rows = new Float32Array(await this.gpu.read(forward.logits));
      for (let n = 0; n < Math.min(forward.batch, samples.count - start); n++) {
        const row = n * (classes + 1);
        logits.set(rows.subarray(row, row + classes), (start + n) * classes);
      }
    }));
    return logits;
  }

  /** Lets the way of other samples go. */
  forgetEvaluation(): void {
    this.#evaluation?.release();
    this.#evaluation = undefined;
  }

  /** The way of these samples; that of others goes. */
  #wayOf(samples: Samples): Prepared {
    if (this.#evaluation?.value.samples !== samples) {
      this.forgetEvaluation(); // also where these do not fit
      this.#evaluation = this.gpu.lease(() => this.#prepare(samples));
    }
    return this.#evaluation.value;
  }

  /** A forward pass of its own for samples that are not trained on. */
  #prepare(samples: Samples): Prepared {
    const { network } = this.#options;
    const batch = Math.min(samples.count, 250);
    const batches = Math.ceil(samples.count / batch);
    const forward = new Forward(this.gpu, network, this.#parameters, samples, batch, batches);
    const scores = this.gpu.buffer("scores", 8 * batches * batch);
    const constants = { CLASSES: network.classes, BATCH: batch };
    const score = command(this.gpu, "score", [Math.ceil(batch / 64)], {
      logits: forward.logits,
      losses: forward.losses,
      step: forward.step,
      scores,
    }, constants);
    const finish = command(this.gpu, "finish", [1], {
      losses: forward.losses,
      mean_losses: this.gpu.buffer("mean losses", 4 * batches),
      step: forward.step,
    }, constants);
    return { samples, forward, commands: [...forward.commands, score, finish], scores };
  }

  [Symbol.dispose](): void {
    this.gpu[Symbol.dispose]();
  }
}
