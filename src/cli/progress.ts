/** Progress of a run: a bar on a terminal, plain lines elsewhere. No colour either way. */

import { Presets, SingleBar } from "cli-progress";
import { tell } from "./output.ts";

/** Shows how far a run is. */
export interface Progress {
  update(done: number, facts: Record<string, string>): void;
  stop(): void;
}

const PLAIN_LINE_SECONDS = 5;

/** The terminal, as the bar sees it. One that is closed takes nothing more, and that is no matter. */
const TERMINAL = {
  isTTY: true,
  get columns(): number | undefined {
    try {
      return Deno.consoleSize().columns;
    } catch {
      return undefined;
    }
  },
  write(text: string): boolean {
    tell(text);
    return true;
  },
} as unknown as NodeJS.WritableStream;

/**
 * Starts a progress display on standard error.
 * @param format cli-progress's, with the names of the facts in braces.
 */
export function startProgress(total: number, format: string): Progress {
  if (Deno.stderr.isTerminal()) {
    const bar = new SingleBar(
      { format: `{bar} ${format}`, barsize: 24, stream: TERMINAL },
      Presets.legacy,
    );
    let started = false;
    return {
      update(done, facts) {
        if (started) bar.update(done, facts);
        else bar.start(total, done, facts);
        started = true;
      },
      stop: () => bar.stop(),
    };
  }
  let last = performance.now();
  return {
    update(done, facts) {
      const now = performance.now();
      if (now - last < PLAIN_LINE_SECONDS * 1000 && done < total) return;
      last = now;
      const values: Record<string, string> = { value: `${done}`, total: `${total}`, ...facts };
      console.error(format.replace(/\{(\w+)\}/g, (_, name: string) => values[name]));
    },
    stop() {},
  };
}
