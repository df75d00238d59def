/**
 * The engine of a run that is shared out: an engine of its own, which holds weights and optimiser, and
 * workers that evaluate pieces of its gradients. The training loop knows no difference, and neither do
 * the bits: a step is the pieces that `SlicedEngine.slice` makes, whoever makes them, and `SlicedEngine.update`.
 *
 * Where no worker is there, or none would help, steps are the engine's own.
 */

import type { OptimizerState } from "../core/optimizers.ts";
import { type Piece, sizeOf } from "../core/slices.ts";
import type { DataSet, Samples } from "../data/samples.ts";
import {
  type Engine,
  type EngineOptions,
  type Evaluation,
  type Gradient,
  piecesFor,
  type SlicedEngine,
} from "../engine.ts";
import { sumOf } from "./digest.ts";
import { forecast, type StepCosts, stepTime, type Wire, worthwhile } from "./forecast.ts";
import {
  type Answer,
  type DataDescription,
  type Hello,
  NoAnswer,
  readAnswer,
  readHello,
  type Run,
  textOfNetwork,
  toBytes,
  toJson,
  VERSION,
  type Welcome,
  writeJob,
} from "./messages.ts";
import { type Assignment, Scheduler } from "./scheduler.ts";
import { fingerprintOf } from "./digest.ts";
import { answersOf, Board, HELLO, type NatsConnection } from "./server.ts";
import { CHECKED, differs, isFinite, lossDiffers } from "./trust.ts";

/** How a run is shared out. */
export interface SharingOptions {
  readonly connection: NatsConnection;
  /** What workers are told of the data. */
  readonly data: DataDescription;
  /** Whether the coordinator computes slices, too; default true. */
  readonly own?: boolean;
  /** Ends waiting for workers when it aborts: the step under way is then computed here. */
  readonly signal?: AbortSignal;
  /** Is given a line for people when something happens. */
  readonly tell: (line: string) => void;
}

/** The coordinator's own engine among workers; no worker can be called so. */
const OWN = "*own";
/** A worker that was not heard of for so long is gone. */
const GONE_MILLISECONDS = 8000;
/** The least and the longest time until a step is looked at again, where nothing happens. */
const LEAST_WAIT = 10, MOST_WAIT = 500;
/** Milliseconds that a job and an answer wait until they are read, beside a computation. */
const TAKING_UP = 4;
/** So many answers running may come too late; one that is always late answers something else. */
const MOST_LATE = 10;
/** Jobs without an answer that are remembered of a worker. */
const MOST_OPEN = 1000;
/** Milliseconds for which an own measurement is repeated. */
const MEASURED = 150;

/** A worker that takes part. */
interface Worker {
  readonly name: string;
  readonly adapter: string;
  heard: number;
  /** Whether its first slice was evaluated again, and was right. */
  isTrusted: boolean;
  /** Jobs that it was given and has not answered: step, task and attempt. */
  readonly open: Set<string>;
  /** Answers running that came when nobody wanted them any more. */
  late: number;
}

/** A step under way. */
interface Step {
  readonly number: number;
  readonly indices: Uint32Array;
  readonly values: Float64Array; // of all pieces
  loss: number | undefined;
  /** Evaluations of the coordinator's that are under way: slices of its own, and checks. */
  pending: number;
  /** Why one of these failed. */
  failure: Error | undefined;
  readonly weights: { readonly sum: string; readonly parts: number };
}

