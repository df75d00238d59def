/**
 * Types of what is used of Deno's standard library: the npm package that brings it has none. From
 * JSR it brings its own, and this file goes.
 */

declare module "@std/async/deadline" {
  /** Rejects with a DOMException named TimeoutError where nothing comes within `milliseconds`. */
  export function deadline<T>(promise: Promise<T>, milliseconds: number): Promise<T>;
}

declare module "@std/async/retry" {
  /** Calls until it does not throw, waiting minTimeout * multiplier ** attempts, or gives up. */
  export function retry<T>(
    call: () => T | Promise<T>,
    options: { maxAttempts: number; minTimeout: number; multiplier: number; jitter: number },
  ): Promise<T>;
}

declare module "@std/encoding/hex" {
  /** Bytes as lower-case hexadecimal digits, two each. */
  export function encodeHex(bytes: Uint8Array): string;
  /** The bytes that such digits stand for. */
  export function decodeHex(digits: string): Uint8Array;
}

declare module "@std/media-types/content-type" {
  /** The type of a file's ending, with its character set; undefined where it is not known. */
  export function contentType(ending: string): string | undefined;
}

declare module "@std/path/basename" {
  /** What is behind the last separator, without the suffix where it ends so. */
  export function basename(path: string, suffix?: string): string;
}

declare module "@std/path/dirname" {
  /** What is in front of the last separator. */
  export function dirname(path: string): string;
}

declare module "@std/path/extname" {
  /** A path's ending, with its dot. */
  export function extname(path: string): string;
}

declare module "@std/text/closest-string" {
  /** The first of those that take the fewest edits, whatever their case. */
  export function closestString(word: string, among: readonly string[]): string;
}

declare module "@std/text/levenshtein-distance" {
  /** The least number of letters put in, left out or replaced. */
  export function levenshteinDistance(a: string, b: string): number;
}
