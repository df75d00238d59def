/** How the run goes: its curve, its numbers, and what is to be said of it. */

import { Chart } from "../parts/chart.ts";
import { byId, make, showFacts } from "../parts/elements.ts";
import { inLanguage, t } from "../texts/texts.ts";
import { time } from "../way/cost.ts";
import type { Training } from "./training.ts";

const TUTORIAL_HOURS = 8;
const TUTORIAL_EVALUATIONS = 600 * 2 * 39760;

/** Shows it, and again whenever it has changed. */
export function showProgress(training: Training): void {
  const { history } = training;
  const chart = new Chart(byId("train-curve"), () => ({
    x: t.train.step,
    y: t.train.loss,
    right: t.train.testAccuracy,
    curves: [
      { label: t.train.loss, color: "faint", width: 1 },
      { label: t.train.mean, color: "accent" },
      { label: t.train.accuracy, color: "accuracy", right: true, points: true },
    ],
    describe: t.train.describe,
  }));

  function showNumbers(): void {
    const { ready, settings, seconds, recent } = training;
    if (!ready) return;
    const { losses, accuracies } = history, { facts } = t.train;
    const rate = recent.seconds > 0 ? recent.steps / recent.seconds : 0;
    const evaluations = losses.length * ready.evaluationsPerStep;
    const pace = TUTORIAL_HOURS * 3600 * evaluations / TUTORIAL_EVALUATIONS;
    const accuracy = accuracies.at(-1)?.[1];
    showFacts(byId("train-facts"), [
      [facts.step, t.train.of(t.number(losses.length), t.number(settings.steps))],
      [facts.loss, losses.length ? history.recent().toFixed(4) : t.none],
      [facts.accuracy, accuracy === undefined ? t.none : t.percent(accuracy)],
      [facts.rate, rate ? rate.toFixed(1) : t.none],
      [facts.differences, rate ? t.compact(rate * ready.parameters) : t.none],
      [facts.evaluations, rate ? t.compact(rate * ready.evaluationsPerStep) : t.none],
      [facts.soFar, t.compact(evaluations)],
      [facts.pace, t.train.hours((pace / 3600).toFixed(2))],
      [facts.here, t.train.seconds(seconds.toFixed(1))],
      [facts.times, seconds && evaluations ? t.number(pace / seconds) : t.none],
    ]);
  }

  function showAdapter(): void {
    const { ready, state, settings } = training;
    if (state === "preparing") {
      const network = settings.network || `${settings.hidden}, ${settings.activation}`;
      byId("adapter").textContent = t.train.preparingNetwork(network);
      return;
    }
    if (!ready) return void (byId("adapter").textContent = "");
    const kind = ready.backend === "cpu"
      ? t.train.cpu
      : `${ready.adapter}${ready.software ? ` (${t.train.software})` : ""}`;
    const data = ready.data === "synthetic digits" ? t.train.synthetic : ready.data;
    const evaluations = t.number(ready.evaluationsPerStep);
    byId("adapter").textContent = `${kind}. ${
      t.train.onData(ready.shape, data, t.number(ready.parameters), evaluations)
    }`;
    const step = training.stepTime;
    byId("slow").textContent = step && step > 500 ? t.cost.long(time(step)) : "";
  }

  function showNotices(): void {
    byId("notices").replaceChildren(...training.notices.map(({ text, mend }) => {
      const line = make("p", {}, text());
      if (mend) {
        const button = make("button", { type: "button" }, mend.label());
        button.addEventListener("click", () => {
          training.set(mend.changes);
          byId("start").focus(); // the notice goes, and its button with it
        });
        line.append(" ", button);
      }
      return line;
    }));
  }

  let drawing = false;
  /** Draws at the next frame, however many reports come before it. */
  function soon(): void {
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(() => {
      drawing = false;
      const { steps, raw, means, accuracies } = history.points();
      chart.set(steps, raw, means, accuracies);
      showNumbers();
    });
  }
  training.on("steps", soon);
  training.on("state", showAdapter);
  training.on("notices", showNotices);
  inLanguage(() => {
    showAdapter();
    showNotices();
    soon();
  });
}
