/**
 * A training run as tensors: its weights and losses, as R and NumPy expect them, and behind the
 * name `checkpoint/` everything else that it takes to go on as if it had never stopped.
 */

import type { Network } from "../core/network.ts";
import { initOptimizer, type OptimizerState } from "../core/optimizers.ts";
import type { Tensor, Tensors } from "./tensors.ts";
import { asTensors, type Layout } from "./weights.ts";

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
): Tensors {
  const tensors = asTensors(network, parameters, layout);
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
  if (![...tensors.keys()].some((name) => name.startsWith("checkpoint/"))) return undefined;
  const refuse = (what: string) =>
    new SyntaxError(`Cannot read the run in ${fileName}: ${what}; it is damaged`);
  const part = (name: string, length?: number) => {
    const data = tensors.get(name)?.data;
    if (!data) throw refuse(`it has no ${name}`);
    if (length !== undefined && data.length !== length) {
      throw refuse(`${name} has ${data.length} values, not ${length}`);
    }
    return data;
  };
  const whole = (name: string, data: Float64Array, most: number) => {
    const bad = data.findIndex((value) =>
      !(Number.isInteger(value) && value >= 0 && value <= most)
    );
    if (bad >= 0) throw refuse(`${name}[${bad}] is ${data[bad]}`);
    return data;
  };
  const [steps] = whole("checkpoint/step", part("checkpoint/step", 1), 2 ** 53);
  const random = whole("checkpoint/random", part("checkpoint/random"), 2 ** 32 - 1);
  const bytes = whole("checkpoint/settings", part("checkpoint/settings"), 255);
  let settings: unknown;
  try {
    settings = JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes)));
  } catch {
    throw refuse("checkpoint/settings is no JSON");
  }
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    throw refuse("checkpoint/settings is no JSON object");
  }
  const zero = initOptimizer(parameters);
  const moment = (name: "first" | "second") =>
    tensors.has(`checkpoint/${name}`) ? part(`checkpoint/${name}`, parameters) : zero[name];
  return {
    state: { first: moment("first"), second: moment("second"), steps },
    random: Uint32Array.from(random),
    losses: part("losslist"),
    settings: settings as Record<string, unknown>,
  };
}
