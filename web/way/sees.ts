/** What an estimator sees of the loss along a weight: where it evaluates it, and how it weighs that. */

import { type Estimator, stencilOf } from "../../src/core/estimator.ts";
import { byId, draw, short } from "../parts/elements.ts";
import { drawingAsFile, offerPicture } from "../share/picture.ts";
import { rich } from "../texts/fill.ts";
import { t } from "../texts/texts.ts";

const WIDTH = 360, HEIGHT = 150, MIDDLE = 68, MARGIN = 52;

/** Puts the drawing into the page. @returns what shows an estimator. */
export function drawSees(): (estimator: Estimator) => void {
  const svg = byId<HTMLElement>("sees") as unknown as SVGSVGElement;
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  offerPicture(svg, () => drawingAsFile(svg));
  return (estimator) => {
    const points = stencilOf(estimator).map(({ offset, coefficient }) => ({
      at: offset * estimator.h,
      weight: coefficient / estimator.h,
    }));
    const reach = 1.1 * Math.max(...points.map(({ at }) => Math.abs(at)));
    const most = Math.max(...points.map(({ weight }) => Math.abs(weight)));
    const x = (at: number) => WIDTH / 2 + at / reach * (WIDTH / 2 - MARGIN);
    const y = (weight: number) => MIDDLE - weight / most * (MIDDLE - 12);
    const total = points.reduce((sum, { weight }) => sum + weight, 0);
    // What is taken at the weight itself makes up for the rest: it counts where the sum is not 0.
    const all = Math.abs(total) > 1e-9 * most ? [...points, { at: 0, weight: -total }] : points;
    const label = (at: number, text: string) =>
      draw("text", { x: x(at), y: HEIGHT - 5, "text-anchor": "middle" }, text);
    svg.replaceChildren(
      draw("line", { class: "axis", x1: MARGIN, x2: WIDTH - MARGIN, y1: MIDDLE, y2: MIDDLE }),
      ...all.flatMap(({ at, weight }) => [
        draw("line", {
          class: weight < 0 ? "below" : "above",
          x1: x(at),
          x2: x(at),
          y1: MIDDLE,
          y2: y(weight),
        }),
        draw("circle", {
          class: weight < 0 ? "below" : "above",
          cx: x(at),
          cy: y(weight),
          r: 3,
        }),
      ]),
      label(0, "w"),
      label(estimator.h, `w + ${short(estimator.h, 2)}`),
      label(-estimator.h, `w − ${short(estimator.h, 2)}`),
    );
    svg.setAttribute("aria-label", t.sees.describe(all.length, short(reach)));
    byId("sees-formula").textContent = t.sees.formulas[estimator.name];
    byId("sees-text").replaceChildren(
      ...estimator.name === "smoothed" ? rich(t.sees.smoothed) : [],
    );
  };
}
