/** Writes shaders to a folder, as the device gets them, for who wants to look at them. */

import { inspection } from "../gpu/kernel.ts";
import { why } from "./files.ts";
import { SHADERS } from "./places.ts";

/**
 * Writes every shader that is composed from now on: `hop.wgsl`, and `hop-2.wgsl` with other pieces
 * or constants. Comments tell where a piece begins and ends, and what the constants are.
 * @throws {TypeError} when there can be no such folder.
 */
export function dumpShaders(folder: string): void {
  try {
    Deno.mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new TypeError(
      `Cannot write shaders to ${folder}: ${why(error)}; let ${SHADERS} name another folder`,
    );
  }
  const written = new Map<string, Set<string>>(); // texts by kernel
  inspection.composed = ({ name, code, constants }) => {
    const lines = Object.entries(constants).map(([name, value]) => `// ${name} = ${value}\n`);
    const text = `// ${name}, compiled with\n${lines.join("")}\n${code}`;
    const texts = written.get(name) ?? new Set();
    written.set(name, texts.add(text));
    const number = [...texts].indexOf(text) + 1;
    Deno.writeTextFileSync(`${folder}/${name}${number === 1 ? "" : `-${number}`}.wgsl`, text);
  };
}
