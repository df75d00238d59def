/** `parity`: this machine's adapter against float64, kernel by kernel and gradient by gradient. */

import { Gpu } from "../gpu/engine.ts";
import { isRight, parity, type ParityRow } from "../method/parity.ts";
import { EXIT } from "./errors.ts";

/**
 * Runs the command; the exit code tells whether every row is within its bound.
 * @throws {TypeError} when there is no adapter.
 */
export async function runParity({ json }: { json?: boolean }): Promise<number> {
  using gpu = await Gpu.open();
  if (!gpu) {
    throw new TypeError(
      "Cannot compare a GPU: no WebGPU adapter was found; install a driver for it",
    );
  }
  if (!json) console.log(`${gpu.adapter}: relative errors against float64, and their bounds`);
  const rows: ParityRow[] = [];
  for await (const row of parity(gpu)) {
    rows.push(row);
    if (json) continue;
    const figures = `${row.worst.toExponential(1)} of ${row.bound.toExponential(1)}`;
    console.log(`${isRight(row) ? "right" : "OFF  "}  ${figures.padEnd(20)}  ${row.name}`);
  }
  const off = rows.filter((row) => !isRight(row)).length, ok = off === 0;
  if (json) console.log(JSON.stringify({ ok, adapter: gpu.adapter, rows }));
  else {
    console.log(
      ok
        ? `All ${rows.length} are right.`
        : `${off} of ${rows.length} are off: please report them.`,
    );
  }
  return ok ? EXIT.done : EXIT.failed;
}