/** An engine whose gradients are shared out. */
export class SharedEngine implements Engine {
  readonly backend: Engine["backend"];
  readonly software: boolean;
  readonly #engine: SlicedEngine;
  readonly #options: EngineOptions;
  readonly #sharing: SharingOptions;
  readonly #board: Board;
  readonly #run: Run;
  readonly #fingerprint: string;
  readonly #pieces: readonly Piece[];
  /** Where each piece's values start among all. */
  readonly #places: Uint32Array; // [pieces + 1]
  readonly #workers = new Map<string, Worker>();
  readonly #refused = new Map<string, string>(); // names, and why
  readonly #costs: StepCosts;
  readonly #wire: Wire;
  #scheduler: Scheduler;
  #isOwn: boolean;
  /** Whether sharing out is faster than a step here; undefined until it is worked out again. */
  #helps: boolean | undefined;
  #step: Step | undefined;
  /** The parameters as they were last read, where nothing changed them since. */
  #parameters: Float64Array | undefined;
  #steps = 0;
  /** Why a step failed; those behind it are not begun. */
  #failure: Error | undefined;
  #hasHappened = false;
  #end: () => void = () => {};
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  #isSet = true; // whether stream and bucket are there
  #kept = ""; // the sum of the weights that are there

  /**
   * Opens a run to workers.
   * @param engine that was opened with `sliced`; disposed of with this.
   * @param parameters that the costs are measured at.
   * @throws {TypeError} where it cannot be shared out, or the server serves another run already.
   */
  static async open(
    engine: SlicedEngine,
    options: EngineOptions,
    all: DataSet,
    parameters: Float64Array,
    sharing: SharingOptions,
  ): Promise<SharedEngine> {
    const pieces = piecesFor(options);
    const run: Run = {
      version: VERSION,
      id: crypto.randomUUID(),
      network: textOfNetwork(options.network),
      inputs: options.network.inputs,
      inputShape: options.network.inputShape,
      classes: options.network.classes,
      loss: options.network.loss,
      epsilon: options.network.epsilon,
      estimator: options.estimator,
      batch: options.batch,
      seed: options.seed,
      sharing: options.sharing ?? true,
      data: sharing.data,
      bytes: engine.backend === "cpu" ? 8 : 4,
    };
    const { connection } = sharing;
    const other = await connection.request(HELLO, toJson({ probe: true }), { timeout: 1000 })
      .catch(() => undefined); // nobody is there
    if (other) {
      throw new TypeError(
        `Cannot share a run out over ${connection.getServer()}: it serves another run; end that one, ` +
          `or take another server`,
      );
    }
    const board = new Board(connection);
    try {
      await board.set();
    } catch (error) {
      throw new TypeError(
        `Cannot use ${connection.getServer()}: it keeps no streams (${
          (error as Error).message
        }); ` +
          `its configuration needs jetstream, and this user the right to use it`,
      );
    }
    const fingerprint = await fingerprintOf(all);
    engine.setParameters(parameters);
    const wire = await measureWire(connection, board, toBytes(parameters, run.bytes));
    const measured = await measure(engine, options, pieces, run.bytes);
    // A job, a slice, and on both sides the time to take them up.
    const costs = { ...measured, handing: measured.handing + 2 * wire.latency + TAKING_UP };
    const made = { board, run, fingerprint, pieces, costs, wire };
    return new SharedEngine(engine, options, sharing, made);
  }

