/** A worker's end of the line to the page: questions are answered one by one, as they come. */

import type { MissingPart, Question, Report } from "./run/protocol.ts";

const post = (message: unknown) => postMessage(message);

/** Tells the page something that it did not ask for. */
export const report = (report: Report): void => post({ report });

/** What a file is missing from; the page says it in its own words. */
export class MissingFile extends Error {
  constructor(readonly missing: MissingPart) {
    super(`Cannot use these files: ${missing} is missing`);
  }
}

/** Answers questions with the calls of these names. */
export function answer<Calls extends { [K in keyof Calls]: (...values: never[]) => unknown }>(
  calls: {
    [K in keyof Calls]: (
      ...values: Parameters<Calls[K]>
    ) => ReturnType<Calls[K]> | Promise<ReturnType<Calls[K]>>;
  },
): void {
  addEventListener("message", async ({ data }: MessageEvent<Question>) => {
    const { id, call, values } = data;
    try {
      const ask = calls[call as keyof Calls] as (...values: readonly unknown[]) => unknown;
      post({ id, value: await ask(...values) });
    } catch (error) {
      const { message } = error as Error;
      post({ id, error: { message, missing: (error as MissingFile).missing } });
    }
  });
}
