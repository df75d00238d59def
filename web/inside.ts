/** Part three: what units or filters see, how it is to change, and what the network gets wrong. */

import { sizeOfShape } from "../src/core/network.ts";
import { Chart } from "./chart.ts";
import type { Client } from "./client.ts";
import { byId, diverging, make, paint, short } from "./elements.ts";
import type { FeatureMaps, Look } from "./protocol.ts";
import type { Training } from "./training.ts";

const MOST_PICTURES = 64;
const LOOK_MILLISECONDS = 2000;

const largest = (values: Float32Array) => {
  let scale = 0;
  for (const value of values) scale = Math.max(scale, Math.abs(value));
  return scale;
};

/**
 * Puts the part to work.
 * @returns what is to be called with each digit that is drawn, and with nothing once it is gone.
 */
export function showInside(
  client: Client,
  training: Training,
): (digit: Uint8Array | undefined) => void {
  const units = byId("units"), number = byId<HTMLInputElement>("maps-digit");
  let canvases: [weights: HTMLCanvasElement, gradient: HTMLCanvasElement][] = [];
  let built = ""; // which pictures there are canvases for
  let chart: Chart | undefined;
  let looking = false, again = false, last = 0, visible = false;
  let drawn: Uint8Array | undefined;
  let digits = 0; // classes of the data

  new IntersectionObserver(([entry]) => {
    visible = entry.isIntersecting;
    if (visible) look();
  }).observe(byId("inside"));

  async function look(): Promise<void> {
    if (!training.ready || !number.checkValidity()) return;
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    do {
      again = false;
      const isOfSize = drawn?.length === sizeOfShape(training.ready.sample);
      try {
        show(await client.ask("look", isOfSize ? drawn! : number.valueAsNumber));
      } catch { /* a lost device is told where training is */ }
    } while (again);
    last = performance.now();
    looking = false;
  }

  function show({ of, count, image, weights, gradient, maps, seen }: Look): void {
    const shown = Math.min(count, MOST_PICTURES), pixels = image[0] * image[1];
    const needed = `${shown} of ${of}, ${image}`;
    if (built !== needed) build(shown, of, image);
    built = needed;
    const scales = [largest(weights), largest(gradient)];
    canvases.forEach(([left, right], unit) => {
      const at = unit * pixels;
      paint(left, image, (i) => diverging(weights[at + i], scales[0]));
      // Red says raise: where the loss falls with the weight.
      paint(right, image, (i) => diverging(-gradient[at + i], scales[1]));
    });
    byId("maps-part").hidden = maps.length === 0;
    byId("maps-seen").textContent = `Shown: ${seen}.`;
    byId("maps").replaceChildren(...maps.map((layer) => figureOf(layer, seen)));
  }

  /** The maps behind one layer, on one scale. */
  function figureOf({ behind, shape: [count, ...image], values }: FeatureMaps, seen: string) {
    const scale = largest(values), pixels = image[0] * image[1];
    const pictures = Array.from({ length: Math.min(count, MOST_PICTURES) }, (_, map) => {
      const canvas = make("canvas");
      paint(canvas, image, (i) => diverging(values[map * pixels + i], scale));
      return canvas;
    });
    const group = make("div", { className: "maps" }, ...pictures);
    group.setAttribute("role", "img");
    group.setAttribute("aria-label", `${count} maps of ${seen}, behind ${behind}`);
    return make("figure", {}, group, make("figcaption", {}, `${behind}: up to ${short(scale)}`));
  }

  function build(count: number, of: Look["of"], image: readonly [number, number]): void {
    canvases = Array.from({ length: count }, (_, unit) => {
      const canvas = (what: string) => {
        const element = make("canvas", { tabIndex: 0 });
        element.setAttribute("role", "img");
        element.setAttribute("aria-label", `${what} of ${of} ${unit + 1}`);
        let cursor = [Math.floor(image[0] / 2), Math.floor(image[1] / 2)];
        const choose = () => slice(of, unit, cursor[0] * image[1] + cursor[1], cursor);
        element.addEventListener("click", (event) => {
          const box = element.getBoundingClientRect();
          cursor = [
            Math.min(image[0] - 1, Math.floor((event.clientY - box.top) / box.height * image[0])),
            Math.min(image[1] - 1, Math.floor((event.clientX - box.left) / box.width * image[1])),
          ];
          choose();
        });
        element.addEventListener("keydown", (event) => {
          const moves: Record<string, [number, number]> = {
            ArrowUp: [-1, 0],
            ArrowDown: [1, 0],
            ArrowLeft: [0, -1],
            ArrowRight: [0, 1],
          };
          const move = moves[event.key];
          if (move) {
            cursor = cursor.map((at, d) => Math.max(0, Math.min(image[d] - 1, at + move[d])));
          } else if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          if (!move) choose();
        });
        return element;
      };
      return [canvas("Weights"), canvas("Gradient")];
    });
    units.replaceChildren(...canvases.map((pair) => make("div", {}, ...pair)));
  }

  async function slice(
    of: Look["of"],
    unit: number,
    pixel: number,
    cursor: number[],
  ): Promise<void> {
    const { changes, losses, weight, loss, gradient, h } = await client.ask("slice", unit, pixel);
    byId("slice-figure").hidden = false;
    chart ??= new Chart(byId("slice"), {
      x: "change of the weight",
      y: "loss",
      curves: [{ label: "L(w + d)", color: "one" }, { label: "secant", color: "two", width: 1.5 }],
      describe: "The loss along one weight, and its secant.",
    });
    chart.set(changes, losses, changes.map((d) => loss + gradient * d));
    byId("slice-caption").textContent =
      `${of[0].toUpperCase()}${of.slice(1)} ${unit + 1}, pixel in row ${cursor[0] + 1}, column ` +
      `${cursor[1] + 1}: weight ` +
      `${short(weight, 4)}, gradient ${short(gradient, 4)} by nudges of h = ${h}; the curve is ` +
      `41 copies of the network, each evaluated whole over the batch.`;
  }

  byId("look").addEventListener("click", look);
  number.addEventListener("change", () => {
    drawn = undefined;
    if (number.reportValidity()) look();
  });
  training.onBegin(({ classes, testSamples }) => {
    digits = classes;
    number.max = `${testSamples}`;
    if (!number.checkValidity()) number.value = "1";
    if (visible) look();
  });
  client.listen((report) => {
    if (report.kind === "steps" && visible && performance.now() - last > LOOK_MILLISECONDS) look();
    if (report.kind !== "evaluation") return;
    showConfusion(report.confusion);
    byId("worst").replaceChildren(...report.worst.map(({ label, prediction, pixels }) => {
      const canvas = make("canvas");
      const image = training.ready!.image;
      paint(canvas, image, (i) => [pixels[i], pixels[i], pixels[i]]);
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `a ${label}, taken for ${prediction}`);
      return make("li", {}, canvas, `${label}, not ${prediction}`);
    }));
  });

  function showConfusion(confusion: Uint32Array): void { // [classes, classes], or empty
    const table = byId<HTMLTableElement>("confusion");
    if (confusion.length === 0) {
      return table.replaceChildren(make("caption", {}, `${digits} classes: too many for a table.`));
    }
    const labels = Array.from({ length: digits }, (_, i) => i);
    const largest = Math.max(...labels.map((label) => confusion[label * digits + label]), 1);
    const cell = (label: number, guess: number) => {
      const number = confusion[label * digits + guess];
      const td = make("td", {}, number === 0 ? "·" : `${number}`);
      const color = label === guess ? "--three" : "--two";
      const share = Math.min(35, 60 * number / largest);
      td.style.background = `color-mix(in srgb, var(${color}) ${share.toFixed(0)}%, transparent)`;
      return td;
    };
    const head = labels.map((guess) => make("th", { scope: "col" }, `${guess}`));
    table.replaceChildren(
      make("caption", {}, "Rows: what it is. Columns: what it is taken for."),
      make("thead", {}, make("tr", {}, make("td"), ...head)),
      make(
        "tbody",
        {},
        ...labels.map((label) =>
          make(
            "tr",
            {},
            make("th", { scope: "row" }, `${label}`),
            ...labels.map((guess) => cell(label, guess)),
          )
        ),
      ),
    );
  }

  return (digit) => {
    drawn = digit;
    if (visible) look();
  };
}
