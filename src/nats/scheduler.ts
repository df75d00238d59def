/**
 * Who evaluates which pieces of a step's gradient, and when what was given out is given out again. It
 * knows no network and no clock but the times that it is told, so that the same rules run in training,
 * in tests and in the simulation.
 *
 * A worker has up to two slices at a time, one that it computes and one that waits for it, and each is
 * a part of what is left for it at its speed: large ones first, small ones towards the end, so that all
 * end together (Polychronopoulos and Kuck, "Guided self-scheduling", IEEE Transactions on Computers
 * 1987). What takes far longer than expected goes to another one, too; the first answer counts.
 */

/** What pieces cost, and handing them out does: milliseconds on the reference machine. */
export interface Costs {
  /** Each piece's. */
  readonly pieces: Float64Array; // [pieces]
  /** Numbers of each piece. */
  readonly sizes: Uint32Array; // [pieces]
  /** Pieces that a slice does not reach across: the first of each layer. */
  readonly starts: readonly number[];
  /** What a worker takes once a step: new weights, and their forward pass. */
  readonly start: number;
  /** What each slice takes besides its pieces: there and back. */
  readonly handing: number;
}

/** A slice that is to be sent. */
export interface Assignment {
  readonly worker: string;
  readonly task: number;
  /** How many times it was given out before. */
  readonly attempt: number;
  readonly first: number;
  readonly end: number;
}

/** A slice on one worker. */
interface Holding {
  readonly task: Task;
  readonly at: number;
  readonly expected: number; // milliseconds
  /** Whether it is its worker's first in this step. */
  readonly isFirst: boolean;
}

interface Task {
  readonly id: number;
  readonly first: number;
  readonly end: number;
  attempts: number;
  by: string | undefined; // who answered
}

interface Member {
  readonly name: string;
  /** Over the reference machine's. */
  speed: number;
  /** Milliseconds that it takes once a step, before its first slice. */
  start: number;
  /** Steps that it was left out of, as all would be done before it could begin. */
  skipped: number;
  isKnown: boolean; // whether it has answered
  /** What it was given and has not answered, the one that it computes first. */
  queue: Holding[];
  /** Since when it computes the first of these. */
  since: number;
  /** Whether it has had no slice in this step. */
  isFresh: boolean;
  /** Whether it let a slice wait for too long, and nothing was heard of it since. */
  isSilent: boolean;
  /** The layer that it computed last in this step, by its place among the starts. */
  layer: number;
}

/** Slices that a worker has at a time. */
const DEPTH = 2;
/** A slice is one part in so many of what is left for its worker. */
const PARTS = 2;
/** A worker that takes too long to begin is asked again each so many times. */
const RETRIED = 64;
/** Of how fast a worker was thought to be, the share that one answer changes. */
const LEARNED = 0.3;
/** Answers by which the usual spread is known. */
const REMEMBERED = 64;
/** The same, until the usual spread is known. */
const FIRST_PATIENCE = 4;
/** The least spread of times over what was expected, and milliseconds that no slice is late by. */
const LEAST_SPREAD = 0.15, LEAST_DELAY = 30;

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
};

/** Deals out one step after the other. */
export class Scheduler {
  readonly #costs: Costs;
  readonly #most: number; // numbers of a slice
  readonly #members = new Map<string, Member>();
  #tasks: Task[] = [];
  /** Pieces that nobody was given, one range for each layer. */
  #free: { first: number; end: number }[] = [];
  #freePieces = 0;
  #freeCost = 0; // of these pieces
  /** Tasks that nobody has any more. */
  readonly #orphans = new Set<Task>();
  /** Times over what was expected. */
  readonly #ratios: number[] = [];
  /** Past so many times what was expected a slice is late: the median and three deviations. */
  #patience = FIRST_PATIENCE;

  /** @param most numbers of a slice, at most: what a message has room for. */
  constructor(costs: Costs, most = Infinity) {
    this.#costs = costs;
    this.#most = most;
  }

