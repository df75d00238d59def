/** Progress of a run: a bar on a terminal, plain lines elsewhere. No colour either way. */

import { Presets, SingleBar } from "cli-progress";

/** Shows how far a run is. */
export interface Progress {
  update(done: number, facts: Record<string, string>): void;
  stop(): void;
}

const PLAIN_LINE_SECONDS = 5;

/**
 * Starts a progress display on standard error.
 * @param format cli-progress's, with the names of the facts in braces.
 */
export function startProgress(total: number, format: string): Progress {
  if (Deno.stderr.isTerminal()) {
    const bar = new SingleBar({ format: `{bar} ${format}`, barsize: 24 }, Presets.legacy);
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
