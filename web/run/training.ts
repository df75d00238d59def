/**
 * The run that the page shows: what it is made of, whether it is being prepared, rests or goes, and
 * where it stands. What a person asks for is taken in order, and the last wins.
 */

import { t } from "../texts/texts.ts";
import { fromQuery, parseSettings, type Settings, type Texts, toQuery } from "../way/settings.ts";
import { Client, Ended } from "./client.ts";
import { History } from "./history.ts";
import type { Calls, File, Moment, Notice, Rates, Ready, Report } from "./protocol.ts";

/** A pause is answered within half a second, also where the worker has not heard of it yet. */
const PAUSE_MILLISECONDS = 400;
/** What is under way for longer is given up, and taken again. */
const PATIENCE_MILLISECONDS = 3000;
/** A run that is not prepared by then is given up where another is to be prepared. */
const PREPARE_MILLISECONDS = 500;

/** What the run is about. */
export type State = "preparing" | "resting" | "running";

/** A line for people, in the language of now; one may be mended by a click. */
export interface Line {
  readonly text: () => string;
  readonly mend?: { readonly label: () => string; readonly changes: Partial<Texts> };
}

/** What listeners are told of. */
type Change = "begun" | "state" | "steps" | "moment" | "settings" | "notices";

const wait = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

export class Training {
  readonly client = new Client<Calls>("worker.js");
  readonly history = new History();
  texts: Texts;
  settings: Settings;
  /** What of the address made no sense. */
  wrong: Partial<Texts>;
  ready: Ready | undefined;
  state: State = "preparing";
  /** Whether it is to go as soon as it is prepared. */
  isWanted = false;
  /** The last moment that is known. */
  moment: Moment | undefined;
  notices: readonly Line[] = [];
  /** Time that its steps took, and those since it was last started. */
  seconds = 0;
  recent = { steps: 0, seconds: 0 };
  /** How fast this machine is, as measured. */
  rates: Rates = {};
  /** Milliseconds that a step of this run takes. */
  stepTime: number | undefined;

  readonly #listeners = new Map<Change, (() => void)[]>();
  #turn = 0; // the last preparation
  #began = 0; // when it began
  #beginning: { file?: File } = {};
  #dropped: readonly File[] | undefined;

