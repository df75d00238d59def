/**
 * The threads that evaluate a gradient together: the one that asks, and workers beside it. All talk
 * in plain messages, for memory can be shared only on pages that are isolated from all others.
 */

import { evaluate, type Part, type Problem } from "./gradient.ts";
import type { Share } from "./share.ts";

/**
 * A thread must have so many multiplications with additions to do, some 5 to 10 ms: to hand a step
 * over takes about 1 ms, and to start a thread about 100, once.
 */
const WORK_PER_THREAD = 1e7;

/** Workers with nothing to do end, so that a program ends that forgot to dispose of its engine. */
const IDLE_MILLISECONDS = 1000;

/** What a worker is sent. */
export interface Order {
  readonly problem: Problem;
  readonly share: Share;
}

/** How many threads a gradient of so many multiplications is worth on this machine. */
export function threadsFor(work: number): number {
  if (typeof Worker === "undefined") return 1;
  const cores = globalThis.navigator?.hardwareConcurrency ?? 1;
  return Math.max(1, Math.min(cores, Math.floor(work / WORK_PER_THREAD)));
}

/** Threads. Workers are started where they are first needed. Dispose of it when done. */
export class Pool implements Disposable {
  readonly #threads: number;
  #workers: Worker[] = [];
  #idle: ReturnType<typeof setTimeout> | undefined;
  #failure: Error | undefined;
  #fail: (failure: Error) => void = () => {};
  /** Whether no worker can be started here: a bundler has not taken their file along. */
  #isAlone = false;

  /** @param threads of which one is the caller's own. */
  constructor(threads: number) {
    this.#threads = threads;
  }

  /**
   * Evaluates all shares of a gradient. One call at a time.
   * @throws {TypeError} when a worker fails, and from then on; or when the pool is disposed of.
   */
  async evaluate(problem: Problem): Promise<Part[]> { // [threads]
    if (this.#failure) throw this.#failure;
    clearTimeout(this.#idle);
    if (this.#isAlone) {
      this.#stop();
      return [evaluate(problem, { index: 0, of: 1 })];
    }
    while (this.#workers.length < this.#threads - 1) this.#workers.push(startWorker());
    const share = (index: number): Order => ({ problem, share: { index, of: this.#threads } });
    try {
      const failed = new Promise<never>((_, reject) => this.#fail = reject);
      const others = this.#workers.map((worker, i) => this.#ask(worker, share(i + 1)));
      const { share: own } = share(0);
      return await Promise.race([
        failed,
        Promise.all([new Promise<Part>((resolve) => resolve(evaluate(problem, own))), ...others]),
      ]);
    } catch (error) {
      this.#end(error as Error); // what the other workers would still answer is of no use
      throw error;
    } finally {
      if (this.#workers.length > 0) {
        this.#idle = setTimeout(() => this.#stop(), IDLE_MILLISECONDS);
      }
    }
  }

  #ask(worker: Worker, order: Order): Promise<Part> {
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Part>) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault(); // or it would end the program
        if (!event.message) { // its file could not be loaded
          this.#isAlone = true;
          return resolve(evaluate(order.problem, order.share));
        }
        const [reason] = event.message.split("\n");
        reject(new TypeError(`Cannot compute on ${this.#threads} threads: ${reason}`));
      };
      worker.postMessage(order);
    });
  }

  #stop(): void {
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
  }

  #end(failure: Error): void {
    this.#failure ??= failure;
    this.#fail(failure);
    clearTimeout(this.#idle);
    this.#stop();
  }

  [Symbol.dispose](): void {
    this.#end(new TypeError("Cannot go on: the engine was disposed of"));
  }
}

/** Starts thread.ts, which lies beside this file. Bundlers know the form, and see to it that it does. */
function startWorker(): Worker {
  return new Worker(new URL("./thread.ts", import.meta.url), { type: "module" });
}
