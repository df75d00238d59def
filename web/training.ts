/** Part two: a run, its settings, and how it goes. */

import { Chart } from "./chart.ts";
import type { Client } from "./client.ts";
import { byId, make, showFacts } from "./elements.ts";
import { History } from "./history.ts";
import type { Ready } from "./protocol.ts";
import {
  complaintAbout,
  fromQuery,
  NAMES,
  parseSettings,
  SETTINGS,
  type Settings,
  SHORT_FORM,
  type Texts,
  toQuery,
} from "./settings.ts";

const TUTORIAL_HOURS = 8;
const TUTORIAL_EVALUATIONS = 600 * 2 * 39760;
const count = (value: number) => Math.round(value).toLocaleString("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** The run that the page shows. */
export class Training {
  readonly history = new History();
  settings: Settings;
  ready: Ready | undefined;
  readonly #client: Client;
  readonly #chart: Chart;
  readonly #fields = new Map<keyof Settings, HTMLInputElement | HTMLSelectElement>();
  readonly #begun: ((ready: Ready) => void)[] = [];
  #texts: Texts;
  /** What of the address made no sense. */
  #wrong: Partial<Texts>;
  #running = false;
  #seconds = 0;
  #recentSteps = 0;
  #recentSeconds = 0;
  #drawing = false;

  constructor(client: Client) {
    this.#client = client;
    const { texts, wrong } = fromQuery(location.search);
    this.#texts = texts;
    this.settings = parseSettings(texts);
    this.#wrong = wrong;
    this.#buildForm();
    this.#chart = new Chart(byId("train-curve"), {
      x: "step",
      y: "loss",
      right: "test accuracy",
      curves: [
        { label: "loss", color: "line", width: 1 },
        { label: "mean of 100", color: "one" },
        { label: "accuracy", color: "three", right: true, points: true },
      ],
      describe: "The loss and the test accuracy against steps; the latest numbers stand above.",
    });
    byId("start").addEventListener("click", () => this.#running ? this.pause() : this.start());
    byId("step").addEventListener("click", () => this.#runTo((this.ready?.step ?? 0) + 1));
    byId("reset").addEventListener("click", () => this.reset());
    client.listen((report) => {
      if (report.kind === "steps") {
        this.#seconds += report.milliseconds / 1000;
        this.#recentSteps += report.losses.length;
        this.#recentSeconds += report.milliseconds / 1000;
        for (const loss of report.losses) this.history.losses.push(loss);
        this.ready = { ...this.ready!, step: this.history.losses.length };
        this.#draw();
      } else if (report.kind === "evaluation") {
        this.history.accuracies.push([report.step, report.accuracy]);
        this.#draw();
      } else if (report.kind === "paused") {
        this.#setRunning(false);
      } else if (report.kind === "notice") {
        this.#notify([report.line]);
      } else if (report.kind === "stopped") {
        this.history.cut(report.step);
        this.ready = { ...this.ready!, step: report.step };
        this.#setRunning(false);
        this.#notify([`${report.message}. Go on tries again from step ${report.step}.`]);
        this.#draw();
      }
    });
  }

  /** Calls back whenever a run has begun. */
  onBegin(listener: (ready: Ready) => void): void {
    this.#begun.push(listener);
  }

  /** Begins a run anew, from the settings in the form. */
  async reset(download = true): Promise<void> {
    this.#busy(true);
    try {
      this.begun(await this.#client.ask("reset", this.settings, download));
    } catch (error) {
      this.#notify([(error as Error).message]);
    }
    this.#busy(false);
  }

  /** A run has begun: shows it from its start. */
  begun(ready: Ready): void {
    this.history.cut(0);
    this.#seconds = 0;
    this.#began(ready);
  }

  #began(ready: Ready): void {
    this.ready = ready;
    this.#setRunning(false);
    const kind = ready.backend === "cpu"
      ? "No WebGPU here: training on the CPU, in float64"
      : `${ready.adapter}${ready.software ? " (software: no GPU is used)" : ""}`;
    byId("adapter").textContent = `${kind}. ${ready.shape} on ${ready.data}: ` +
      `${count(ready.parameters)} weights, ${
        count(ready.evaluationsPerStep)
      } loss evaluations a step.`;
    const wrong = Object.entries(this.#wrong).map(([name, text]) => `${name}=${text.slice(0, 80)}`);
    const notice = `The address holds settings that make no sense: ${wrong.join(", ")}.`;
    this.#notify(wrong.length > 0 ? [notice, ...ready.notices] : ready.notices);
    this.#draw();
    for (const listener of this.#begun) listener(ready);
  }

  start(): void {
    this.#runTo(this.settings.steps);
  }

  async pause(): Promise<void> {
    await this.#client.ask("pause");
    this.#setRunning(false);
  }

  async #runTo(steps: number): Promise<void> {
    if (!this.ready || this.ready.step >= steps) return;
    this.#recentSteps = this.#recentSeconds = 0;
    this.#setRunning(true);
    try {
      await this.#client.ask("run", steps);
    } catch (error) {
      this.#setRunning(false);
      this.#notify([(error as Error).message]);
    }
  }

  #notify(lines: readonly string[]): void {
    byId("notices").replaceChildren(...lines.map((line) => make("p", {}, line)));
  }

  #busy(busy: boolean): void {
    for (const id of ["start", "step", "reset", "look"]) {
      byId<HTMLButtonElement>(id).disabled = busy || (!this.ready && id !== "reset");
    }
  }

  #setRunning(running: boolean): void {
    this.#running = running;
    byId("start").textContent = running ? "Pause" : this.history.losses.length ? "Go on" : "Start";
    byId<HTMLButtonElement>("step").disabled = running || !this.ready;
  }

  /** Draws at the next frame, however many reports come before it. */
  #draw(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      const { steps, raw, means, accuracies } = this.history.points();
      this.#chart.set(steps, raw, means, accuracies);
      this.#showFacts();
    });
  }

  #showFacts(): void {
    const { losses, accuracies } = this.history, ready = this.ready!;
    const rate = this.#recentSeconds > 0 ? this.#recentSteps / this.#recentSeconds : 0;
    const evaluations = losses.length * ready.evaluationsPerStep;
    const pace = TUTORIAL_HOURS * 3600 * evaluations / TUTORIAL_EVALUATIONS;
    const accuracy = accuracies.at(-1)?.[1];
    showFacts(byId("train-facts"), [
      ["Step", `${count(losses.length)} of ${count(this.settings.steps)}`],
      ["Loss", losses.length ? this.history.recent().toFixed(4) : "–"],
      ["Test accuracy", accuracy === undefined ? "–" : `${(100 * accuracy).toFixed(1)}%`],
      ["Steps a second", rate ? rate.toFixed(1) : "–"],
      ["Central differences a second", rate ? compact.format(rate * ready.parameters) : "–"],
      ["Loss evaluations a second", rate ? compact.format(rate * ready.evaluationsPerStep) : "–"],
      ["Loss evaluations so far", compact.format(evaluations)],
      ["At the tutorial’s pace", `${(pace / 3600).toFixed(2)} hours`],
      ["Here", `${this.#seconds.toFixed(1)} s`],
      ["Times as fast", this.#seconds ? count(pace / this.#seconds) : "–"],
    ]);
  }

  /** A field for each setting; a change that makes sense begins a new run. */
  #buildForm(): void {
    const form = byId<HTMLFormElement>("settings");
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const name of NAMES) {
      const { label, choices, hint } = SETTINGS[name];
      const field = choices
        ? make("select", {}, ...choices.map((choice) => make("option", { value: choice }, choice)))
        : make("input", { type: "text", autocomplete: "off", spellcheck: false });
      field.id = `setting-${name}`;
      field.title = hint;
      field.addEventListener("change", () => this.#changed(name));
      const complaint = make("p", { id: `complaint-${name}`, className: "complaint" });
      complaint.setAttribute("role", "alert");
      field.setAttribute("aria-describedby", complaint.id);
      this.#fields.set(name, field);
      form.append(make("div", {}, make("label", {}, label, field), complaint));
    }
    const network = this.#fields.get("network") as HTMLInputElement;
    network.placeholder = "none: hidden widths and activation say it";
    this.#showFields();
    for (const name of NAMES) {
      const text = this.#wrong[name];
      if (text === undefined) continue;
      this.#fields.get(name)!.value = text;
      this.#complain(name, complaintAbout(name, text));
    }
  }

  /** Shows the settings as they are. */
  #showFields(): void {
    for (const [name, field] of this.#fields) {
      field.value = this.#texts[name];
      field.disabled = this.#texts.network !== "" && SHORT_FORM.includes(name);
      this.#complain(name);
    }
    (this.#fields.get("h") as HTMLInputElement).placeholder = `${this.settings.h}`;
  }

  /** Says beside a field why its text makes no sense, or that nothing is wrong with it. */
  #complain(name: keyof Settings, complaint?: string): void {
    this.#fields.get(name)!.setAttribute("aria-invalid", `${complaint !== undefined}`);
    byId(`complaint-${name}`).textContent = complaint ?? "";
  }

  #changed(name: keyof Settings): void {
    const text = this.#fields.get(name)!.value.trim();
    const complaint = complaintAbout(name, text, this.ready?.sample);
    this.#complain(name, complaint);
    if (complaint === undefined) this.set({ [name]: text });
  }

  /** Takes new settings, into the address too, and begins anew. */
  set(changes: Partial<Texts>): Promise<void> {
    this.#texts = { ...this.#texts, ...changes };
    this.#wrong = {};
    this.settings = parseSettings(this.#texts);
    this.#showFields();
    globalThis.history.replaceState(
      null,
      "",
      location.pathname + toQuery(this.#texts) + location.hash,
    );
    return this.reset();
  }
}