  private constructor(
    engine: SlicedEngine,
    options: EngineOptions,
    sharing: SharingOptions,
    { board, run, fingerprint, pieces, costs, wire }: {
      board: Board;
      run: Run;
      fingerprint: string;
      pieces: readonly Piece[];
      costs: StepCosts;
      wire: Wire;
    },
  ) {
    this.backend = engine.backend;
    this.software = engine.software;
    this.#engine = engine;
    this.#options = options;
    this.#sharing = sharing;
    this.#board = board;
    this.#run = run;
    this.#fingerprint = fingerprint;
    this.#pieces = pieces;
    this.#costs = costs;
    this.#wire = wire;
    this.#places = new Uint32Array(pieces.length + 1);
    pieces.forEach(({ size }, i) => this.#places[i + 1] = this.#places[i] + size);
    this.#isOwn = sharing.own ?? true;
    this.#scheduler = this.#newScheduler();
    sharing.signal?.addEventListener("abort", () => {
      this.#computeHere(); // nobody may be there to end the step
      this.#wake();
    });
    void this.#listen();
    void this.#watch();
  }

  /** What workers have to answer in one message. */
  get #most(): number {
    const room = this.#sharing.connection.info?.max_payload ?? 2 ** 20;
    return Math.floor((room - 2 ** 12) / this.#run.bytes);
  }

  #newScheduler(): Scheduler {
    const scheduler = new Scheduler(this.#costs, this.#most);
    if (this.#isOwn) scheduler.join(OWN, performance.now());
    return scheduler;
  }

  get adapter(): string {
    return this.#engine.adapter;
  }

  /** Lines for people: what a step costs here, and what sharing it out is worth. */
  get worth(): string[] {
    return worthLines(this.#costs, this.#wire, this.#isOwn);
  }

  setParameters(parameters: Float64Array, state?: OptimizerState): void {
    this.#failure = undefined;
    this.#parameters = undefined;
    this.#steps = state?.steps ?? 0;
    this.#engine.setParameters(parameters, state);
  }

  parameters(): Promise<Float64Array> {
    return this.#inTurn(() => this.#engine.parameters());
  }

  optimizerState(): Promise<OptimizerState> {
    return this.#inTurn(() => this.#engine.optimizerState());
  }

  gradient(indices: Uint32Array, elements?: Uint32Array): Promise<Gradient> {
    return this.#inTurn(() => this.#engine.gradient(indices, elements));
  }

  evaluate(samples: Samples): Promise<Evaluation> {
    return this.#inTurn(() => this.#engine.evaluate(samples));
  }

  logits(samples: Samples): Promise<Float64Array> {
    return this.#inTurn(() => this.#engine.logits(samples));
  }

  train(indices: Uint32Array, rates: Float64Array): Promise<Float64Array> {
    const { batch } = this.#options, [rows, table] = [indices.slice(), rates.slice()];
    return this.#inTurn(async () => {
      if (this.#failure) throw this.#failure; // no workers are bothered with what comes behind
      const losses = new Float64Array(table.length);
      for (let step = 0; step < table.length; step++) {
        if (!this.#isWorthIt()) {
          const rest = table.subarray(step);
          losses.set(await this.#engine.train(rows.subarray(step * batch), rest), step);
          this.#parameters = undefined;
          this.#steps += rest.length;
          break;
        }
        const batchRows = rows.slice(step * batch, (step + 1) * batch);
        try {
          losses[step] = await this.#take(batchRows, table[step]);
        } catch (error) {
          this.#failure = error as Error;
          throw error;
        }
      }
      return losses;
    });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {}); // its caller hears of it
    return result;
  }

  /** Whether to hand anything out. */
  #isWorthIt(): boolean {
    if (this.#workers.size === 0) return !this.#isOwn;
    if (!this.#isOwn) return true;
    // A newcomer's speed is not known before it was tried.
    if ([...this.#workers.values()].some(({ isTrusted }) => !isTrusted)) return true;
    return this.#helps ??= this.#expected < this.#costs.alone;
  }

  /** Milliseconds that a step should take with those who are there, by their speeds so far. */
  get #expected(): number {
    const speeds = [...this.#scheduler.speeds].filter(([name]) => name !== OWN);
    return stepTime(this.#costs, speeds.map(([, speed]) => speed), this.#wire, this.#isOwn);
  }

  /** One step, shared out. */
  async #take(indices: Uint32Array, rate: number): Promise<number> {
    this.#parameters ??= await this.#engine.parameters();
    const step: Step = this.#step = {
      number: this.#steps,
      indices,
      values: new Float64Array(this.#places[this.#pieces.length]),
      loss: undefined,
      pending: 0,
      failure: undefined,
      weights: await this.#weightsOf(this.#parameters),
    };
    await this.#publish(this.#parameters, step.weights);
    this.#scheduler.begin(performance.now());
    let wantsLoss = true;
    for (;;) {
      if (step.failure) throw step.failure;
      const isDone = this.#scheduler.isDone;
      if (isDone && step.pending === 0 && step.loss !== undefined) break;
      if (!isDone) {
        if (!this.#isSet) await this.#setAgain();
        this.#dismissGone();
        for (const assignment of this.#scheduler.next(performance.now())) {
          if (assignment.worker === OWN) {
            wantsLoss = false;
            this.#evaluate(step, assignment.first, assignment.end, ({ loss, values }) => {
              step.loss = loss;
              if (this.#scheduler.answered(OWN, assignment.task, performance.now())) {
                step.values.set(values, this.#places[assignment.first]);
              }
            });
          } else void this.#send(step, assignment);
        }
      }
      if (wantsLoss) { // the forward pass is its own, whoever makes the pieces
        wantsLoss = false;
        this.#evaluate(step, 0, 0, ({ loss }) => step.loss = loss);
      } else if (isDone && step.pending === 0 && step.loss === undefined) wantsLoss = true;
      const wait = this.#scheduler.alarm - performance.now();
      await this.#sleep(Math.min(MOST_WAIT, Math.max(LEAST_WAIT, wait)));
    }
    this.#step = undefined;
    this.#parameters = undefined;
    this.#parameters = await this.#engine.update({ loss: step.loss, values: step.values }, rate);
    this.#steps++;
    return step.loss;
  }

  /** Waits until something happens, or has happened since it last waited, or for so long. */
  async #sleep(milliseconds: number): Promise<void> {
    if (!this.#hasHappened) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        this.#end = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#hasHappened = false;
  }

  /** Something has happened that a step may wait for. */
  #wake(): void {
    this.#hasHappened = true;
    this.#end();
  }

  /** Evaluates pieces here, for this step. */
  #evaluate(
    step: Step,
    first: number,
    end: number,
    then: (slice: { loss: number; values: Float64Array }) => void,
  ): void {
    step.pending++;
    this.#engine.slice(step.indices, first, end).then(then)
      .catch((error) => step.failure ??= error)
      .finally(() => {
        step.pending--;
        this.#wake();
      });
  }

  async #weightsOf(parameters: Float64Array): Promise<Step["weights"]> {
    const bytes = toBytes(parameters, this.#run.bytes);
    return { sum: await sumOf(bytes), parts: Math.ceil(bytes.length / this.#partSize) };
  }

  get #partSize(): number {
    return this.#run.bytes * this.#most;
  }

  /** Puts the weights where workers find them; where that fails the server is gone, and comes back. */
  async #publish(parameters: Float64Array, { sum, parts }: Step["weights"]): Promise<void> {
    if (this.#kept === sum || !this.#isSet) return;
    try {
      const bytes = toBytes(parameters, this.#run.bytes), size = this.#partSize;
      for (let part = 0; part < parts; part++) {
        await this.#board.keep(`${sum}.${part}`, bytes.subarray(part * size, (part + 1) * size));
      }
      this.#kept = sum;
      // A slow worker may still want those before.
      this.#board.forget(2 * parts).catch(() => {});
    } catch {
      this.#isSet = false;
    }
  }

  async #send(step: Step, { worker: name, task, attempt, first, end }: Assignment): Promise<void> {
    const worker = this.#workers.get(name);
    const { sum: weights, parts } = step.weights;
    if (!worker) return;
    if (worker.open.size >= MOST_OPEN) worker.open.delete(worker.open.values().next().value!);
    worker.open.add(`${step.number}.${task}.${attempt}`);
    try {
      if (!this.#isSet) throw new Error("the server was restarted");
      await this.#board.post(
        name,
        writeJob({
          ...{ run: this.#run.id, step: step.number, task, attempt, first, end },
          ...{ weights, parts, indices: step.indices },
        }),
      );
    } catch {
      this.#isSet = false;
      if (this.#step === step) this.#scheduler.failed(name, task);
      this.#wake();
    }
  }

  /** Makes stream, bucket and places again, behind a restart of the server. */
  async #setAgain(): Promise<void> {
    if (this.#sharing.connection.isClosed()) return;
    try {
      await this.#board.set();
      for (const name of this.#workers.keys()) await this.#board.seat(name);
    } catch {
      return; // it is not back yet
    }
    this.#isSet = true;
    this.#kept = "";
    if (this.#step && this.#parameters) await this.#publish(this.#parameters, this.#step.weights);
  }

  /** Hears workers out. */
  async #listen(): Promise<void> {
    const { connection } = this.#sharing;
    connection.subscribe(answersOf("*"), {
      callback: (error, message) => {
        if (error || this.#isClosed) return;
        this.#hear(message.subject.split(".").at(-1)!, message.data);
      },
    });
    for await (const message of connection.subscribe(HELLO)) {
      const hello = readHello(message.data);
      // Whoever asks whether there is a run here is told that there is.
      const welcome = hello ? await this.#welcome(hello) : { run: this.#run, accepted: false };
      if (message.reply) message.respond(toJson(welcome));
    }
  }

  /** Notices that the server was gone. */
  async #watch(): Promise<void> {
    for await (const { type } of this.#sharing.connection.status()) {
      if (type === "disconnect") this.#isSet = false;
      if (type === "disconnect" || type === "reconnect") this.#wake();
    }
  }

  async #welcome(hello: Hello): Promise<Welcome> {
    const { worker: name, adapter } = hello, run = this.#run, now = performance.now();
    const refused = this.#refused.get(name);
    if (refused !== undefined) return { run, accepted: false, refused };
    if (hello.leaves) {
      this.#dismiss(name, "leaves");
      return { run, accepted: false };
    }
    if (hello.run !== run.id || hello.fingerprint === undefined) return { run, accepted: false };
    if (hello.fingerprint !== this.#fingerprint) {
      return { run, accepted: false, refused: "its data are others than those of this run" };
    }
    const known = this.#workers.get(name);
    if (known) {
      known.heard = now;
      if (hello.idle) this.#scheduler.join(name, now);
    } else {
      try {
        await this.#board.seat(name);
      } catch {
        this.#isSet = false;
        return { run, accepted: false }; // it asks again
      }
      this.#workers.set(name, {
        name,
        adapter,
        heard: now,
        isTrusted: false,
        open: new Set(),
        late: 0,
      });
      this.#scheduler.join(name, now);
      this.#sharing.tell(`Worker ${name} joins (${adapter}); ${this.#crowd()}`);
    }
    this.#wake();
    return { run, accepted: true };
  }

  /** How many there are, and what a step is expected to take with them, by their speeds so far. */
  #crowd(): string {
    const { size } = this.#workers;
    const time = this.#expected;
    this.#helps = undefined;
    return (size === 1 ? "there is 1 worker now" : `there are ${size} workers now`) +
      (time === Infinity ? "" : `, a step should take ${ms(time)}`);
  }

  #dismissGone(): void {
    const now = performance.now();
    for (const { name, heard } of this.#workers.values()) {
      if (now - heard > GONE_MILLISECONDS) this.#dismiss(name, "is gone");
    }
  }

  #dismiss(name: string, how: string): void {
    if (!this.#workers.delete(name)) return;
    this.#scheduler.leave(name);
    this.#helps = undefined;
    void this.#board.unseat(name).catch(() => {});
    this.#sharing.tell(`Worker ${name} ${how}; ${this.#crowd()}`);
    this.#wake();
  }

  /** Lets a worker that was wrong take no further part; what it answered in this step is done again. */
  #shutOut(worker: Worker, reason: string): void {
    if (!this.#workers.delete(worker.name)) return;
    this.#refused.set(worker.name, reason);
    const redone = this.#scheduler.expel(worker.name).length;
    void this.#board.unseat(worker.name).catch(() => {});
    this.#sharing.tell(
      `Worker ${worker.name} (${worker.adapter}) is shut out at step ${
        this.#steps + 1
      }: ${reason}` +
        (redone > 0 ? `; ${redone} of its slices are evaluated again` : ""),
    );
    this.#wake();
  }

  #hear(name: string, data: Uint8Array): void {
    const worker = this.#workers.get(name), step = this.#step;
    if (!worker) return; // it was shut out, or is not in yet
    worker.heard = performance.now();
    let answer: Answer;
    try {
      answer = readAnswer(data, this.#run, ({ step: number, task, attempt }) => {
        if (number !== step?.number) return undefined;
        if (!worker.open.has(`${number}.${task}.${attempt}`)) return undefined;
        const { first, end } = this.#scheduler.rangeOf(task);
        return this.#places[end] - this.#places[first];
      });
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      if (!this.#isLate(worker, data)) this.#shutOut(worker, error.message);
      return;
    }
    const { task, attempt } = answer;
    worker.late = 0;
    worker.open.delete(`${answer.step}.${task}.${attempt}`);
    this.#judge(step!, worker, answer);
  }