  /** Takes in a worker, or one again that was silent: what it has not answered by now it will not. */
  join(name: string, now: number): void {
    const known = this.#members.get(name);
    if (known) {
      if (!known.isSilent) return;
      known.isSilent = false;
      known.since = now;
      this.#giveBack(known);
      return;
    }
    const speeds = [...this.#members.values()].filter(({ isKnown }) => isKnown)
      .map(({ speed }) => speed);
    const speed = speeds.length > 0 ? median(speeds) : 1;
    this.#members.set(name, {
      name,
      speed,
      start: this.#costs.start / speed,
      skipped: 0,
      isKnown: false,
      queue: [],
      since: now,
      isFresh: true,
      isSilent: false,
      layer: -1,
    });
  }

  /** Lets a worker go; what it was given goes to others. */
  leave(name: string): void {
    const member = this.#members.get(name);
    if (!member) return;
    this.#giveBack(member);
    this.#members.delete(name);
  }

  /**
   * Lets a worker go whose answers cannot be trusted.
   * @returns the tasks of this step that it answered, which are to be done again.
   */
  expel(name: string): number[] {
    this.leave(name);
    const redone = this.#tasks.filter(({ by }) => by === name);
    for (const task of redone) {
      task.by = undefined;
      this.#release(task);
    }
    return redone.map(({ id }) => id);
  }

  /** Everyone who takes part, and how fast each is over the reference machine. */
  get speeds(): ReadonlyMap<string, number> {
    return new Map([...this.#members.values()].map(({ name, speed }) => [name, speed]));
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  /** Begins a step: all pieces are to be evaluated. */
  begin(now: number): void {
    const { starts, pieces } = this.#costs;
    this.#tasks = [];
    this.#orphans.clear();
    this.#free = starts.map((first, i) => ({ first, end: starts[i + 1] ?? pieces.length }));
    this.#freePieces = pieces.length;
    this.#freeCost = this.costOf(0, pieces.length);
    for (const member of this.#members.values()) {
      member.isSilent ||= member.queue.length > 0; // it computes what nobody wants any more
      member.queue = [];
      member.isFresh = true;
      member.since = now;
      member.layer = -1;
    }
  }

  /** Whether all pieces of this step were answered. */
  get isDone(): boolean {
    return this.#freePieces === 0 && this.#tasks.every(({ by }) => by !== undefined);
  }

  /** The pieces of a task of this step. */
  rangeOf(task: number): { first: number; end: number } {
    return this.#tasks[task];
  }

  /** What is to be sent now. */
  next(now: number): Assignment[] {
    const made: Assignment[] = [];
    let late: Task[] | undefined;
    for (let depth = 1; depth <= DEPTH; depth++) {
      // Towards the end nobody lets a slice wait that another could compute.
      if (depth > 1 && this.#left < 2 * this.#costs.handing) break;
      for (const member of this.#bySpeed()) {
        if (member.isSilent || member.queue.length >= depth) continue;
        let task = this.#take(member, now);
        if (!task && depth === 1) {
          late ??= this.#late(now);
          const place = late.findIndex((task) => !member.queue.some((held) => held.task === task));
          if (place >= 0) [task] = late.splice(place, 1);
        }
        if (task) made.push(this.#give(member, task, now));
      }
    }
    late?.forEach((task) => this.#release(task)); // what nobody was there for
    return made;
  }

  /** When something may be overdue, if nothing is heard; Infinity where all is well. */
  get alarm(): number {
    const deadlines = [...this.#members.values()].flatMap((member) => this.#deadlinesOf(member));
    return Math.min(
      Infinity,
      ...deadlines.filter(({ task }) => task.by === undefined).map(({ at }) => at),
    );
  }

  /**
   * Takes note of an answer to a slice of this step.
   * @returns whether it is the first to it.
   */
  answered(name: string, id: number, now: number): boolean {
    const member = this.#members.get(name), task = this.#tasks[id];
    if (!member) return false;
    member.isSilent = false;
    const place = member.queue.findIndex(({ task }) => task.id === id);
    if (place >= 0) {
      const [held] = member.queue.splice(place, 1);
      this.#learn(member, held, now - member.since);
      member.since = now;
    }
    if (!task || task.by !== undefined) return false;
    task.by = name;
    return true;
  }

  /** Takes an answer back that turned out to be none. */
  revoke(id: number): void {
    const task = this.#tasks[id];
    task.by = undefined;
    this.#release(task);
  }

  /** A slice could not be sent. */
  failed(name: string, id: number): void {
    const member = this.#members.get(name), task = this.#tasks[id];
    if (member) {
      member.queue = member.queue.filter((held) => held.task !== task);
      member.isSilent = true; // until it is heard of
    }
    this.#release(task);
  }

  /** Milliseconds until all is done that nobody was given, were all at it. */
  get #left(): number {
    let speed = 0;
    for (const member of this.#members.values()) if (!member.isSilent) speed += member.speed;
    return this.#freeCost / Math.max(speed, 1e-9);
  }

  /** Milliseconds until all is done by those who have begun, without one who has not. */
  #endWithout(member: Member, now: number): number {
    let speed = 0, held = 0;
    for (const other of this.#members.values()) {
      if (other === member || other.isFresh || other.isSilent) continue;
      speed += other.speed;
      const backlog = other.queue.reduce((sum, { expected }) => sum + expected, other.since - now);
      held += other.speed * Math.max(0, backlog);
    }
    return speed > 0 ? (held + this.#freeCost) / speed : Infinity;
  }

  /** Those who begin soonest first. */
  #bySpeed(): Member[] {
    const start = (member: Member) => member.isFresh ? member.start : 0;
    return [...this.#members.values()]
      .sort((a, b) => start(a) - start(b) || b.speed - a.speed);
  }

  /** The next pieces for a worker that nobody was given. */
  #take(member: Member, now: number): Task | undefined {
    if (this.#freePieces === 0) return undefined;
    const { pieces, sizes, handing } = this.#costs, left = this.#left;
    const layer = this.#layerFor(member);
    if (layer < 0) return undefined;
    const start = member.isFresh ? member.start : 0;
    const isTooLate = start > 0 && start > this.#endWithout(member, now);
    if (isTooLate && ++member.skipped % RETRIED) return undefined;
    const wanted = Math.max(left / PARTS - start, handing) * member.speed;
    const free = this.#free[layer], { first } = free;
    let cost = 0, size = 0, end = first;
    while (end < free.end && (end === first || cost < wanted)) {
      if (end > first && size + sizes[end] > this.#most) break;
      size += sizes[end];
      cost += pieces[end++];
    }
    free.first = end;
    this.#freeCost -= cost;
    this.#freePieces -= end - first;
    member.layer = layer;
    const task = { id: this.#tasks.length, first, end, attempts: 0, by: undefined };
    this.#tasks.push(task);
    return task;
  }

  /** Where a worker goes on: in its layer, or where most is left for each worker. */
  #layerFor(member: Member): number {
    const { pieces } = this.#costs;
    if (this.#free[member.layer]?.first < this.#free[member.layer]?.end) return member.layer;
    const left = this.#free.map(({ first, end }) =>
      pieces.subarray(first, end).reduce((sum, cost) => sum + cost, 0)
    );
    const members = [...this.#members.values()];
    const each = left.map((cost, layer) =>
      cost / (1 + members.filter((other) => other !== member && other.layer === layer).length)
    );
    const largest = Math.max(...each);
    return largest > 0 ? each.indexOf(largest) : -1;
  }

  /** Somebody who has a task no longer has it: where nobody else does, the next one takes it. */
  #release(task: Task): void {
    if (task.by !== undefined) return;
    for (const { queue } of this.#members.values()) {
      if (queue.some((held) => held.task === task)) return; // somebody else has it, too
    }
    this.#orphans.add(task);
  }

  #giveBack(member: Member): void {
    const held = member.queue;
    member.queue = [];
    for (const { task } of held) if (this.#tasks[task.id] === task) this.#release(task);
  }

  /** Tasks that nobody has any more, and those that all who have them should have answered by now. */
  #late(now: number): Task[] {
    const lost = [...this.#orphans].filter((task) => task.by === undefined);
    this.#orphans.clear();
    const until = new Map<Task, number>();
    for (const member of this.#members.values()) {
      const deadlines = this.#deadlinesOf(member);
      for (const { task, at } of deadlines) {
        if (task.by === undefined) until.set(task, Math.max(at, until.get(task) ?? 0));
      }
      if (deadlines.some(({ task, at }) => task.by === undefined && at <= now)) this.#lose(member);
    }
    const overdue = [...until].filter(([, at]) => at <= now).sort(([, a], [, b]) => a - b);
    return [...lost, ...overdue.map(([task]) => task)];
  }

  /** Notes that a worker lets others wait. */
  #lose(member: Member): void {
    if (member.isSilent) return;
    member.isSilent = true;
    member.speed /= 2;
  }

  /** Until when each slice of a worker should be answered. */
  #deadlinesOf({ queue, since }: Member): { task: Task; at: number }[] {
    const start = Math.max(since, queue[0]?.at ?? since);
    let expected = 0;
    return queue.map((held) => {
      expected += held.expected;
      return { task: held.task, at: start + expected * this.#patience + LEAST_DELAY };
    });
  }

  #give(member: Member, task: Task, now: number): Assignment {
    const { isFresh, queue, speed, start } = member;
    const work = this.costOf(task.first, task.end) / speed;
    const expected = this.#costs.handing + work + (isFresh ? start : 0);
    if (queue.length === 0) member.since = now;
    member.isFresh = false;
    const attempt = task.attempts++;
    queue.push({ task, at: now, expected, isFirst: isFresh });
    return { worker: member.name, task: task.id, attempt, first: task.first, end: task.end };
  }

  /** Milliseconds that pieces take on the reference machine. */
  costOf(first: number, end: number): number {
    return this.#costs.pieces.subarray(first, end).reduce((sum, cost) => sum + cost, 0);
  }

  /** A slice took so long. */
  #learn(member: Member, { expected, isFirst }: Holding, taken: number): void {
    const { handing } = this.#costs;
    const least = 0.05 * expected; // clocks are coarse, and answers come in bunches
    if (member.isKnown && isFirst) {
      member.start = Math.max(0, member.start + LEARNED * (taken - expected));
    } else {
      const factor = Math.max(expected - handing, least) / Math.max(taken - handing, least);
      const change = Math.min(20, Math.max(0.05, factor)) ** (member.isKnown ? LEARNED : 1);
      member.speed *= change;
      if (!member.isKnown) member.start /= change;
    }
    member.isKnown = true;
    this.#ratios.push(taken / expected);
    if (this.#ratios.length > REMEMBERED) this.#ratios.shift();
    const usual = median(this.#ratios);
    const deviation = 1.4826 * median(this.#ratios.map((ratio) => Math.abs(ratio - usual)));
    const isUsual = this.#ratios.length >= 8;
    this.#patience = isUsual ? usual + 3 * Math.max(deviation, LEAST_SPREAD) : FIRST_PATIENCE;
  }
}
