/** What the network gets wrong: which classes it takes for which, and the worst of it. */

import { byId, make, paint } from "../parts/elements.ts";
import type { Report } from "../run/protocol.ts";
import type { Training } from "../run/training.ts";
import { inLanguage, t } from "../texts/texts.ts";

type Evaluated = Report & { kind: "evaluation" };

/** Shows it, and again with each evaluation. */
export function showMistakes(training: Training): void {
  let last: Evaluated | undefined;

  function show(): void {
    const { ready } = training;
    if (!last || !ready) {
      byId("worst").replaceChildren(make("li", {}, t.flow.noneYet));
      return byId("confusion").replaceChildren();
    }
    showConfusion(last.confusion, ready.classes);
    byId("worst").replaceChildren(...last.worst.map(({ label, prediction, pixels }) => {
      const canvas = make("canvas");
      paint(canvas, ready.image, (i) => [pixels[i], pixels[i], pixels[i]]);
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", t.flow.mistakeLabel(label, prediction));
      return make("li", {}, canvas, t.flow.mistake(label, prediction));
    }));
  }

  function showConfusion(confusion: Uint32Array, classes: number): void { // [classes, classes], or empty
    const table = byId<HTMLTableElement>("confusion");
    if (confusion.length === 0) {
      return table.replaceChildren(make("caption", {}, t.flow.tooMany(classes)));
    }
    const labels = Array.from({ length: classes }, (_, i) => i);
    const largest = Math.max(...labels.map((label) => confusion[label * classes + label]), 1);
    const cell = (label: number, guess: number) => {
      const number = confusion[label * classes + guess];
      const td = make("td", {}, number === 0 ? "·" : `${number}`);
      const color = label === guess ? "--accuracy" : "--bad";
      const share = Math.min(35, 60 * number / largest);
      td.style.background = `color-mix(in srgb, var(${color}) ${share.toFixed(0)}%, transparent)`;
      return td;
    };
    const head = labels.map((guess) => make("th", { scope: "col" }, `${guess}`));
    const row = (label: number) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, `${label}`),
        ...labels.map((guess) => cell(label, guess)),
      );
    table.replaceChildren(
      make("caption", {}, t.flow.confusionCaption),
      make("thead", {}, make("tr", {}, make("td"), ...head)),
      make("tbody", {}, ...labels.map(row)),
    );
  }

  training.client.listen((report) => {
    if (report.kind !== "evaluation") return;
    last = report;
    show();
  });
  training.on("begun", () => {
    if (training.step === 0) last = undefined;
    show();
  });
  inLanguage(show);
}
