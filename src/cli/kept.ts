/** Prints which data a saved run was trained on; nothing where a file does not say so. */

import { settingsIn } from "../data/checkpoint.ts";
import { readTensors } from "../data/tensors.ts";

const [file] = Deno.args;
try {
  const { data } = settingsIn(await readTensors(await Deno.readFile(file), file), file) ?? {};
  if (typeof data === "string") await Deno.stdout.write(new TextEncoder().encode(data));
} catch { /* whoever reads all of it says what is wrong */ }
