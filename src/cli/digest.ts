/** Digests, by which two files, data sets or runs are told to be the same to the last bit. */

/** The SHA-256 of bytes, in hexadecimal. */
export async function sha256(bytes: ArrayBufferView): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as ArrayBufferView<ArrayBuffer>);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
