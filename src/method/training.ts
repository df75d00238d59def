/**
 * The training loop: draws batches, feeds an engine groups of steps, and reports what comes back.
 * It knows the engine's contract and nothing of the machine behind it.
 */

import type { Random } from "../core/random.ts";
import { scheduledRate, type ScheduleName } from "../core/schedule.ts";
import type { DataSet } from "../data/samples.ts";
import { type Engine, EngineLost, type Evaluation } from "../engine.ts";

/** A group of steps takes about so long: readbacks are few, and the device answers in time. */
const GROUP_MILLISECONDS = 150;
/** The most steps in a group; the engine's buffers hold no more. */
const MAX_GROUP = 1024;

/** What to train for. */
export interface TrainingOptions {
  readonly steps: number;
  /** Steps that were taken before, when a run is gone on with; default 0. */
  readonly done?: number;
  /** Samples a step, drawn afresh without replacement. */
  readonly batch: number;
  readonly learningRate: number;
  readonly schedule: ScheduleName;
  /** Stop each so many steps with nothing under way, so that the run can be saved; default never. */
  readonly saveEvery?: number;
  /** Ends the run when it aborts: nothing more is begun, and what is under way is reported. */
  readonly signal?: AbortSignal;
  /** Evaluate on the test set each so many steps; it is always done at the end. */
  readonly evalEvery: number;
}

/** What happens in a run, as it comes in. Steps count from 1. */
export type TrainingEvent =
  /** A group of steps is done: the losses before each update, and the wall time of all of them. */
  | { kind: "steps"; first: number; losses: Float64Array; milliseconds: number }
  /** The test set was evaluated, behind so many steps. */
  | { kind: "evaluation"; step: number; evaluation: Evaluation }
  /** So many steps are taken, and none is under way: the engine's state is that behind them. */
  | { kind: "rest"; step: number };

/**
 * Refuses numbers that no training can be made of.
 * @throws {RangeError} with the number and the mend.
 */
export function checkTraining(options: TrainingOptions, samples: number): void {
  const whole = (name: string, value: number) => {
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`Cannot train with ${name} ${value}: give a whole number from 1`);
    }
  };
  whole("steps", options.steps);
  whole("batch", options.batch);
  whole("eval-every", options.evalEvery);
  if (options.saveEvery !== undefined) whole("save-every", options.saveEvery);
  const { steps, done = 0 } = options;
  if (done >= steps) {
    throw new RangeError(
      `Cannot train to step ${steps}: ${done} steps are taken already; ask for more steps`,
    );
  }
  if (options.batch > samples) {
    throw new RangeError(
      `Cannot draw batches of ${options.batch}: there are only ${samples} training samples; ` +
        `use a smaller batch`,
    );
  }
  if (!(options.learningRate > 0 && Number.isFinite(options.learningRate))) {
    throw new RangeError(
      `Cannot train with learning rate ${options.learningRate}: give a positive number`,
    );
  }
}

/**
 * Trains the network that the engine holds, and ends with an evaluation on the test set, unless a
 * signal ends it before.
 * @throws {RangeError} when an option is out of range, or a loss or a weight is no finite number
 *   any more: the first, by its step and name.
 * @throws {EngineLost} when the device is lost and cannot be had again. The run then stands at the
 *   last known-good weights: the engine's optimiser state says at which step, and `random` is there.
 */
export async function* train(
  engine: Engine,
  data: DataSet,
  random: Random,
  options: TrainingOptions,
): AsyncGenerator<TrainingEvent, void> {
  checkTraining(options, data.train.count);
  const { steps, batch, evalEvery, saveEvery = Infinity, signal } = options;
  let groupSize = 1;
  let { done = 0 } = options, submitted = done; // steps
  const start = { step: done, random: random.state.slice() };

  const submit = () => {
    const untilRest = Math.min(...[evalEvery, saveEvery].map((every) => every - submitted % every));
    const count = Math.min(groupSize, untilRest, steps - submitted);
    const indices = new Uint32Array(count * batch); // [count, batch]
    for (let i = 0; i < count; i++) indices.set(random.sample(data.train.count, batch), i * batch);
    const rates = Float64Array.from(
      { length: count },
      (_, i) => scheduledRate(options.schedule, options.learningRate, submitted + i, steps),
    );
    submitted += count;
    const losses = engine.train(indices, rates);
    losses.catch(() => {}); // it is thrown where it is awaited, which may be later
    return losses;
  };

  // Two groups are under way at a time, so that the device computes while losses are read back.
  let started = performance.now();
  let next: Promise<Float64Array> | undefined = submit();
  try {
    while (next) {
      const current: Promise<Float64Array> = next;
      const isRest = submitted === steps || submitted % evalEvery === 0 ||
        submitted % saveEvery === 0 || signal?.aborted;
      next = isRest ? undefined : submit();
      // An engine that computes in this thread never waits for anything: signals, messages and
      // timers have their turn here, while a device computes.
      await new Promise((resolve) => setTimeout(resolve));
      const losses = await current;
      const now = performance.now(), milliseconds = now - started;
      started = now;
      yield { kind: "steps", first: done + 1, losses, milliseconds };
      done += losses.length;
      const fitting = Math.round(losses.length * GROUP_MILLISECONDS / Math.max(milliseconds, 0.01));
      groupSize = Math.max(1, Math.min(fitting, 4 * groupSize, MAX_GROUP));
      if (next) continue;
      if (done === steps || done % evalEvery === 0) {
        yield { kind: "evaluation", step: done, evaluation: await engine.evaluate(data.test) };
      }
      if (done % saveEvery === 0) yield { kind: "rest", step: done };
      started = performance.now();
      if (submitted < steps && !signal?.aborted) next = submit();
    }
  } catch (error) {
    if (error instanceof EngineLost) {
      const { steps } = await engine.optimizerState();
      random.state = start.random;
      for (let step = start.step; step < steps; step++) random.sample(data.train.count, batch);
    }
    throw error;
  } finally {
    await next?.catch(() => {}); // whoever leaves early leaves nothing under way
  }
}
