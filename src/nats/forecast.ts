/**
 * What sharing out is worth: the rules of scheduler.ts on workers and wires that are only numbers. It
 * says before a run starts what to expect of it, and how far it goes with more workers than there are.
 */

import { type Costs, Scheduler } from "./scheduler.ts";

/** A wire between the server and all workers: messages in one direction wait for one another. */
export interface Wire {
  /** Milliseconds that a message is under way, however short. */
  readonly latency: number;
  /** Bytes a millisecond, of all workers together. */
  readonly rate: number;
  /** Whether both directions share it, as on the air. */
  readonly isShared: boolean;
}

/** A gigabit a second, of which nine tenths carry messages, and both ways at once. */
export const GIGABIT: Wire = { latency: 0.3, rate: 112_500, isShared: false };
/** The Wi-Fi of a classroom: 100 million bits a second that all share, both ways. */
export const WIFI: Wire = { latency: 4, rate: 12_500, isShared: true };

/** What a step is made of besides its pieces. */
export interface StepCosts extends Costs {
  /** Milliseconds of a step of one machine that shares nothing out. */
  readonly alone: number;
  /** Bytes of a number: 4, or 8 from an engine in float64. */
  readonly bytes: number;
  /** Bytes of the weights, which every worker fetches. */
  readonly weights: number;
  /** Milliseconds between the last answer and the next step's first job: the update, and its hash. */
  readonly update: number;
}

/** Bytes of a job, and of an answer without its numbers. */
const JOB = 1000, ANSWER = 200;
/** Steps that are simulated: speeds are known behind the first. */
const STEPS = 4;

/** One direction of a wire. */
class Lane {
  #free = 0; // when the last message is through
  constructor(readonly wire: Wire) {}

  /** When a message arrives that is sent now. */
  send(now: number, bytes: number): number {
    this.#free = Math.max(now, this.#free) + bytes / this.wire.rate;
    return this.#free + this.wire.latency;
  }
}

/**
 * Milliseconds of a step.
 * @param speeds of the workers, over the reference machine's.
 * @param own whether the coordinator computes, too, at the reference machine's speed and with no wire.
 */
export function stepTime(
  costs: StepCosts,
  speeds: readonly number[],
  wire: Wire,
  own = true,
): number {
  const scheduler = new Scheduler(costs);
  const down = new Lane(wire), up = wire.isShared ? down : new Lane(wire);
  const speed = new Map(speeds.map((speed, i) => [`${i}`, speed]));
  if (own) speed.set(OWN, 1);
  for (const name of speed.keys()) scheduler.join(name, 0);
  let now = 0, began = 0;
  for (let step = 0; step < STEPS; step++) {
    began = now;
    scheduler.begin(now);
    const ready = new Map<string, number>(); // when each has done all that it was given
    const answers: { worker: string; task: number; at: number }[] = [];
    while (!scheduler.isDone) {
      for (const { worker, task, first, end } of scheduler.next(now)) {
        const isOwn = worker === OWN, isFirst = !ready.has(worker);
        let at = isOwn ? now : down.send(now, JOB);
        if (isFirst && !isOwn) at = down.send(at + wire.latency, costs.weights);
        const work = scheduler.costOf(first, end) + (isFirst ? costs.start : 0);
        const done = Math.max(at, ready.get(worker) ?? 0) + costs.handing / 2 +
          work / speed.get(worker)!;
        ready.set(worker, done);
        answers.push({ worker, task, at: done });
      }
      if (answers.length === 0) {
        if (scheduler.alarm === Infinity) return Infinity; // nobody is there
        now = Math.max(now + 1, scheduler.alarm);
        continue;
      }
      const next = answers.reduce((least, answer) => answer.at < least.at ? answer : least);
      answers.splice(answers.indexOf(next), 1);
      now = Math.max(now, next.at);
      if (next.worker !== OWN && !arrived.has(next)) {
        // It is sent once it is computed, behind what others have sent by then.
        const { first, end } = scheduler.rangeOf(next.task);
        const size = costs.sizes.subarray(first, end).reduce((sum, size) => sum + size, 0);
        const sent = { ...next, at: up.send(now, ANSWER + costs.bytes * size) + costs.handing / 2 };
        arrived.add(sent);
        answers.push(sent);
        continue;
      }
      scheduler.answered(next.worker, next.task, now);
    }
    now += costs.update;
  }
  return now - began;
}

/** The coordinator among workers. */
const OWN = "own";
/** Answers that are under way. */
const arrived = new WeakSet<object>();

/** Numbers of workers that a forecast looks at. */
const CROWDS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 30, 48, 64, 100, 150, 300];

/** What to expect of how many workers that are all like the reference machine. */
export function forecast(costs: StepCosts, wire: Wire, own = true) {
  const { alone } = costs;
  const rows = CROWDS.map((workers) => {
    const time = stepTime(costs, new Array(workers).fill(1), wire, own);
    return { workers, time, speedup: alone / time };
  });
  const best = rows.reduce((a, b) => b.time < 0.97 * a.time ? b : a);
  return { alone, rows, best };
}

/**
 * Milliseconds that a step has to take alone for one more machine to make it a fifth faster: what a step
 * costs that no machine takes over, against what it takes away.
 */
export function worthwhile(costs: StepCosts, wire: Wire): number {
  const pieces = costs.pieces.reduce((sum, cost) => sum + cost, 0);
  for (let factor = 1; factor < 2 ** 20; factor *= 1.25) {
    const alone = costs.alone + (factor - 1) * pieces;
    const longer = { ...costs, alone, pieces: costs.pieces.map((cost) => cost * factor) };
    if (alone / stepTime(longer, [1], wire) >= 1.2) return alone;
  }
  return Infinity;
}
