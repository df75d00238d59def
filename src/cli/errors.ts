/** What the command line says when it cannot do what it was told. */

import { closestString } from "@std/text/closest-string";
import { levenshteinDistance } from "@std/text/levenshtein-distance";

/** Exit codes, the same for every command. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** "did you mean sgd?" where one of the choices is near, else a list of them. */
export function suggestion(given: string, choices: readonly string[]): string {
  const nearest = closestString(given, choices);
  const near = levenshteinDistance(given, nearest) <= Math.max(2, nearest.length / 3);
  return near ? `did you mean ${nearest}?` : `choose from ${choices.join(", ")}`;
}

/** Whether an error tells a user what is wrong, rather than us. */
export function isForUser(error: unknown): error is Error {
  return error instanceof Error && error.message.startsWith("Cannot ");
}
