/** Digests, by which two files, data sets or runs are told to be the same to the last bit. */

import { encodeHex } from "@std/encoding/hex";

/** The SHA-256 of bytes, in hexadecimal. */
export async function sha256(bytes: ArrayBufferView): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as ArrayBufferView<ArrayBuffer>);
  return encodeHex(new Uint8Array(digest));
}
