/**
 * Measurements of whole programs: the tutorial's own in R, and this project's commands, how fast
 * they start and how much memory they take.
 */

import type { Measurement } from "../bench/measurement.ts";
import { Skip, WrongResult } from "../bench/measurement.ts";
import {
  batchesOf,
  checkEngine,
  createProblem,
  open,
  type Problem,
  referenceGradient,
} from "../bench/problem.ts";
import { ourStep } from "../bench/training.ts";
import { parameterTensors } from "../core/network.ts";
import { selectSamples } from "../data/samples.ts";
import { compare } from "../method/gradcheck.ts";
import { Xoshiro } from "../core/random.ts";

const ROOT = `${import.meta.dirname}/../..`;

/** Weights whose gradient the tutorial's program takes; all others would take as long each. */
const TUTORIAL_WEIGHTS = 300;

/**
 * What central differences of float64 losses leave of a gradient: losses of about 2 are rounded to
 * 2^-52 of their sums' terms, some 1e-15, over 2e-4 is 1e-11, a millionth of elements of 1e-5.
 */
const TUTORIAL_TOLERANCE = 1e-6;

/** A matrix as R has it, column by column. */
function columns(values: ArrayLike<number>, rows: number, width: number): Float64Array {
  return Float64Array.from(
    { length: rows * width },
    (_, at) => values[(at % rows) * width + Math.floor(at / rows)],
  );
}

/** What the tutorial's program reads. */
function forR(
  { network, parameters, data, batch }: Problem,
  indices: Uint32Array, // [batch]
  weights: Uint32Array, // into W1, column by column, from 0
): Uint8Array<ArrayBuffer> {
  const { x, labels } = selectSamples(data.train, indices);
  const scale = x instanceof Uint8Array ? 255 : 1;
  const targets = new Float64Array(batch * network.classes);
  labels.forEach((label, n) => targets[n * network.classes + label] = 1);
  const parts = [
    ...parameterTensors(network).map(({ shape: [rows, width = 1], offset, size }) =>
      columns(parameters.subarray(offset, offset + size), rows, width)
    ),
    columns(Float64Array.from(x, (value) => value / scale), batch, network.inputs),
    columns(targets, batch, network.classes),
    Float64Array.from(weights, (index) => index + 1),
  ];
  return new Uint8Array(Float64Array.from(parts.flatMap((part) => [...part])).buffer);
}

/** The tutorial's program over some of the weights of W1. */
async function runR(
  input: Uint8Array<ArrayBuffer>,
  { network, batch }: Problem,
  weights: number,
): Promise<{ seconds: number; gradient: Float64Array }> {
  const sizes = [network.inputs, network.layers[0].outputs, network.classes, batch, weights];
  const child = new Deno.Command("Rscript", {
    args: ["--vanilla", `${ROOT}/src/cli/bench_tutorial.R`, ...sizes.map(String)],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ended = child.output();
  // A program that ends without reading all of it says why.
  await new Blob([input]).stream().pipeTo(child.stdin).catch(() => {});
  const { success, stdout, stderr } = await ended;
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (!success) throw new WrongResult(`R failed: ${decode(stderr)}`);
  const [seconds, ...gradient] = decode(stdout).split("\n").map(Number);
  return { seconds, gradient: Float64Array.from(gradient) };
}

export const tutorial: Measurement = {
  name: "tutorial",
  what: "the tutorial's program in R on this machine, against a step of ours",
  async prepare(setting) {
    try {
      new Deno.Command("Rscript", { args: ["--version"], stdout: "null", stderr: "null" })
        .outputSync();
    } catch {
      throw new Skip("there is no Rscript: apt-get install r-base-core");
    }
    const problem = createProblem(setting);
    const { network } = problem;
    const weights = setting.smoke ? 20 : TUTORIAL_WEIGHTS;
    const W1 = parameterTensors(network)[0];
    const chosen = new Xoshiro(4).sample(W1.size, weights);
    const engine = await open(problem, "differences");
    const input = forR(problem, batchesOf(problem).next().value, chosen);
    return {
      contenders: [
        {
          name: "a step of the tutorial's program, extrapolated",
          unit: "ms",
          async sample() {
            const { seconds } = await runR(input, problem, weights);
            return 1000 * seconds / weights * network.parameters;
          },
          detail: () =>
            `${weights} of ${network.parameters} weights timed, two losses each; the update, ` +
            `which is not timed, adds next to nothing`,
        },
        ourStep(engine, problem, setting.smoke),
      ],
      ratios: [{ name: "R over ours", of: 0, to: 1, target: { least: 20_000 } }],
      async check() {
        const right = await checkEngine(engine, problem, { who: "differences" });
        const { gradient } = await runR(input, problem, weights);
        const all = await referenceGradient(problem, "differences");
        const [rows, width] = W1.shape;
        const reference = columns(all.subarray(W1.offset, W1.offset + W1.size), rows, width);
        const expected = Float64Array.from(chosen, (index) => reference[index]);
        const { relativeError } = compare("W1", [weights], gradient, expected);
        if (!(relativeError <= TUTORIAL_TOLERANCE)) {
          throw new WrongResult(
            `R's gradient is off by ${relativeError.toExponential(1)}; is the program the same?`,
          );
        }
        return `${right}; R's gradient of ${weights} weights within ` +
          `${relativeError.toExponential(1)}`;
      },
      close: () => engine[Symbol.dispose](),
    };
  },
};

/** Trains by the command line, from start to end. */
async function trainByCommand(
  data: string,
  steps: number,
): Promise<{ milliseconds: number; peakMemory: number }> {
  const started = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "train", "--data", data, "--steps", `${steps}`, "--json"],
    cwd: ROOT,
    stdin: "null",
  }).output();
  const milliseconds = performance.now() - started;
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const result = code === 0 ? JSON.parse(decode(stdout)) : {};
  if (result.steps !== steps || !(result.loss > 0 && result.loss < 3)) {
    throw new WrongResult(`train ended with code ${code}: ${decode(stderr).trim()}`);
  }
  return { milliseconds, peakMemory: result.peakMemory };
}

export const start: Measurement = {
  name: "start",
  what: "deno task train --steps 1 on synthetic digits, the whole command",
  prepare: () =>
    Promise.resolve({
      contenders: [{
        name: "the command, from start to end",
        unit: "s",
        target: { most: 2.5 },
        sample: async () => (await trainByCommand("digits", 1)).milliseconds / 1000,
      }],
      check: () => Promise.resolve("each run ends well, with a loss"),
    }),
};

export const memory: Measurement = {
  name: "memory",
  what: "memory that deno task train takes at most, the process that trains",
  prepare({ data, smoke }) {
    // MNIST in a folder of its own, the cache, or synthetic digits: what this run was given.
    const choice = data.name === "synthetic digits"
      ? "digits"
      : data.name === "MNIST"
      ? "mnist"
      : data.name;
    return Promise.resolve({
      contenders: [{
        name: "peak of resident memory",
        unit: "MB",
        target: { most: 400 },
        sample: async () => (await trainByCommand(choice, smoke ? 1 : 100)).peakMemory / 1e6,
        detail: () => `training on ${data.name}, test set included`,
      }],
      check: () => Promise.resolve("each run ends well, with a loss"),
    });
  },
};
