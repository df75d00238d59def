/**
 * The network of the figure as nodes and edges: an edge's width and colour are its weight, one of
 * them is chosen. To a keyboard it is a group of six choices.
 */

import { draw } from "../parts/elements.ts";
import { t } from "../texts/texts.ts";
import { TARGET, X } from "./difference.ts";

const LEFT = 52, RIGHT = 262;
const INPUTS = [62, 158], OUTPUTS = [34, 110, 186]; // heights of the nodes

/** What the drawing shows. */
export interface NetState {
  readonly weights: readonly number[]; // [2, 3]
  readonly slopes: readonly number[]; // [2, 3]
  readonly shares: readonly number[]; // of the classes
  readonly chosen: number;
}

export const nameOf = (index: number) => `W[${Math.floor(index / 3) + 1},${index % 3 + 1}]`;
const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(4)}`;

/**
 * Draws the network into an empty drawing.
 * @param choose is called with the weight that is chosen.
 * @returns what shows a state.
 */
export function drawNet(svg: SVGSVGElement, choose: (index: number) => void) {
  svg.setAttribute("viewBox", "0 0 330 220");
  const edges = Array.from({ length: 6 }, (_, i) => {
    const ends = { x1: LEFT, y1: INPUTS[Math.floor(i / 3)], x2: RIGHT, y2: OUTPUTS[i % 3] };
    const line = draw("line", ends), halo = draw("line", { ...ends, class: "halo" });
    // Labels stand at two thirds and a third of the way, where no two edges cross.
    const share = i < 3 ? 0.66 : 0.34;
    const text = draw("text", {
      x: LEFT + share * (RIGHT - LEFT),
      y: ends.y1 + share * (ends.y2 - ends.y1) - 6,
      "text-anchor": "middle",
    });
    const group = draw("g", { role: "radio", class: "edge" }, halo, line, text);
    group.dataset.weight = `${i}`;
    group.addEventListener("click", () => choose(i));
    return { group, line, text };
  });
  const group = draw("g", { role: "radiogroup" }, ...edges.map(({ group }) => group));
  group.addEventListener("keydown", (event) => {
    const moves: Record<string, number> = {
      ArrowRight: 1,
      ArrowDown: 1,
      ArrowLeft: 5,
      ArrowUp: 5,
    };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const at = edges.findIndex(({ group }) => group === document.activeElement);
    choose((at + move) % 6);
    edges[(at + move) % 6].group.focus();
  });
  const node = (x: number, y: number, radius: number) =>
    draw("circle", { cx: x, cy: y, r: radius, class: "node" });
  const middle = (x: number, y: number) => draw("text", { x, y: y + 4, "text-anchor": "middle" });
  const inputs = INPUTS.map((y, i) => {
    const text = middle(LEFT, y);
    text.textContent = `${X[i]}`;
    svg.append(node(LEFT, y, 24));
    return { text, label: draw("text", { x: LEFT, y: y + 40, "text-anchor": "middle" }) };
  });
  const outputs = OUTPUTS.map((y, k) => {
    const fill = draw("circle", { cx: RIGHT, cy: y, r: 0, class: "share" });
    const ring = node(RIGHT, y, 24);
    if (k === TARGET) ring.classList.add("right");
    const label = draw("text", { x: RIGHT + 30, y: y - 14, class: "small" });
    return { fill, ring, text: middle(RIGHT, y), label };
  });
  svg.append(
    group,
    ...svg.querySelectorAll(".node"),
    ...inputs.flatMap(({ text, label }) => [text, label]),
    ...outputs.flatMap(({ fill, ring, text, label }) => [ring, fill, text, label]),
  );

  return ({ weights, slopes, shares, chosen }: NetState): void => {
    svg.setAttribute("aria-label", t.figure.net);
    group.setAttribute("aria-label", t.figure.net);
    edges.forEach(({ group, line, text }, i) => {
      const weight = weights[i];
      line.setAttribute("class", weight < 0 ? "below" : "above");
      line.setAttribute("stroke-width", `${Math.min(14, 1 + 4 * Math.abs(weight))}`);
      text.textContent = weight.toFixed(3);
      group.setAttribute("aria-checked", `${i === chosen}`);
      group.setAttribute("tabindex", i === chosen ? "0" : "-1");
      group.setAttribute(
        "aria-label",
        t.figure.weight(nameOf(i), weight.toFixed(4), signed(slopes[i])),
      );
    });
    inputs.forEach(({ label }, i) => label.textContent = t.figure.input(i + 1));
    outputs.forEach(({ fill, text, label }, k) => {
      fill.setAttribute("r", `${23 * Math.sqrt(shares[k])}`); // its area is the share
      text.textContent = `${Math.round(100 * shares[k])}%`;
      label.textContent = k === TARGET ? `✓ ${k + 1}` : `${k + 1}`;
    });
  };
}
