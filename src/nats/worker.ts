/**
 * A machine that is lent: it asks for the run, opens an engine for it on data that it has itself, and
 * evaluates the pieces that it is asked for until it is told to stop. Whatever goes away, the network, the
 * server, the coordinator, it waits for, and goes on. It runs nothing that it is sent.
 */

import { initOptimizer } from "../core/optimizers.ts";
import type { DataSet } from "../data/samples.ts";
import { withValidation } from "../data/samples.ts";
import { EngineLost, type EngineOptions, type SlicedEngine } from "../engine.ts";
import { fingerprintOf, sumOf } from "./digest.ts";
import {
  fromBytes,
  type Hello,
  type Job,
  networkOf,
  readJob,
  readWelcome,
  type Run,
  toJson,
  type Welcome,
  writeAnswer,
} from "./messages.ts";
import { answersOf, Desk, HELLO, type NatsConnection } from "./server.ts";

/** What has happened, for who shows it. */
export type LendingEvent =
  /** Nobody has a run, or the server is away. */
  | { readonly kind: "waiting" }
  | { readonly kind: "loading"; readonly run: Run }
  /** It takes part. */
  | { readonly kind: "ready"; readonly run: Run; readonly adapter: string }
  /** A slice was evaluated. */
  | {
    readonly kind: "slice";
    readonly step: number;
    readonly pieces: number;
    readonly values: number;
    readonly milliseconds: number;
  };

/** A machine to lend. */
export interface Lending {
  readonly connection: NatsConnection;
  /** What it is called; see `checkName`. */
  readonly name: string;
  /** Loads the data of a run: all of them, as they are before any are held out. */
  load(run: Run): Promise<DataSet>;
  /** Opens an engine. */
  open(options: EngineOptions): Promise<SlicedEngine>;
  /** Ends it when it aborts. */
  readonly signal: AbortSignal;
  /** Is told what happens. */
  tell(event: LendingEvent): void;
}

/** Why a worker takes no part, which waiting does not mend. */
export class Refused extends TypeError {}

/** Milliseconds between two words, until one is asked again, and of one wait for a job. */
const HEARTBEAT = 2000, ASKED_AGAIN = 300, WAITED = 2000;

/** What is open for a run. */
interface Desktop {
  readonly run: Run;
  readonly fingerprint: string;
  readonly engine: SlicedEngine;
  readonly samples: number;
  /** What the engine's weights are: their sum and step. */
  held: string;
}

/**
 * Lends this machine until the signal aborts.
 * @throws {Refused} where the coordinator does not want it, with the reason.
 * @throws {TypeError | RangeError} where its data cannot be loaded, or the network does not fit.
 */
export async function lend(lending: Lending): Promise<void> {
  const { connection, name, signal, tell } = lending;
  let desktop: Desktop | undefined, isWaiting = false;
  try {
    while (!signal.aborted) {
      const welcome = await ask(lending, desktop, true);
      if (!welcome || (welcome.run.id === desktop?.run.id && !welcome.accepted)) {
        if (welcome?.refused) throw refusal(welcome.refused);
        if (!isWaiting) tell({ kind: "waiting" });
        isWaiting = true;
        await pause(ASKED_AGAIN, signal);
        continue;
      }
      if (welcome.refused) throw refusal(welcome.refused);
      isWaiting = false;
      if (welcome.run.id !== desktop?.run.id) {
        desktop?.engine[Symbol.dispose]();
        desktop = undefined;
        tell({ kind: "loading", run: welcome.run });
        desktop = await furnish(lending, welcome.run);
        continue;
      }
      tell({ kind: "ready", run: desktop.run, adapter: desktop.engine.adapter });
      try {
        await serve(lending, desktop);
      } catch (error) {
        if (!(error instanceof EngineLost)) throw error;
        desktop.engine[Symbol.dispose]();
        desktop = undefined;
      }
    }
  } finally {
    if (!connection.isClosed()) {
      connection.publish(HELLO, toJson({ ...wordOf(name, desktop, true), leaves: true }));
      await Promise.race([connection.flush().catch(() => {}), pause(500)]);
    }
    desktop?.engine[Symbol.dispose]();
  }
}

const refusal = (reason: string) => new Refused(`Cannot take part in this run: ${reason}`);

/** Waits, and no longer than until the signal aborts. */
function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
  });
}

function wordOf(worker: string, desktop: Desktop | undefined, idle: boolean): Hello {
  const { run, fingerprint, engine } = desktop ?? {};
  return { worker, adapter: engine?.adapter ?? "", run: run?.id, fingerprint, idle };
}

