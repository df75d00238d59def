/**
 * The page's first screen: a network of six weights that learns by nudges, one press at a time. It
 * needs nothing but what is here, so that it stands before all else of the page is there.
 */

import { byId, isStill, make, showFacts } from "../parts/elements.ts";
import { drawingAsFile, offerPicture } from "../share/picture.ts";
import { inLanguage, t } from "../texts/texts.ts";
import { drawCurve, type Phase } from "./curve.ts";
import { gradient, loss, shares, TARGET, TUTORIAL_WEIGHTS } from "./difference.ts";
import { drawNet, nameOf } from "./net.ts";
import { TUTORIAL_CODE } from "./tutorial.ts";

const RATE = 1;
const SMALL = 0.05; // a loss that is small
const NUDGE_MILLISECONDS = 900, STEP_MILLISECONDS = 350;
const TUTORIAL_H = 1e-4;

const wait = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
const digits = (value: number) => value.toFixed(4).replace("-", "−");

/** Puts the figure to work. */
export function showFigure(): void {
  const weights: number[] = [...TUTORIAL_WEIGHTS]; // [2, 3]
  let chosen = 0, steps = 0, phase: Phase = "still", playing = false;
  let advice: () => string = () => "";
  let turn = 0; // what is shown step by step ends where something else begins
  const slider = byId<HTMLInputElement>("figure-h"), play = byId("figure-play");
  const h = () => 10 ** Number(slider.value);
  const alongChosen = (weight: number) =>
    loss(weights.map((value, i) => i === chosen ? weight : value));

  const net = byId<HTMLElement>("net") as unknown as SVGSVGElement;
  const curve = byId<HTMLElement>("curve") as unknown as SVGSVGElement;
  const showNet = drawNet(net, (index) => {
    interrupt();
    chosen = index;
    advise();
  });
  const showCurve = drawCurve(curve, (weight) => {
    interrupt();
    weights[chosen] = weight;
    advise();
  });

  function show(): void {
    const slopes = gradient(weights, h()), classes = shares(weights), weight = weights[chosen];
    showNet({ weights, slopes, shares: classes, chosen });
    showCurve({ name: nameOf(chosen), weight, h: h(), phase, loss: alongChosen });
    const [up, down] = [alongChosen(weight + h()), alongChosen(weight - h())];
    byId("figure-formula").replaceChildren(
      ...formula(phase === "down" ? undefined : up, phase === "up" ? undefined : down, h()),
    );
    byId("figure-h-value").textContent = `${Number(h().toPrecision(2))}`;
    slider.setAttribute("aria-valuetext", `${Number(h().toPrecision(2))}`);
    showFacts(byId("figure-facts"), [
      [t.figure.facts.step, `${steps}`],
      [t.figure.facts.loss, loss(weights).toFixed(4)],
      [t.figure.facts.right, t.percent(classes[TARGET])],
    ]);
    byId("figure-advice").textContent = advice();
    play.textContent = playing ? t.figure.pause : t.figure.play;
  }

  /** The central difference with its numbers; what is not evaluated yet is left open. */
  function formula(up: number | undefined, down: number | undefined, h: number) {
    const text = (value: number | undefined) => value === undefined ? "…" : digits(value);
    const slope = up === undefined || down === undefined ? "…" : digits((up - down) / (2 * h));
    const part = (content: string, name: string) => make("span", { className: name }, content);
    return [
      "(",
      make("i", {}, "L"),
      "(w + h) − ",
      make("i", {}, "L"),
      "(w − h)) / 2h = (",
      part(text(up), "number"),
      " − ",
      part(text(down), "number"),
      `) / (2 · ${Number(h.toPrecision(2))}) = `,
      part(slope, "result"),
    ];
  }

  /** Says which way the loss goes. */
  function advise(): void {
    const at = chosen, slope = gradient(weights, h())[at];
    const text = Math.abs(slope).toFixed(4);
    advice = () => slope > 0 ? t.figure.rises(nameOf(at), text) : t.figure.falls(nameOf(at), text);
    show();
  }

  /** Ends what is being shown, and the playing. */
  function interrupt(): void {
    turn++;
    playing = false;
    phase = "still";
  }

  /** Shows both nudges of the chosen weight, one after the other, and the slope that they give. */
  async function nudge(): Promise<void> {
    interrupt();
    const mine = turn, name = nameOf(chosen), weight = weights[chosen];
    for (const [next, at] of [["down", weight - h()], ["up", weight + h()]] as const) {
      phase = next;
      const value = alongChosen(at).toFixed(4);
      advice = () =>
        next === "down" ? t.figure.nudgedDown(name, value) : t.figure.nudgedUp(name, value);
      show();
      await wait(NUDGE_MILLISECONDS);
      if (mine !== turn) return;
    }
    phase = "secant";
    advise();
  }

  /** Moves all weights against their slopes. */
  async function down(): Promise<void> {
    const mine = ++turn, before = loss(weights).toFixed(4);
    phase = "still";
    const start = weights.slice(), slopes = gradient(weights, h());
    const began = performance.now();
    for (let share = 0; share < 1;) {
      share = isStill() ? 1 : Math.min(1, (performance.now() - began) / STEP_MILLISECONDS);
      const eased = 1 - (1 - share) ** 2;
      slopes.forEach((slope, i) => weights[i] = start[i] - RATE * eased * slope);
      if (share < 1) {
        show();
        await new Promise(requestAnimationFrame);
        // Something else began: the step is taken whole before it.
        if (mine !== turn) slopes.forEach((slope, i) => weights[i] = start[i] - RATE * slope);
        if (mine !== turn) break;
      }
    }
    steps++;
    const after = loss(weights).toFixed(4);
    advice = () => t.figure.stepped(before, after);
    show();
  }

  async function goOn(): Promise<void> {
    playing = true;
    while (playing && loss(weights) > SMALL) {
      await down();
      await wait(isStill() ? 400 : 150);
    }
    if (!playing) return;
    playing = false;
    const taken = steps, value = loss(weights).toFixed(4);
    advice = () => t.figure.small(taken, value);
    show();
  }

  byId("figure-nudge").addEventListener("click", nudge);
  byId("figure-down").addEventListener("click", () => {
    interrupt();
    down();
  });
  play.addEventListener("click", () => {
    if (playing) {
      interrupt();
      return show();
    }
    if (loss(weights) <= SMALL) startOver();
    goOn();
  });
  function startOver(): void {
    interrupt();
    weights.splice(0, 6, ...TUTORIAL_WEIGHTS);
    steps = 0;
    advise();
  }
  byId("figure-back").addEventListener("click", startOver);
  slider.addEventListener("input", () => {
    interrupt();
    advise();
  });
  byId("tutorial-code").textContent = TUTORIAL_CODE;
  const exact = gradient(TUTORIAL_WEIGHTS, TUTORIAL_H);
  byId("tutorial-numbers").replaceChildren(
    make(
      "tbody",
      {},
      ...[0, 1].map((row) =>
        make(
          "tr",
          {},
          make("th", { scope: "row" }, `[${row + 1},]`),
          ...exact.slice(3 * row, 3 * row + 3).map((slope) =>
            make("td", {}, `${Number(slope.toPrecision(7))}`)
          ),
        )
      ),
    ),
  );
  offerPicture(net, () => drawingAsFile(net));
  offerPicture(curve, () => drawingAsFile(curve));
  inLanguage(advise);
}
