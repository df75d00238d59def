/** Part one: one weight, its loss, its secant, and what seven digits leave of it. */

import type uPlot from "uplot";
import { Chart } from "./chart.ts";
import { loss, slopes, TUTORIAL_WEIGHTS } from "./difference.ts";
import { byId, make, onTheme, short, showFacts, themeColor } from "./elements.ts";

const REACH = 4; // of the weight's axis, both ways
const STEPS = Array.from({ length: 81 }, (_, i) => 10 ** (-8 + i / 10));

/** Puts the figure to work. */
export function showIdea(): void {
  const weights: number[] = [...TUTORIAL_WEIGHTS];
  let chosen = 0;
  const slider = byId<HTMLInputElement>("idea-w"), stepSlider = byId<HTMLInputElement>("idea-h");
  const h = () => 10 ** Number(stepSlider.value);

  const cells = weights.map((_, i) => {
    const button = make("button", { type: "button" }, make("span"), make("small"));
    button.addEventListener("click", () => {
      chosen = i;
      update();
    });
    return button;
  });
  byId("idea-matrix").replaceChildren(
    ...[0, 1].map((row) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, `input ${row + 1}`),
        ...cells.slice(3 * row, 3 * row + 3).map((cell) => make("td", {}, cell)),
      )
    ),
  );

  /** The secant, and the three places that are evaluated. */
  const drawSecant = (plot: uPlot) => {
    const { ctx } = plot, w = weights[chosen], step = h();
    const place = (at: number, value: number): [number, number] => [
      plot.valToPos(at, "x", true),
      plot.valToPos(value, "y", true),
    ];
    const at = (d: number) => loss(weights.map((value, i) => i === chosen ? value + d : value));
    const { exact } = slopes(weights, chosen, step);
    const middle = (at(step) + at(-step)) / 2;
    ctx.save();
    ctx.strokeStyle = themeColor("two");
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(...place(w - 2, middle - 2 * exact));
    ctx.lineTo(...place(w + 2, middle + 2 * exact));
    ctx.stroke();
    for (const d of [-step, 0, step]) {
      ctx.fillStyle = themeColor(d === 0 ? "one" : "two");
      ctx.beginPath();
      ctx.arc(...place(w + d, at(d)), 5 * devicePixelRatio, 0, 7);
      ctx.fill();
    }
    ctx.restore();
  };
  const curve = new Chart(byId("idea-curve"), {
    x: "weight",
    y: "loss",
    curves: [{ label: "L(w)", color: "one" }],
    draw: drawSecant,
    describe: "The loss along the chosen weight with its secant; the numbers stand below.",
  });
  const error = new Chart(byId("idea-error"), {
    x: "h",
    y: "relative error",
    logX: true,
    logY: true,
    curves: [
      { label: "losses subtracted", color: "two" },
      { label: "exact changes", color: "three" },
    ],
    describe: "Relative error of the slope for h from 1 to 1e-8: subtracted losses lose all " +
      "digits as h falls, exact changes keep theirs.",
  });

  const places = Array.from({ length: 121 }, (_, i) => REACH * (i - 60) / 60);
  const off = (slope: number, exact: number) => Math.max(Math.abs(slope / exact - 1), 1e-9);

  function update(): void {
    const w = weights[chosen], step = h();
    const name = `W[${Math.floor(chosen / 3) + 1},${chosen % 3 + 1}]`;
    slider.value = `${w}`;
    byId("idea-weight").textContent = `${name} = ${w.toFixed(4)}`;
    byId("idea-h-value").textContent = short(step, 2);
    cells.forEach((cell, i) => {
      const gradient = slopes(weights, i, 1e-4).exact;
      cell.setAttribute("aria-pressed", `${i === chosen}`);
      cell.firstElementChild!.textContent = weights[i].toFixed(4);
      const small = cell.lastElementChild!;
      small.textContent = `${gradient > 0 ? "▼" : "▲"} ${gradient > 0 ? "+" : "−"}${
        Math.abs(gradient).toFixed(4)
      }`;
      small.className = gradient > 0 ? "down" : "up";
    });
    const at = (d: number) => loss(weights.map((value, i) => i === chosen ? value + d : value));
    const slope = slopes(weights, chosen, step);
    byId("idea-advice").textContent = slope.exact > 0
      ? `Raise ${name}, and the loss rises: this weight has to fall.`
      : `Raise ${name}, and the loss falls: this weight has to rise.`;
    showFacts(byId("idea-facts"), [
      ["L(w − h)", at(-step).toFixed(8)],
      ["L(w)", at(0).toFixed(8)],
      ["L(w + h)", at(step).toFixed(8)],
      ["Slope of the secant", slope.exact.toFixed(8)],
      ["Seven digits, subtracted", slope.plain.toFixed(8)],
      ["Seven digits, exact changes", slope.changes.toFixed(8)],
    ]);
    curve.set(
      places,
      places.map((place) => loss(weights.map((value, i) => i === chosen ? place : value))),
    );
    const all = STEPS.map((at) => slopes(weights, chosen, at));
    error.set(
      STEPS,
      all.map(({ plain, exact }) => off(plain, exact)),
      all.map(({ changes, exact }) => off(changes, exact)),
    );
  }
  slider.addEventListener("input", () => {
    weights[chosen] = Number(slider.value);
    update();
  });
  stepSlider.addEventListener("input", update);
  byId("idea-reset").addEventListener("click", () => {
    weights.splice(0, 6, ...TUTORIAL_WEIGHTS);
    update();
  });
  onTheme(update);
  update();
}
