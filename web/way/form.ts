/** The way in: presets with what each costs, and every setting, grouped, with its meaning. */

import { stepFor } from "../../src/core/estimator.ts";
import type { Loss } from "../../src/core/network.ts";
import type { Cost } from "../run/protocol.ts";
import { byId, make } from "../parts/elements.ts";
import type { Training } from "../run/training.ts";
import type { SettingName } from "../texts/en.ts";
import { inLanguage, t } from "../texts/texts.ts";
import { costLine, time } from "./cost.ts";
import { PRESET_NAMES, type PresetName, PRESETS } from "./presets.ts";
import { drawSees } from "./sees.ts";
import {
  complaintAbout,
  estimatorOf,
  fromQuery,
  GROUPS,
  matters,
  NAMES,
  nodesOf,
  parseSettings,
  SETTINGS,
  type Texts,
} from "./settings.ts";

const STANDARD = fromQuery("").texts;
/** All settings of a preset. */
const textsOf = (name: PresetName): Texts => ({ ...STANDARD, ...PRESETS[name] });
/** What a network says by itself, where one is given; its fields stay, but are of no use. */
const SHORT_FORM: readonly SettingName[] = ["hidden", "activation"];
/** Where a preset costs more the form says so before all else. */
const COSTS_MILLISECONDS = 2000;

/** One field with what belongs to it. */
interface Field {
  readonly input: HTMLInputElement | HTMLSelectElement;
  readonly label: HTMLElement;
  readonly meaning: HTMLElement;
  readonly complaint: HTMLElement;
  readonly part: HTMLElement;
}

/** Builds presets and form. */
export function showForm(training: Training): void {
  const fields = new Map<SettingName, Field>();
  const showSees = drawSees();
  let costs: readonly (Cost | undefined)[] = [];

  // Presets.
  const cards = PRESET_NAMES.map((name) => {
    const title = make("strong"), text = make("span"), cost = make("small");
    const button = make("button", { type: "button", className: "preset" }, title, text, cost);
    button.dataset.preset = name;
    button.addEventListener("click", () => training.set(textsOf(name)));
    return { name, button, title, text, cost };
  });
  byId("presets").replaceChildren(...cards.map(({ button }) => make("li", {}, button)));

  // Fields.
  for (const [group, names] of Object.entries(GROUPS)) {
    for (const name of names) {
      const { choices } = SETTINGS[name];
      const input = choices
        ? make("select", {}, ...choices.map((choice) => make("option", { value: choice }, choice)))
        : make("input", { type: "text", autocomplete: "off", spellcheck: false });
      input.id = `setting-${name}`;
      const label = make("label", { htmlFor: input.id });
      const meaning = make("p", { id: `meaning-${name}`, className: "meaning" });
      const complaint = make("p", { id: `complaint-${name}`, className: "complaint" });
      complaint.setAttribute("role", "alert");
      input.setAttribute("aria-describedby", `${complaint.id} ${meaning.id}`);
      input.addEventListener("change", () => changed(name));
      const part = make("div", { className: "setting" }, label, input, complaint, meaning);
      byId(`group-${group}`).append(part);
      fields.set(name, { input, label, meaning, complaint, part });
    }
  }
  byId<HTMLFormElement>("settings").addEventListener("submit", (event) => event.preventDefault());

  /** Says beside a field why its text makes no sense, or that nothing is wrong with it. */
  function complain(name: SettingName, text?: string): void {
    const { input, complaint } = fields.get(name)!;
    input.setAttribute("aria-invalid", `${text !== undefined}`);
    complaint.textContent = text ?? "";
  }

  function changed(name: SettingName): void {
    const text = fields.get(name)!.input.value.trim();
    const complaint = complaintAbout(name, text, training.ready?.sample);
    complain(name, complaint);
    if (complaint !== undefined || text === training.texts[name]) return;
    const changes: Partial<Texts> = { [name]: text };
    // An h that was given for another kind of units would not train these.
    const needs = (texts: Texts) => stepFor(nodesOf(texts), texts.loss as Loss);
    const next = { ...training.texts, ...changes };
    training.set(needs(next) === needs(training.texts) ? changes : { ...changes, h: "" });
  }

  /** Shows the settings as they are. */
  function showFields(): void {
    const { texts, settings } = training;
    for (const [name, { input, part }] of fields) {
      input.value = texts[name];
      const isOf = matters(name, texts);
      part.hidden = !isOf && !SHORT_FORM.includes(name);
      input.disabled = !isOf;
      complain(name);
    }
    for (const name of ["h", "lr"] as const) {
      (fields.get(name)!.input as HTMLInputElement).placeholder = `${settings[name]}`;
    }
    const hasEstimator = texts.engine !== "backprop";
    byId("sees-part").hidden = !hasEstimator;
    if (hasEstimator) showSees(estimatorOf(settings));
    for (const { name, button } of cards) {
      const isChosen = NAMES.every((key) => textsOf(name)[key] === texts[key]);
      button.setAttribute("aria-pressed", `${isChosen}`);
    }
    showCosts();
  }

  function showCosts(): void {
    cards.forEach(({ name, cost }, i) => {
      const { steps } = parseSettings(textsOf(name));
      cost.textContent = costs[i] ? costLine(costs[i], steps) : t.cost.measuring;
    });
    const { settings, ready, stepTime: step } = training, own = ready?.cost;
    byId("cost").textContent = own && step !== undefined && ready
      ? t.cost.says(ready.shape, t.number(own.evaluations), time(step), time(step * settings.steps))
      : "";
    byId("cost").classList.toggle("notice", (step ?? 0) > COSTS_MILLISECONDS);
  }

  /** Asks what the presets and the present settings cost, on this machine. */
  async function weigh(): Promise<void> {
    const list = PRESET_NAMES.map((name) => parseSettings(textsOf(name)));
    try {
      costs = await training.client.ask("costs", list);
      showCosts();
    } catch { /* the next run is weighed again */ }
  }

  training.on("settings", showFields);
  training.on("begun", weigh);
  inLanguage(() => {
    for (const [name, { label, meaning, complaint, input }] of fields) {
      [label.textContent, meaning.textContent] = t.settings[name];
      if (complaint.textContent !== "") {
        complain(name, complaintAbout(name, input.value.trim(), training.ready?.sample));
      }
    }
    for (const { name, title, text } of cards) {
      [title.textContent, text.textContent] = t.presets[name];
    }
    (fields.get("network")!.input as HTMLInputElement).placeholder = t.networkPlaceholder;
    showSees(estimatorOf(training.settings));
    showCosts();
  });
  showFields();
  // What of the address made no sense stands in its field, for all to see.
  if (Object.keys(training.wrong).length > 0) byId<HTMLDetailsElement>("all-settings").open = true;
  for (const name of NAMES) {
    const text = training.wrong[name];
    if (text === undefined) continue;
    fields.get(name)!.input.value = text;
    complain(name, complaintAbout(name, text));
  }
}
