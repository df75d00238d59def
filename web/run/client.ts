/** The page's end of the line to a worker. */

import type { Answer, MissingPart, Report } from "./protocol.ts";

/** What is asked of a worker that was ended. */
export class Ended extends Error {}

/** A worker's refusal, with what was missing where it was a file. */
export class Refusal extends Error {
  constructor(message: string, readonly missing?: MissingPart) {
    super(message);
  }
}

/** Asks a worker, and hears what it reports. */
export class Client<Calls extends { [K in keyof Calls]: (...values: never[]) => unknown }> {
  readonly #script: string;
  #worker: Worker | undefined;
  readonly #waiting = new Map<
    number,
    { resolve(value: never): void; reject(error: Error): void }
  >();
  readonly #listeners: ((report: Report) => void)[] = [];
  #id = 0;

  /** @param script of the worker, which is started when it is first asked. */
  constructor(script: string) {
    this.#script = script;
  }

  #start(): Worker {
    const worker = new Worker(this.#script, { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
      if (worker !== this.#worker) return; // it was ended, and this was under way
      if ("report" in data) {
        for (const listener of this.#listeners) listener(data.report);
        return;
      }
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error === undefined) waiting?.resolve(data.value as never);
      else waiting?.reject(new Refusal(data.error.message, data.error.missing));
    });
    return worker;
  }

  /** Asks for one thing. */
  ask<K extends keyof Calls & string>(
    call: K,
    ...values: Parameters<Calls[K]>
  ): Promise<ReturnType<Calls[K]>> {
    const id = this.#id++;
    this.#worker ??= this.#start();
    this.#worker.postMessage({ id, call, values });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** Ends the worker, whatever it is about: the next question starts another, which knows nothing. */
  end(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new Ended("the worker was ended"));
  }

  /** Hears every report from now on. */
  listen(listener: (report: Report) => void): void {
    this.#listeners.push(listener);
  }
}