  constructor() {
    const { texts, wrong } = fromQuery(location.search);
    this.texts = texts;
    this.wrong = wrong;
    this.settings = parseSettings(texts);
    this.client.listen((report) => this.#hear(report));
  }

  /** Calls back whenever something of that kind has changed. */
  on(change: Change, listener: () => void): void {
    this.#listeners.set(change, [...this.#listeners.get(change) ?? [], listener]);
  }

  #tell(...changes: Change[]): void {
    for (const change of changes) {
      for (const listener of this.#listeners.get(change) ?? []) listener();
    }
  }

  get step(): number {
    return this.history.losses.length;
  }

  /** Whether its weights were made by chance alone, and mean nothing yet. */
  get isFresh(): boolean {
    return this.step === 0 && !this.ready?.isLoaded;
  }

  #hear(report: Report): void {
    if (report.kind === "steps") {
      const seconds = report.milliseconds / 1000;
      this.seconds += seconds;
      this.recent.steps += report.losses.length;
      this.recent.seconds += seconds;
      for (const loss of report.losses) this.history.losses.push(loss);
      this.#tell("steps");
    } else if (report.kind === "evaluation") {
      this.history.accuracies.push([report.step, report.accuracy]);
      this.#tell("steps");
    } else if (report.kind === "moment") {
      this.moment = report.moment;
      this.#tell("moment");
    } else if (report.kind === "rates") {
      ({ rates: this.rates, step: this.stepTime } = report);
    } else if (report.kind === "paused") {
      if (this.state === "running") this.#rest(); // not where another is being prepared already
    } else if (report.kind === "notice") {
      this.#notify([{ text: () => t.error(report.line) }]);
    } else if (report.kind === "stopped") {
      this.history.cut(report.step);
      this.#notify([{
        text: () => t.train.again(t.error(report.message), report.step, t.bar.goOn),
      }]);
      this.#become("resting"); // and nothing more is asked of a device that was lost
      this.#tell("steps");
    }
  }

  /** It rests now, and is looked at as it is. */
  #rest(): void {
    this.#become("resting");
    this.look(false);
  }

  #become(state: State): void {
    this.state = state;
    this.#tell("state");
  }

  /** Asks for the moment of now. */
  async look(withGradient: boolean): Promise<void> {
    const mine = this.#turn;
    try {
      const moment = await this.client.ask("moment", withGradient);
      if (mine !== this.#turn) return;
      this.moment = moment;
      this.#tell("moment");
    } catch { /* a lost device is told where training is */ }
  }

  /**
   * Prepares a run from its start.
   * @param how weights from a file, and whether data may be downloaded.
   * @returns whether it is prepared; not where it cannot be, or where something else came between.
   */
  async prepare(how: { file?: File; download?: boolean; kept?: Moment } = {}): Promise<boolean> {
    const { file, download = true, kept } = how;
    const mine = ++this.#turn, now = performance.now();
    if (this.state === "preparing" && now - this.#began > PREPARE_MILLISECONDS) this.#end();
    this.#began = now;
    this.#become("preparing");
    let ready;
    try {
      if (this.#dropped && this.#lost) await this.client.ask("useFiles", [...this.#dropped]);
      this.#lost = false;
      const { settings, rates } = this;
      ready = await this.client.ask("begin", { settings, download, file, kept, rates });
    } catch (error) {
      if (mine !== this.#turn || error instanceof Ended) return false;
      this.isWanted = false;
      if (file) { // the run before is still there
        this.#become("resting");
        throw error;
      }
      this.ready = undefined;
      this.#notify([{ text: () => t.error((error as Error).message) }]);
      this.#become("resting");
      return false;
    }
    if (mine !== this.#turn) return false;
    this.#beginning = { file };
    this.#begun(ready, kept !== undefined);
    return true;
  }

  /** Whether the worker knows nothing of what it was given. */
  #lost = true;

  #end(): void {
    this.client.end();
    this.#lost = true;
  }

  #begun(ready: Ready, isKept: boolean): void {
    this.ready = ready;
    this.stepTime = ready.cost.step;
    if (ready.hidden !== undefined && ready.hidden !== this.texts.hidden) {
      // The settings follow the weights, so that the address and Reset mean this network.
      this.#take({ hidden: ready.hidden });
    }
    this.history.cut(ready.step);
    if (!isKept) this.seconds = 0;
    this.recent = { steps: 0, seconds: 0 };
    const wrong = Object.entries(this.wrong).map(([name, text]) => `${name}=${text.slice(0, 80)}`);
    if (!isKept) {
      this.#notify([
        ...wrong.length > 0 ? [{ text: () => t.train.wrong(wrong.join(", ")) }] : [],
        ...ready.notices.map(lineOf),
      ]);
    }
    this.moment = undefined;
    this.#become("resting");
    this.#tell("begun", "steps");
    if (this.isWanted) this.start();
    else this.look(false);
  }

  /** Ends a preparation that takes too long. */
  cancel(): void {
    this.#turn++;
    this.#end();
    this.isWanted = false;
    this.ready = undefined;
    this.#notify([{ text: () => t.train.cancelled }]);
    this.#become("resting");
  }

  /** Trains on; at the end of its steps for as many more. */
  start(): void {
    if (this.state === "preparing") {
      this.isWanted = true;
      return this.#tell("state");
    }
    const { steps } = this.settings;
    if (this.step >= steps) this.#extend(this.step + steps);
    this.#run(false);
  }

  /** Takes one step; behind the last one more. */
  single(): void {
    if (this.state !== "resting" || !this.ready) return;
    if (this.step >= this.settings.steps) this.#extend(this.step + 1);
    this.#run(true);
  }

  #extend(steps: number): void {
    this.#take({ steps: `${Math.min(1_000_000, steps)}` });
  }

  async #run(single: boolean): Promise<void> {
    if (!this.ready || this.state !== "resting") return;
    this.isWanted = false;
    this.recent = { steps: 0, seconds: 0 };
    this.#become("running");
    try {
      await this.client.ask("run", this.settings.steps, single);
    } catch (error) {
      if (error instanceof Ended) return;
      this.#notify([{ text: () => t.error((error as Error).message) }]);
      this.#become("resting");
    }
  }

  /**
   * Pauses, at once for the person. The steps that are under way come in behind it; a step that takes
   * too long is given up, and taken again later.
   */
  async pause(): Promise<void> {
    if (this.state === "preparing") {
      this.isWanted = false;
      return this.#tell("state");
    }
    const mine = this.#turn;
    const answer = this.client.ask("pause").then(() => true, () => true);
    const isAnswered = (milliseconds: number) =>
      Promise.race([answer, wait(milliseconds).then(() => false)]);
    if (await isAnswered(PAUSE_MILLISECONDS) || mine !== this.#turn) return;
    this.#become("preparing");
    const isLate = await isAnswered(PATIENCE_MILLISECONDS);
    if (mine !== this.#turn) return;
    if (isLate) {
      this.#rest();
      if (this.isWanted) this.start();
      return;
    }
    const kept = this.moment;
    this.#end();
    this.history.cut(kept?.step ?? 0);
    this.#notify([{ text: () => t.train.backAt(`${kept?.step ?? 0}`) }]);
    this.#tell("steps");
    await this.prepare({ ...this.#beginning, kept, download: false });
  }

  /** Takes new settings, into the address too. A longer run goes on; any other begins anew. */
  async set(changes: Partial<Texts>): Promise<void> {
    const changed = Object.entries(changes)
      .filter(([name, text]) => this.texts[name as keyof Texts] !== text)
      .map(([name]) => name);
    this.#take(changes);
    const isLonger = changed.length > 0 && changed.every((name) => name === "steps") &&
      this.settings.schedule === "constant" && this.settings.steps >= this.step;
    if (!isLonger || !this.ready) await this.prepare();
    else {
      if (this.state === "running") { // up to the new end
        await this.client.ask("run", this.settings.steps, false);
      }
      this.#tell("steps", "state");
    }
  }

  #take(changes: Partial<Texts>): void {
    this.texts = { ...this.texts, ...changes };
    this.wrong = {};
    this.settings = parseSettings(this.texts);
    const query = new URLSearchParams(toQuery(this.texts));
    for (const name of ["lang", "present"]) { // what else the address holds
      const value = new URLSearchParams(location.search).get(name);
      if (value !== null) query.set(name, value);
    }
    const text = query.toString();
    const address = location.pathname + (text && `?${text}`) + location.hash;
    globalThis.history.replaceState(null, "", address);
    this.#tell("settings");
  }

  /** Takes data from files that were dropped or chosen. */
  async useFiles(files: readonly File[]): Promise<{ train: number; test: number }> {
    const found = await this.client.ask("useFiles", [...files]);
    this.#dropped = files;
    await this.set({ data: "mnist" });
    return found;
  }

  #notify(lines: readonly Line[]): void {
    this.notices = lines;
    this.#tell("notices");
  }
}

/** A notice in the language of now, with what mends it. */
function lineOf(notice: Notice): Line {
  if (notice.kind === "cpu") return { text: () => t.train.noGpu };
  if (notice.kind === "no mnist") {
    return {
      text: () => {
        const why = notice.problems.map((place) =>
          /^[\w:/.-]+$/.test(place) ? t.train.notAt(place) : t.error(place)
        );
        if (notice.canDownload) why.push(t.train.resetDownloads);
        return t.train.noMnist(why.join("; "));
      },
    };
  }
  const { line } = notice;
  const h = /give a larger h: (\S+) flips/.exec(line)?.[1];
  return {
    text: () => t.error(line),
    mend: h === undefined ? undefined : { label: () => t.train.useH(h), changes: { h } },
  };
}