  /** Whether an answer is to a job of an earlier step, which nobody wants any more. */
  #isLate(worker: Worker, data: Uint8Array): boolean {
    let isLate = false;
    try {
      readAnswer(data, this.#run, ({ step, task, attempt }) => {
        isLate = step !== this.#step?.number && worker.open.delete(`${step}.${task}.${attempt}`);
        return undefined;
      });
    } catch { /* it is not read any further */ }
    if (!isLate) return false;
    this.#scheduler.join(worker.name, performance.now());
    return ++worker.late <= MOST_LATE;
  }

  /** Takes an answer of this step, or has it evaluated again first. */
  #judge(step: Step, worker: Worker, answer: Answer): void {
    const { task, loss, values } = answer;
    const { first, end } = this.#scheduler.rangeOf(task);
    if (!this.#scheduler.answered(worker.name, task, performance.now())) return this.#wake();
    step.values.set(values, this.#places[first]);
    const all = !worker.isTrusted || !isFinite(answer);
    const some = Math.random() < CHECKED * (end - first)
      ? first + Math.floor(Math.random() * (end - first))
      : undefined;
    if (!all && some === undefined) return this.#wake();
    const [from, to] = all ? [first, end] : [some!, some! + 1];
    this.#evaluate(step, from, to, (reference) => {
      if (!this.#workers.has(worker.name)) return;
      const start = this.#places[from] - this.#places[first];
      const own = values.subarray(start, start + this.#places[to] - this.#places[from]);
      let wrong = lossDiffers(loss, reference.loss)
        ? `its loss is ${loss} instead of ${reference.loss}`
        : undefined;
      for (let piece = from; piece < to && !wrong; piece++) {
        const at = this.#places[piece] - this.#places[from], size = this.#pieces[piece].size;
        wrong = differs(own.subarray(at, at + size), reference.values.subarray(at, at + size));
      }
      if (wrong) this.#shutOut(worker, wrong);
      else {
        worker.isTrusted = true;
        this.#helps = undefined; // its speed is known now
      }
    });
    this.#wake();
  }

  /** From now on the coordinator computes, too. */
  #computeHere(): void {
    if (this.#isOwn) return;
    this.#isOwn = true;
    this.#scheduler.join(OWN, performance.now());
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#engine[Symbol.dispose]();
    void this.#sharing.connection.close();
  }
}

