/** Sums of weights and data, the same in Deno, Node and browsers. */

import type { DataSet } from "../data/samples.ts";

/** The SHA-256 of bytes, in hexadecimal. */
export async function sumOf(bytes: ArrayBufferView): Promise<string> {
  const view = new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", view));
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The sum of all samples and labels: who knows it has the data. */
export async function fingerprintOf({ train, test }: DataSet): Promise<string> {
  const sums = await Promise.all([train.x, train.labels, test.x, test.labels].map(sumOf));
  return await sumOf(new TextEncoder().encode(sums.join("")));
}
