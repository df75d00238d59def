/** Tells which data a saved run was trained on; nothing where a file does not say so. */

import { settingsIn } from "../data/checkpoint.ts";
import { readTensors } from "../data/tensors.ts";

const thread = globalThis as unknown as {
  onmessage: (event: MessageEvent<string>) => void;
  postMessage(data: string): void;
};

thread.onmessage = async ({ data: file }) => {
  let data: unknown;
  try {
    data = settingsIn(await readTensors(await Deno.readFile(file), file), file)?.data;
  } catch { /* whoever reads all of it says what is wrong */ }
  thread.postMessage(typeof data === "string" ? data : "");
};