/** What pieces cost on an engine, by some slices of each layer, each measured a few times. */
async function measure(
  engine: SlicedEngine,
  { network, batch, samples }: EngineOptions,
  pieces: readonly Piece[],
  bytes: 4 | 8,
): Promise<StepCosts> {
  const rows = [0, 1].map((shift) =>
    Uint32Array.from({ length: batch }, (_, n) => (2 * n + shift) % samples.count)
  );
  const timed = async (work: () => Promise<unknown>) => {
    const at = performance.now();
    await work();
    return performance.now() - at;
  };
  let turn = 0;
  const least = async (work: () => Promise<unknown>) => {
    let best = Infinity;
    for (const end = performance.now() + MEASURED;; turn++) {
      best = Math.min(best, await timed(work));
      if (performance.now() > end) return best;
    }
  };
  await engine.slice(rows[0], 0, pieces.length); // kernels are compiled, lists are long enough
  const forward = await least(() => engine.slice(rows[turn % 2], 0, 0));
  await engine.slice(rows[0], 0, 0);
  const handing = await least(() => engine.slice(rows[0], 0, 0));
  const starts = pieces.flatMap(({ layer }, i) => layer === pieces[i - 1]?.layer ? [] : [i]);
  const costs = new Float64Array(pieces.length);
  for (const [i, first] of starts.entries()) {
    const end = starts[i + 1] ?? pieces.length;
    const all = await least(() => engine.slice(rows[0], first, end));
    const work = pieces.slice(first, end).reduce((sum, piece) => sum + piece.work, 0);
    const cost = Math.max(0.01, all - handing);
    for (let piece = first; piece < end; piece++) costs[piece] = cost * pieces[piece].work / work;
  }
  const parameters = await engine.parameters(), state = await engine.optimizerState();
  const steps = costs.reduce((sum, cost) => sum + cost, forward) < 50 ? 16 : 2;
  const batches = Uint32Array.from({ length: steps * batch }, (_, i) => rows[i % 2][i % batch]);
  const alone = await least(() => engine.train(batches, new Float64Array(steps))) / steps;
  const whole = { loss: 0, values: new Float64Array(sizeOf(pieces)) };
  const update = await timed(() => engine.update(whole, 0)) +
    await timed(() => sumOf(toBytes(parameters, bytes)));
  engine.setParameters(parameters, state);
  return {
    alone,
    pieces: costs,
    sizes: Uint32Array.from(pieces, ({ size }) => size),
    starts,
    start: Math.max(0, forward - handing),
    handing,
    update,
    bytes,
    weights: bytes * network.parameters,
  };
}

