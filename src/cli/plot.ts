/** `plot`: the logs of one run or several as one figure. */

import { basename } from "@std/path/basename";
import { claim, readWhole, writeWhole } from "./files.ts";
import { drawRuns, type Run } from "./figure.ts";

/**
 * Claims a file that a figure is going to be written into.
 * @throws {TypeError} when its ending is not .svg, or it cannot be written.
 */
export async function claimFigureFile(path: string): Promise<void> {
  if (!/\.svg$/i.test(path)) {
    throw new TypeError(`Cannot write ${path}: figures are SVG; give a name that ends in .svg`);
  }
  await claim(path);
}

/** Adds a point. Steps count up; a run that was gone on with from an earlier step replaces the rest. */
function add(points: [number, number][], step: number, value: number): void {
  while (points.length > 0 && points.at(-1)![0] >= step) points.pop();
  points.push([step, value]);
}

/**
 * Reads a log: one JSON object a line, with a step from 1, and a loss or an accuracy.
 * @throws {SyntaxError} naming the file and the line that is no such object.
 */
export function parseLog(text: string, fileName: string): Run {
  const losses: [number, number][] = [], accuracies: [number, number][] = [];
  text.split("\n").forEach((line, i) => {
    if (line.trim() === "") return;
    let entry: { step?: unknown; loss?: unknown; accuracy?: unknown } | null = null;
    try {
      entry = JSON.parse(line);
    } catch { /* refused below */ }
    const { step, loss, accuracy } = entry ?? {};
    const isStep = typeof step === "number" && Number.isSafeInteger(step) && step >= 1;
    if (isStep && typeof loss === "number" && Number.isFinite(loss)) add(losses, step, loss);
    else if (isStep && typeof accuracy === "number" && accuracy <= 1) {
      add(accuracies, step, accuracy);
    } else {
      throw new SyntaxError(
        `Cannot read ${fileName}: line ${i + 1} is no {"step","loss"} or {"step","accuracy"}; ` +
          `give a file that train --log wrote`,
      );
    }
  });
  if (losses.length === 0) throw new SyntaxError(`Cannot draw ${fileName}: it holds no losses`);
  const name = basename(fileName).replace(/\.jsonl?$/, "");
  return { name, losses, accuracies };
}

/** Runs the command. */
export async function runPlot(files: readonly string[], out: string): Promise<void> {
  await claimFigureFile(out);
  const runs = await Promise.all(
    files.map(async (file) => parseLog(new TextDecoder().decode(await readWhole(file)), file)),
  );
  const twice = new Set(runs.map(({ name }) => name)).size < runs.length;
  const named = twice ? runs.map((run, i) => ({ ...run, name: files[i] })) : runs;
  await writeWhole(out, await drawRuns(named));
  console.log(`Wrote ${out}.`);
}
