/** The loss along one weight: its curve, a dot to drag, and the nudges with their rise and run. */

import { draw, short } from "../parts/elements.ts";
import { t } from "../texts/texts.ts";

const REACH = 4; // of the axis, both ways, where the weight lies within
const POINTS = 320;
const LEFT = 46, BOTTOM = 38, TOP = 10, RIGHT = 12; // margins in pixels

/** Where a nudge stands: nowhere, at w - h, at w + h, or at both with the secant through them. */
export type Phase = "still" | "down" | "up" | "secant";

/** What the drawing shows. */
export interface CurveState {
  readonly name: string;
  readonly weight: number;
  readonly h: number;
  readonly phase: Phase;
  /** The loss where the weight is another. */
  readonly loss: (weight: number) => number;
}

/** Numbers about so far apart that are round. */
function ticks(from: number, to: number, most: number): number[] {
  const rough = (to - from) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough)!;
  const first = Math.ceil(from / step);
  return Array.from(
    { length: Math.floor(to / step) - first + 1 },
    (_, i) => Number(((first + i) * step).toPrecision(6)),
  );
}

/**
 * Draws the curve into an empty drawing, and again whenever it has another size.
 * @param move is called with the weight that the dot is dragged to.
 */
export function drawCurve(svg: SVGSVGElement, move: (weight: number) => void) {
  const axes = draw("g", { class: "axes" }),
    plot = draw("g", { "clip-path": "url(#curve-inside)" });
  const inside = draw("rect");
  const dot = draw("circle", { id: "dot", r: 9, role: "slider", tabindex: 0, class: "dot" });
  svg.append(draw("clipPath", { id: "curve-inside" }, inside), axes, plot, dot);
  let state: CurveState | undefined, width = 0, height = 0;
  /** What the axes hold. */
  let low = -REACH, high = REACH, most = 1;

  const x = (weight: number) => LEFT + (weight - low) / (high - low) * (width - LEFT - RIGHT);
  const y = (loss: number) => height - BOTTOM - loss / most * (height - TOP - BOTTOM);

  function show(next: CurveState): void {
    state = next;
    if (width === 0) return;
    const { name, weight, h, phase, loss } = next;
    // Whatever is shown has its place: the dot, both nudges, and some way beyond.
    low = Math.min(-REACH, weight - h - 0.5);
    high = Math.max(REACH, weight + h + 0.5);
    const places = Array.from({ length: POINTS + 1 }, (_, i) => low + (high - low) * i / POINTS);
    const losses = places.map(loss);
    most = 1.08 * Math.max(...losses, loss(weight + h), 0.2);
    for (
      const [key, value] of Object.entries({
        x: LEFT,
        y: TOP,
        width: width - LEFT - RIGHT,
        height: height - TOP - BOTTOM,
      })
    ) inside.setAttribute(key, `${value}`);

    const across = ticks(low, high, Math.max(3, width / 70));
    const upward = ticks(0, most, Math.max(2, height / 50));
    const label = (text: string, attributes: Record<string, string | number>) =>
      draw("text", attributes, text);
    axes.replaceChildren(
      ...across.map((value) =>
        draw("line", { x1: x(value), x2: x(value), y1: TOP, y2: height - BOTTOM })
      ),
      ...upward.map((value) =>
        draw("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) })
      ),
      ...across.map((value) =>
        label(short(value), { x: x(value), y: height - BOTTOM + 15, "text-anchor": "middle" })
      ),
      ...upward.map((value) =>
        label(short(value), { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" })
      ),
      label(t.figure.axisWeight(name), {
        x: (LEFT + width - RIGHT) / 2,
        y: height - 5,
        "text-anchor": "middle",
      }),
      label(t.figure.axisLoss, { x: 4, y: TOP + 4, class: "small" }),
    );

    const path = places.map((place, i) => `${i === 0 ? "M" : "L"}${x(place)} ${y(losses[i])}`);
    const [up, down] = [loss(weight + h), loss(weight - h)];
    const isBoth = phase === "secant" || phase === "still";
    const slope = (up - down) / (2 * h), center = (up + down) / 2;
    const parts: SVGElement[] = [draw("path", { d: path.join(""), class: "loss" })];
    if (isBoth) {
      parts.push(draw("line", {
        class: "secant",
        x1: x(low),
        y1: y(center + slope * (low - weight)),
        x2: x(high),
        y2: y(center + slope * (high - weight)),
      }));
    }
    if (phase === "secant") {
      const corner = { x: x(weight + h), y: y(down) };
      parts.push(
        draw("path", {
          class: "rise",
          d: `M${x(weight - h)} ${y(down)}L${corner.x} ${corner.y}L${corner.x} ${y(up)}`,
        }),
        label(t.figure.rise, {
          x: corner.x + 5,
          y: (corner.y + y(up)) / 2 + 4,
          class: "rise-label",
        }),
        label(t.figure.run, {
          x: (x(weight - h) + corner.x) / 2,
          y: corner.y + (slope < 0 ? -6 : 15),
          "text-anchor": "middle",
          class: "rise-label",
        }),
      );
    }
    const nudge = (at: number, value: number, text: string, side: "start" | "end") => [
      draw("line", { class: "drop", x1: x(at), x2: x(at), y1: y(value), y2: height - BOTTOM }),
      draw("circle", { class: "nudge", cx: x(at), cy: y(value), r: 6 }),
      label(text, {
        x: x(at) + (side === "start" ? 9 : -9),
        y: y(value) - 9,
        "text-anchor": side,
        class: "nudge-label",
      }),
    ];
    // Labels stand above the curve, on the side where it falls away; too near, one on either side.
    const isNear = x(weight + h) - x(weight - h) < 110, away = slope < 0 ? "start" : "end";
    if (isBoth || phase === "down") {
      parts.push(...nudge(weight - h, down, "w − h", isNear ? "end" : away));
    }
    if (isBoth || phase === "up") {
      parts.push(...nudge(weight + h, up, "w + h", isNear ? "start" : away));
    }
    plot.replaceChildren(...parts);

    dot.setAttribute("cx", `${x(weight)}`);
    dot.setAttribute("cy", `${y(loss(weight))}`);
    dot.setAttribute("aria-label", t.figure.dot(name));
    dot.setAttribute("aria-valuemin", `${-REACH}`);
    dot.setAttribute("aria-valuemax", `${REACH}`);
    dot.setAttribute("aria-valuenow", weight.toFixed(4));
    dot.setAttribute(
      "aria-valuetext",
      `${weight.toFixed(4)}, ${t.figure.axisLoss} ${loss(weight).toFixed(4)}`,
    );
    svg.setAttribute("aria-label", t.figure.curve);
  }

  new ResizeObserver(() => {
    ({ clientWidth: width, clientHeight: height } = svg);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    if (state) show(state);
  }).observe(svg);

  const clamped = (weight: number) => Math.max(-REACH, Math.min(REACH, weight));
  let dragged: { low: number; high: number } | undefined; // the axis as it was when it was taken hold of
  const drag = (event: PointerEvent) => {
    const share = (event.clientX - svg.getBoundingClientRect().left - LEFT) /
      (width - LEFT - RIGHT);
    move(clamped(dragged!.low + share * (dragged!.high - dragged!.low)));
  };
  svg.addEventListener("pointerdown", (event) => {
    if (!state) return;
    dragged = { low, high };
    svg.setPointerCapture(event.pointerId);
    dot.focus({ preventScroll: true });
    event.preventDefault();
    drag(event);
  });
  svg.addEventListener("pointermove", (event) => dragged && drag(event));
  for (const kind of ["pointerup", "pointercancel"] as const) {
    svg.addEventListener(kind, () => dragged = undefined);
  }
  dot.addEventListener("keydown", (event) => {
    if (!state) return;
    const steps: Record<string, number> = {
      ArrowRight: 0.05,
      ArrowUp: 0.05,
      ArrowLeft: -0.05,
      ArrowDown: -0.05,
      PageUp: 0.5,
      PageDown: -0.5,
      Home: -Infinity,
      End: Infinity,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    move(clamped(state.weight + step));
  });
  return show;
}
