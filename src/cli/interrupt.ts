/** Ctrl-C, SIGTERM, a closed terminal: the first asks a run to end in good order, the second ends it at once. */

/** Exit codes of programs that a signal ended: 128 and its number. */
export const CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** Listens until it is disposed of. */
export class Interrupt implements Disposable {
  /** The exit code that the signal asks for; 0 as long as there was none. */
  code = 0;
  readonly #controller = new AbortController();
  readonly #listeners: (readonly [Deno.Signal, () => void])[];

  constructor() {
    this.#listeners = Object.entries(CODES).map(([name, code]) => {
      const listener = () => {
        if (this.code !== 0) Deno.exit(code);
        this.code = code;
        this.#controller.abort();
      };
      return [name as keyof typeof CODES, listener] as const;
    });
    for (const [name, listener] of this.#listeners) {
      try {
        Deno.addSignalListener(name, listener);
      } catch { /* a system without that signal */ }
    }
  }

  /** Aborts with the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const [name, listener] of this.#listeners) {
      try {
        Deno.removeSignalListener(name, listener);
      } catch { /* a system without that signal */ }
    }
  }
}
