/**
 * Being asked to end: Ctrl-C, SIGTERM, a closed terminal, a chain of programs that broke. A command's
 * thread says whether it wants to end in good order, and is asked once; the launcher hears the
 * signals, and is free to end it at once where it is asked again.
 */

/** Exit codes of programs that a signal ended: 128 and its number. */
export const CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
export type SignalName = keyof typeof CODES;

/** What a command's thread tells the launcher: whether it ends in good order, or how it has ended. */
export type Report = { readonly inOrder: boolean } | { readonly code: number };

/** A thread's way to the launcher. A program that calls a command by itself has none. */
const launcher = globalThis as unknown as {
  postMessage?(report: Report): void;
  onmessage: ((event: MessageEvent<SignalName>) => void) | null;
};

/** Tells the launcher, where there is one. */
export function report(what: Report): void {
  launcher.postMessage?.(what);
}

/** As long as it lives, a request to end is heard here, rather than ending the command at once. */
export class Interrupt implements Disposable {
  /** The exit code that was asked for; 0 as long as there was none. */
  code = 0;
  readonly #controller = new AbortController();

  constructor() {
    launcher.onmessage = ({ data }) => {
      this.code = CODES[data];
      this.#controller.abort();
    };
    report({ inOrder: true });
  }

  /** Aborts when an end is asked for. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    launcher.onmessage = null;
    report({ inOrder: false });
  }
}