/** How fast the wire to the server is, by weights that are sent there. */
async function measureWire(
  connection: NatsConnection,
  board: Board,
  bytes: Uint8Array,
): Promise<Wire> {
  const there = Math.min(await connection.rtt(), await connection.rtt());
  const sample = bytes.subarray(0, 2 ** 20), at = performance.now();
  await board.keep("sample", sample);
  const milliseconds = Math.max(0.1, performance.now() - at - there);
  return { latency: there / 2, rate: sample.length / milliseconds, isShared: false };
}

const ms = (value: number) => value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;

/** What a step costs, and what sharing it out is worth, for people. */
export function worthLines(costs: StepCosts, wire: Wire, own: boolean): string[] {
  const { alone, rows, best } = forecast(costs, wire, own);
  const pieces = costs.pieces.reduce((sum, cost) => sum + cost, 0);
  const shown = rows.filter(({ workers }) => workers <= Math.max(2, best.workers))
    .map(({ workers, speedup }) => `${workers}: ${speedup.toFixed(1)}`);
  const lines = [
    `A step takes ${ms(alone)} here alone: ${
      ms(pieces)
    } for ${costs.pieces.length} pieces, which ` +
    `machines share; ${ms(costs.start)} for the forward pass, which each makes; ${
      ms(costs.update)
    } for the update. Handing a slice out takes ${ms(costs.handing)}.`,
  ];
  if (best.speedup < 1.2) {
    const needed = worthwhile(costs, wire);
    lines.push(
      `More machines do not help: with ${best.workers} more like this one a step takes ` +
        `${ms(best.time)}. ` +
        (needed === Infinity ? "" : `From about ${ms(needed)} a step on they do.`),
    );
  } else {
    lines.push(
      `Times faster with so many more machines like this one: ${shown.join(", ")}. More than ` +
        `${best.workers} do not help.`,
    );
  }
  return lines;
}
