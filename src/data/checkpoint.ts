/**
 * A training run as tensors: its weights and losses, as R and NumPy expect them, and behind the
 * name `checkpoint/` everything else that it takes to go on as if it had never stopped.
 */

import type { Network } from "../core/network.ts";
import { initOptimizer, type OptimizerState } from "../core/optimizers.ts";
import type { Tensor, Tensors } from "./tensors.ts";
import { asTensors, type Layout, type Names } from "./weights.ts";

/** Where a run stands. */
export interface Checkpoint {
  readonly state: OptimizerState;
  /** State of the generator behind the last batch. */
  readonly random: Uint32Array;
  /** Loss of each step so far. */
  readonly losses: Float64Array; // [steps]
  /** What the run was told, as JSON can hold it. */
  readonly settings: Record<string, unknown>;
}

const vector = (data: ArrayLike<number>): Tensor => ({
  shape: [data.length],
  data: Float64Array.from(data),
});

/** The tensors of a file that holds a run. */
export function checkpointTensors(
  network: Network,
  parameters: Float64Array, // [parameters]
  { state, random, losses, settings }: Checkpoint,
  layout: Layout,
  names?: Names,
): Tensors {
  const tensors = asTensors(network, parameters, layout, undefined, names);
  const steps = losses.length;
  tensors.set("losslist", { shape: layout === "r" ? [1, steps] : [steps], data: losses });
  tensors.set("checkpoint/step", vector([state.steps]));
  for (const moment of ["first", "second"] as const) { // most optimisers leave one of them at 0
    if (state[moment].some((value) => value !== 0)) {
      tensors.set(`checkpoint/${moment}`, vector(state[moment]));
    }
  }
  tensors.set("checkpoint/random", vector(random));
  // Text as its bytes: every format has numbers, and not every one has text.
  const text = new TextEncoder().encode(JSON.stringify(settings));
  tensors.set("checkpoint/settings", vector(text));
  return tensors;
}

/** The parts of a run in a file, each of them checked. */
class Parts {
  constructor(readonly tensors: Tensors, readonly fileName: string) {}

  refuse(what: string): SyntaxError {
    return new SyntaxError(`Cannot read the run in ${this.fileName}: ${what}; it is damaged`);
  }

  /** Numbers, so many where a length is given. */
  numbers(name: string, length?: number): Float64Array {
    const data = this.tensors.get(name)?.data;
    if (!data) throw this.refuse(`it has no ${name}`);
    if (length !== undefined && data.length !== length) {
      throw this.refuse(`${name} has ${data.length} values, not ${length}`);
    }
    return data;
  }

  /** Whole numbers from 0 to `most`. */
  whole(name: string, most: number, length?: number): Float64Array {
    const data = this.numbers(name, length);
    const bad = data.findIndex((value) =>
      !(Number.isInteger(value) && value >= 0 && value <= most)
    );
    if (bad >= 0) throw this.refuse(`${name}[${bad}] is ${data[bad]}`);
    return data;
  }

  /** What the run was told. */
  settings(): Record<string, unknown> {
    const bytes = this.whole("checkpoint/settings", 255);
    let settings: unknown;
    try {
      settings = JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes)));
    } catch {
      throw this.refuse("checkpoint/settings is no JSON");
    }
    if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
      throw this.refuse("checkpoint/settings is no JSON object");
    }
    return settings as Record<string, unknown>;
  }
}

/** Weights in 64 bits, in a file whose own are of 32. */
const PARAMETERS = "checkpoint/parameters";

/** The tensors of a run that are no weights, for a file that has 32 bits for these. */
export function runTensors(
  parameters: Float64Array, // [parameters]
  tensors: Tensors,
): Tensors {
  const run = new Map(
    [...tensors].filter(([name]) => name === "losslist" || name.startsWith("checkpoint/")),
  );
  if (parameters.some((value) => Math.fround(value) !== value)) {
    run.set(PARAMETERS, vector(parameters));
  }
  return run;
}

/**
 * The weights of a run in 64 bits, where its file has them; else those given.
 * @throws {SyntaxError} when they are as many as no weights of it.
 */
export function parametersOfRun(
  tensors: Tensors,
  fileName: string,
  parameters: Float64Array, // [parameters]
): Float64Array {
  if (!tensors.has(PARAMETERS)) return parameters;
  return new Parts(tensors, fileName).numbers(PARAMETERS, parameters.length);
}

const holdsRun = (tensors: Tensors) =>
  [...tensors.keys()].some((name) => name.startsWith("checkpoint/"));

/**
 * What the run in a file was told; undefined where there are weights alone.
 * @throws {SyntaxError} when that makes no sense.
 */
export function settingsIn(
  tensors: Tensors,
  fileName: string,
): Checkpoint["settings"] | undefined {
  return holdsRun(tensors) ? new Parts(tensors, fileName).settings() : undefined;
}

/**
 * Where the run in a file stands; undefined where there are weights alone.
 * @param parameters length of the parameter vector.
 * @throws {SyntaxError} when a part is missing or makes no sense.
 */
export function checkpointIn(
  tensors: Tensors,
  fileName: string,
  parameters: number,
): Checkpoint | undefined {
  if (!holdsRun(tensors)) return undefined;
  const parts = new Parts(tensors, fileName);
  const [steps] = parts.whole("checkpoint/step", Number.MAX_SAFE_INTEGER, 1);
  const zero = initOptimizer(parameters);
  const moment = (name: "first" | "second") =>
    tensors.has(`checkpoint/${name}`)
      ? parts.numbers(`checkpoint/${name}`, parameters)
      : zero[name];
  const negative = moment("second").findIndex((value) => value < 0); // it is a sum of squares
  if (negative >= 0) throw parts.refuse(`checkpoint/second[${negative}] is negative`);
  return {
    state: { first: moment("first"), second: moment("second"), steps },
    random: Uint32Array.from(parts.whole("checkpoint/random", 2 ** 32 - 1)),
    losses: parts.numbers("losslist", steps),
    settings: parts.settings(),
  };
}
