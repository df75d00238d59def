/** The story of float32: one slope worked three ways at a small h, and all of them for every h. */

import { Chart } from "../parts/chart.ts";
import { byId, showTable } from "../parts/elements.ts";
import { inLanguage, t } from "../texts/texts.ts";
import { slopes, TUTORIAL_WEIGHTS, worked } from "./difference.ts";

const STEPS = Array.from({ length: 81 }, (_, i) => 10 ** (-8 + i / 10));
const WEIGHT = 0; // W[1,1], into a class that is wrong

/** Puts the part to work. */
export function showDigits(): void {
  const slider = byId<HTMLInputElement>("digits-h");
  const chart = new Chart(byId("digits-chart"), () => ({
    x: "h",
    y: t.digits.error,
    logX: true,
    logY: true,
    curves: [
      { label: t.digits.subtractedCurve, color: "copies" },
      { label: t.digits.changesCurve, color: "differences" },
    ],
    describe: t.digits.describe,
  }));
  const all = STEPS.map((h) => slopes(TUTORIAL_WEIGHTS, WEIGHT, h));
  // A logarithmic axis has no 0.
  const off = (slope: number, exact: number) => Math.max(Math.abs(slope / exact - 1), 1e-9);
  chart.set(
    STEPS,
    all.map(({ plain, exact }) => off(plain, exact)),
    all.map(({ changes, exact }) => off(changes, exact)),
  );

  function show(): void {
    const h = 10 ** Number(slider.value), { digits } = t;
    const { float64, float32, changes, identity } = worked(TUTORIAL_WEIGHTS, WEIGHT, h);
    const { exact, plain, changes: slope } = slopes(TUTORIAL_WEIGHTS, WEIGHT, h);
    const seven = (value: number) => `${Number(value.toPrecision(8))}`;
    const change = Math.fround(changes[0] - changes[1]);
    const rounded = Math.fround(float32[0] - float32[1]);
    byId("digits-h-value").textContent = `${Number(h.toPrecision(2))}`;
    slider.setAttribute("aria-valuetext", `${Number(h.toPrecision(2))}`);
    showTable(byId("digits-table"), [
      ["", digits.float64, digits.subtracted, digits.changes],
      [digits.up, float64[0].toFixed(16), seven(float32[0]), digits.none],
      [digits.down, float64[1].toFixed(16), seven(float32[1]), digits.none],
      [
        digits.difference,
        (exact * 2 * h).toExponential(7),
        rounded === 0 ? "0" : rounded.toExponential(7),
        change.toExponential(7),
      ],
      [digits.slope, exact.toFixed(8), plain.toFixed(8), slope.toFixed(8)],
    ]);
    const { p, d, v } = identity;
    byId("digits-worked").textContent = digits.worked(
      p.toFixed(7),
      d.toExponential(3),
      v.toExponential(6),
      Math.log1p(v).toExponential(6),
    );
  }
  slider.addEventListener("input", show);
  inLanguage(show);
}