/** Says a word to the coordinator; undefined where none answers. */
async function ask(
  { connection, name }: Lending,
  desktop: Desktop | undefined,
  idle: boolean,
): Promise<Welcome | undefined> {
  try {
    const word = toJson(wordOf(name, desktop, idle));
    return readWelcome((await connection.request(HELLO, word, { timeout: 3000 })).data);
  } catch {
    return undefined; // nobody is there, or the server is away
  }
}

/** Loads the data and opens an engine. */
async function furnish(lending: Lending, run: Run): Promise<Desktop> {
  const all = await lending.load(run);
  const network = networkOf(run);
  if (network.inputs !== all.inputs || network.classes !== all.classes) {
    throw refusal(
      `its network is for ${network.inputs} inputs and ${network.classes} classes, and the data here ` +
        `have ${all.inputs} and ${all.classes}`,
    );
  }
  const { validation } = run.data;
  const samples = (validation === undefined ? all : withValidation(all, validation)).train;
  const engine = await lending.open({
    network,
    method: "differences",
    estimator: run.estimator,
    optimizer: { name: "sgd", weightDecay: 0 },
    samples,
    batch: run.batch,
    seed: run.seed,
    sharing: run.sharing,
    sliced: true,
  });
  const fingerprint = await fingerprintOf(all);
  return { run, fingerprint, engine, samples: samples.count, held: "" };
}

/** Evaluates what it is asked for, until it is to stop or the run is another. */
async function serve(lending: Lending, desktop: Desktop): Promise<void> {
  const { connection, name, signal, tell } = lending, { run, engine } = desktop;
  const desk = new Desk(connection, name);
  let isOver = false, isIdle = true, refused: string | undefined;
  const word = async () => {
    const welcome = await ask(lending, desktop, isIdle);
    if (!welcome) return; // it may be back soon
    if (welcome.run.id === run.id && welcome.accepted) return;
    refused = welcome.refused;
    isOver = true;
  };
  const heart = setInterval(word, HEARTBEAT);
  /** What has come and is not begun: it says whether what is in hand is still wanted. */
  let next: Job | undefined;
  const receive = async () => {
    next = undefined;
    while (!isOver && !signal.aborted) {
      const message = await desk.next(WAITED).catch(() => null);
      if (message === null) await pause(ASKED_AGAIN, signal); // the server is away
      if (!message) continue;
      message.done();
      next = readJob(message.data, run, desktop.samples);
      if (next) return next;
    }
  };
  const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  try {
    let coming = receive();
    while (!isOver && !signal.aborted) {
      const job = await Promise.race([coming, stopped]);
      if (!job) continue;
      isIdle = false;
      coming = receive();
      await pause(0); // what waits comes in
      if (next && (next as Job).step > job.step) continue; // that step is over
      const at = performance.now();
      if (!await take(desk, desktop, job)) {
        isIdle = true;
        await word();
        continue;
      }
      const slice = await engine.slice(job.indices, job.first, job.end);
      const { step, task, attempt } = job;
      connection.publish(
        answersOf(name),
        writeAnswer({ run: run.id, step, task, attempt, ...slice }, run.bytes),
      );
      isIdle = next === undefined;
      const milliseconds = performance.now() - at;
      tell({
        ...{ kind: "slice", step, pieces: job.end - job.first },
        ...{ values: slice.values.length, milliseconds },
      });
    }
  } finally {
    clearInterval(heart);
    isOver = true;
  }
  if (refused !== undefined) throw refusal(refused);
}

/** Has the engine hold a job's weights; false where they are not to be had any more. */
async function take(desk: Desk, desktop: Desktop, job: Job): Promise<boolean> {
  const { run, engine } = desktop, { weights, parts, step } = job;
  const wanted = `${weights}.${step}`;
  if (desktop.held === wanted) return true;
  const found: Uint8Array[] = [];
  for (let part = 0; part < parts; part++) {
    const bytes = await desk.find(`${weights}.${part}`).catch(() => undefined);
    if (!bytes) return false;
    found.push(bytes);
  }
  const all = parts === 1
    ? found[0]
    : new Uint8Array(await new Blob(found as BlobPart[]).arrayBuffer());
  if (await sumOf(all) !== weights) return false;
  const parameters = fromBytes(all, run.bytes);
  desktop.held = "";
  try {
    engine.setParameters(parameters, { ...initOptimizer(parameters.length), steps: step });
  } catch (error) {
    if (error instanceof RangeError) return false; // the run has diverged
    throw error;
  }
  desktop.held = wanted;
  return true;
}
