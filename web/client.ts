/** The page's end of the line to its worker. */

import type { Answer, Calls, Report } from "./protocol.ts";

/** Asks the worker, and hears what it reports. */
export class Client {
  readonly #worker = new Worker("worker.js", { type: "module" });
  readonly #waiting = new Map<
    number,
    { resolve(value: never): void; reject(error: Error): void }
  >();
  readonly #listeners: ((report: Report) => void)[] = [];
  #id = 0;

  constructor() {
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
      if ("report" in data) {
        for (const listener of this.#listeners) listener(data.report);
        return;
      }
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error === undefined) waiting?.resolve(data.value as never);
      else waiting?.reject(new Error(data.error));
    });
  }

  /** Asks for one thing. */
  ask<K extends keyof Calls>(
    call: K,
    ...values: Parameters<Calls[K]>
  ): Promise<ReturnType<Calls[K]>> {
    const id = this.#id++;
    this.#worker.postMessage({ id, call, values });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** Hears every report from now on. */
  listen(listener: (report: Report) => void): void {
    this.#listeners.push(listener);
  }
}
