/** Start, pause, a single step and a new start, always in reach at the foot of the page. */

import { byId, enable, isEnabled } from "../parts/elements.ts";
import { inLanguage, t } from "../texts/texts.ts";
import type { Training } from "./training.ts";

/** Puts the bar to work. */
export function showBar(training: Training): void {
  const start = byId<HTMLButtonElement>("start"), cancel = byId<HTMLButtonElement>("cancel");

  function show(): void {
    const { state, isWanted, ready, settings, history } = training;
    const goes = state === "running" || isWanted;
    start.textContent = goes ? t.bar.pause : training.step > 0 ? t.bar.goOn : t.bar.start;
    enable(start, ready !== undefined || state === "preparing");
    enable(byId("step"), ready !== undefined && state === "resting");
    enable(byId("reset"), true);
    cancel.hidden = state !== "preparing";
    byId("bar").dataset.state = state;
    const accuracy = history.accuracies.at(-1)?.[1];
    byId("bar-state").textContent = state === "preparing"
      ? t.train.preparing
      : training.step === 0
      ? t.bar.fresh
      : t.bar.state(
        t.number(training.step),
        t.number(settings.steps),
        history.recent().toFixed(4),
        accuracy === undefined ? t.none : t.percent(accuracy),
      );
  }
  let drawing = false;
  const soon = () => {
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(() => {
      drawing = false;
      show();
    });
  };
  start.addEventListener("click", () => {
    if (!isEnabled(start)) return;
    if (training.state === "running" || training.isWanted) training.pause();
    else training.start();
  });
  byId("step").addEventListener("click", () => training.single());
  byId("reset").addEventListener("click", () => {
    training.isWanted = false;
    training.prepare();
  });
  cancel.addEventListener("click", () => {
    training.cancel();
    start.focus();
  });
  training.on("state", show);
  training.on("settings", show);
  training.on("steps", soon);
  inLanguage(show);
}
