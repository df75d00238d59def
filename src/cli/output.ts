/**
 * What a command prints. Deno's console throws where a disk is full, and says nothing where a reader
 * is gone; a command goes on in either case, and its exit code tells of a result that was lost.
 */

import { why } from "./files.ts";

type Stream = { writeSync(bytes: Uint8Array): number };

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Writes all of a text; returns what went wrong, if anything. */
function write(stream: Stream, text: string): unknown {
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(stream.writeSync(rest));
    } catch (error) {
      // Another program that has the same terminal or pipe may have it not wait for its reader.
      if (!(error instanceof Deno.errors.WouldBlock)) return error;
      Atomics.wait(pause, 0, 0, 5);
    }
  }
}

let failed = false;

/** Whether something of the result could not be printed. */
export const outputFailed = () => failed;

/** Prints a part of the result on standard output; where that fails it says so, once. */
export function print(text: string): void {
  if (failed) return;
  const error = write(Deno.stdout, text);
  if (error === undefined) return;
  failed = true;
  tell(
    `Cannot write to standard output: ${why(error)}; what was to be printed there is lost\n`,
  );
}

/** Says something on standard error. Where nobody can hear it, it is no matter. */
export function tell(text: string): void {
  write(Deno.stderr, text);
}

/** Lets the console, which commands and their libraries use, print as above. */
export function takeConsole(): void {
  console.log = console.info = (...words: unknown[]) => print(`${words.join(" ")}\n`);
  console.error = console.warn = (...words: unknown[]) => tell(`${words.join(" ")}\n`);
}
