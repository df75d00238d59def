/**
 * One digit on its way through the network, from left to right: the digit, the first weights and
 * what they make of it, the layers behind, the classes. All of it is of one moment.
 */

import { sizeOfShape } from "../../src/core/network.ts";
import {
  byId,
  largest,
  make,
  onTheme,
  paint,
  shades,
  short,
  themeColor,
} from "../parts/elements.ts";
import { Client } from "../run/client.ts";
import type { LayerValues, Look, LookCalls, Moment } from "../run/protocol.ts";
import type { Training } from "../run/training.ts";
import { inLanguage, t } from "../texts/texts.ts";
import { showPad } from "./pad.ts";
import { cellAt, nameOf, SlicePanel } from "./slice.ts";

const MOST_PICTURES = 64;
const MOST_CLASSES = 20;

/** A unit or filter on the page. */
interface Shown {
  readonly option: HTMLElement;
  readonly weights: HTMLCanvasElement;
  readonly gradient: HTMLCanvasElement;
  readonly value: HTMLElement;
}

/** Puts the part to work. */
export function showFlow(training: Training): void {
  const client = new Client<LookCalls>("looker.js");
  const units = byId("units"), number = byId<HTMLInputElement>("digit");
  let exhibited = false, drawn: Uint8Array | undefined, isVisible = false;
  let shown: Shown[] = [], built = "", active = 0;
  let look: Look | undefined, moment: Moment | undefined; // what is shown
  let looking = false, again = false;
  const panel = new SlicePanel(client, () => moment);

  new IntersectionObserver(([entry]) => {
    isVisible = entry.isIntersecting;
    training.client.ask("watch", isVisible).catch(() => {});
    if (isVisible && training.moment !== moment) follow();
  }).observe(byId("flow"));

  /** Looks at the last moment that is known. */
  async function follow(): Promise<void> {
    if (!training.moment || !exhibited || !number.checkValidity()) return;
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    do {
      again = false;
      const { ready, moment: next } = training;
      if (!ready || !next) break;
      const isOfSize = drawn?.length === sizeOfShape(ready.sample);
      try {
        const found = await client.ask("look", next, isOfSize ? drawn! : number.valueAsNumber);
        if (training.ready !== ready || !exhibited) continue; // another run has begun
        [look, moment] = [found, next];
        show();
      } catch { /* another run has begun */ }
    } while (again);
    looking = false;
  }

  function show(): void {
    if (!look) return;
    const { of, count, image, step } = look, here = Math.min(count, MOST_PICTURES);
    const needed = `${here} ${of} ${image}`;
    if (built !== needed) build(here, of, image);
    built = needed;
    byId("moment").textContent = training.isFresh
      ? t.flow.untrained
      : t.flow.moment(t.number(step));
    showPictures(look);
    showSample(look);
    showLayers(look);
    showClasses(look);
    panel.follow(look);
  }

  function showPictures({ of, count, image, weights, gradient, layers }: Look): void {
    const pixels = image[0] * image[1], shade = shades();
    const scales = [largest(weights), largest(gradient ?? [])];
    const [first] = layers, values = of === "unit" ? first?.values : undefined;
    const most = values ? largest(values) : 0;
    byId("units-title").textContent = of === "unit" ? t.flow.units(count) : t.flow.filters(count);
    byId("units-text").textContent = of === "unit" ? t.flow.unitsText : t.flow.filtersText;
    byId("units-more").textContent = [
      ...count > shown.length ? [t.flow.more(shown.length, count)] : [],
      ...gradient ? [] : [t.flow.noGradient],
    ].join(" ");
    units.setAttribute("aria-label", t.flow.list(byId("units-title").textContent!));
    shown.forEach((unit, i) => {
      const at = i * pixels, name = nameOf(of, i);
      paint(unit.weights, image, (pixel) => shade(weights[at + pixel], scales[0]));
      unit.gradient.hidden = !gradient;
      // Orange says raise: where the loss falls with the weight.
      if (gradient) paint(unit.gradient, image, (pixel) => shade(-gradient[at + pixel], scales[1]));
      const value = values?.[i];
      unit.value.hidden = value === undefined;
      unit.value.style.setProperty("--share", `${most ? Math.abs(value ?? 0) / most : 0}`);
      unit.value.classList.toggle("below", (value ?? 0) < 0);
      unit.option.setAttribute(
        "aria-label",
        value === undefined ? name : t.flow.unitValue(name, short(value)),
      );
    });
  }

  /** A group of pictures: one stop for the keyboard, arrows within. */
  function build(count: number, of: Look["of"], image: readonly [number, number]): void {
    panel.close();
    units.classList.toggle("filters", of === "filter");
    shown = Array.from({ length: count }, (_, i) => {
      const weights = make("canvas"), gradient = make("canvas");
      const value = make("span", { className: "value" });
      const option = make("div", { id: `unit-${i}`, className: "unit" }, weights, gradient, value);
      option.setAttribute("role", "button");
      option.addEventListener("focus", () => choose(i));
      for (const canvas of [weights, gradient]) {
        canvas.addEventListener("click", (event) => {
          choose(i);
          open(cellAt(canvas, event, image));
        });
      }
      return { option, weights, gradient, value };
    });
    units.replaceChildren(...shown.map(({ option }) => option));
    choose(0);
  }

  function choose(next: number): void {
    active = Math.max(0, Math.min(shown.length - 1, next));
    shown.forEach(({ option }, i) => option.tabIndex = i === active ? 0 : -1);
  }

  /** Units in a row, as they are laid out now. */
  const perRow = () => {
    const top = shown[0].option.offsetTop;
    const next = shown.findIndex(({ option }) => option.offsetTop > top);
    return next < 0 ? shown.length : next;
  };

  /** Opens the chosen one's slice behind the row that it is in. */
  function open(cell: readonly [number, number]): void {
    panel.element.remove();
    const row = perRow(), end = Math.min(shown.length, (Math.floor(active / row) + 1) * row);
    shown[end - 1].option.after(panel.element);
    panel.open(look!, active, cell, shown[active].option);
  }

  units.addEventListener("keydown", (event) => {
    if (!shown.some(({ option }) => option === event.target)) return;
    const steps: Record<string, number> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: perRow(),
      ArrowUp: -perRow(),
      Home: -Infinity,
      End: Infinity,
    };
    const step = steps[event.key];
    if (step !== undefined) {
      event.preventDefault();
      choose(active + step);
      shown[active].option.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      const [rows, columns] = look!.image;
      open([Math.floor(rows / 2), Math.floor(columns / 2)]);
    }
  });

  const seenText = ({ test }: Look) =>
    test ? t.flow.ofTest(test.place, test.label) : t.flow.ofDrawing;

  function showSample(look: Look): void {
    const { pixels } = look, [rows, columns] = training.ready!.image;
    paint(byId("seen"), [rows, columns], (i) => [pixels[i], pixels[i], pixels[i]]);
    byId("seen-text").textContent = t.flow.shown(seenText(look));
    const isOther = drawn !== undefined && drawn.length !== pixels.length;
    byId("pad-text").textContent = isOther ? t.flow.otherSize : drawn ? "" : t.flow.nothing;
  }

  /** The layers behind the first weights: maps as pictures, rows of units as bars. */
  function showLayers(look: Look): void {
    const seen = seenText(look);
    // What units of the first layer make of it stands with them.
    const layers = look.of === "unit" ? look.layers.slice(1) : look.layers;
    byId("layers").replaceChildren(
      ...layers.map((layer) => layer.shape.length === 3 ? mapsOf(layer, seen) : barsOf(layer)),
    );
  }

  /** Maps of one layer, on one scale. */
  function mapsOf({ behind, shape, values }: LayerValues, seen: string): HTMLElement {
    const [count, rows = 1, columns = 1] = shape, scale = largest(values), pixels = rows * columns;
    const shade = shades();
    const pictures = Array.from({ length: Math.min(count, MOST_PICTURES) }, (_, map) => {
      const canvas = make("canvas");
      paint(canvas, [rows, columns], (i) => shade(values[map * pixels + i], scale));
      return canvas;
    });
    const group = make("div", { className: "maps" }, ...pictures);
    group.setAttribute("role", "img");
    group.setAttribute("aria-label", t.flow.maps(count, seen, behind));
    return make("figure", {}, group, make("figcaption", {}, t.flow.layer(behind, short(scale))));
  }

  /** Values of one layer as bars around a middle, or from a foot where none is below 0. */
  function barsOf({ behind, values }: LayerValues): HTMLElement {
    const canvas = make("canvas", { className: "values", width: 640, height: 80 });
    const context = canvas.getContext("2d")!, scale = largest(values) || 1;
    const isSigned = values.some((value) => value < 0), foot = isSigned ? 40 : 78;
    const width = 640 / values.length;
    values.forEach((value, i) => {
      const height = (isSigned ? 38 : 76) * value / scale;
      context.fillStyle = themeColor(value < 0 ? "below" : "above");
      context.fillRect(
        i * width,
        foot - Math.max(0, height),
        Math.max(1, width - 1),
        Math.abs(height),
      );
    });
    context.fillStyle = themeColor("line");
    context.fillRect(0, foot, 640, 1);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", t.flow.values(values.length, behind));
    return make("figure", {}, canvas, make("figcaption", {}, t.flow.layer(behind, short(scale))));
  }

  function showClasses({ probabilities }: Look): void {
    const list = byId("probabilities"), isFresh = training.isFresh;
    const few = probabilities.slice(0, MOST_CLASSES);
    if (list.childElementCount !== few.length) {
      list.replaceChildren(
        ...few.map((_, digit) =>
          make("li", {}, `${digit}`, make("meter", { max: 1 }), make("span"))
        ),
      );
    }
    few.forEach((share, digit) => {
      const [meter, text] = list.children[digit].children as unknown as [
        HTMLMeterElement,
        HTMLElement,
      ];
      meter.value = isFresh ? 0 : share;
      meter.setAttribute("aria-label", t.flow.probability(digit));
      text.textContent = isFresh ? t.none : t.percent(share);
    });
    const best = probabilities.reduce((at, share, i) => share > probabilities[at] ? i : at, 0);
    byId("guess").textContent = isFresh
      ? t.flow.notTrained
      : t.flow.guess(best, t.percent(probabilities[best]));
  }

  showPad((digit) => {
    drawn = digit;
    follow();
  });
  number.addEventListener("change", () => {
    drawn = undefined;
    if (number.reportValidity()) follow();
  });
  byId("look").addEventListener("click", () => training.look(true));
  training.on("begun", async () => {
    const { ready } = training;
    exhibited = false;
    number.max = `${ready!.testSamples}`;
    if (!number.checkValidity()) number.value = "1";
    try {
      const exhibits = await training.client.ask("exhibits");
      if (training.ready !== ready) return;
      await client.ask("exhibit", exhibits);
      if (training.ready !== ready) return;
      exhibited = true;
      follow();
    } catch { /* another run has begun */ }
  });
  training.on("moment", follow);
  training.on("steps", () => {
    if (training.step === 0 && look) show(); // it is fresh again
  });
  onTheme(show);
  inLanguage(() => {
    show();
  });
}
