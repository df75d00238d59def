/** The loss along one weight, opened where the weight is: its picture, a cursor in it, and a curve. */

import { Chart } from "../parts/chart.ts";
import { make, paint, shades, short } from "../parts/elements.ts";
import type { Client } from "../run/client.ts";
import type { Look, LookCalls, Moment, Slice } from "../run/protocol.ts";
import { inLanguage, t } from "../texts/texts.ts";

const SIDE = 224; // of the enlarged picture, in pixels

/** What is opened. */
interface Opened {
  readonly unit: number;
  /** Of the weight within the picture. */
  row: number;
  column: number;
  readonly back: HTMLElement; // has the focus again once it is closed
}

export const nameOf = (of: Look["of"], unit: number) =>
  of === "unit" ? t.flow.unit(unit + 1) : t.flow.filter(unit + 1);

/** A panel that shows slices. */
export class SlicePanel {
  readonly element: HTMLElement;
  readonly #client: Client<LookCalls>;
  readonly #moment: () => Moment | undefined;
  readonly #canvas = make("canvas", { tabIndex: 0, className: "enlarged" });
  readonly #caption = make("p", { className: "hint", id: "slice-caption" });
  readonly #close = make("button", { type: "button" });
  readonly #host = make("div", { className: "chart", id: "slice" });
  #chart: Chart | undefined;
  #opened: Opened | undefined;
  #look: Look | undefined;
  #slice: Slice | undefined;
  #asked = 0;

  /** @param moment the moment that is shown. */
  constructor(client: Client<LookCalls>, moment: () => Moment | undefined) {
    this.#client = client;
    this.#moment = moment;
    this.#caption.setAttribute("aria-live", "polite");
    this.#canvas.setAttribute("role", "img");
    this.element = make(
      "div",
      { className: "slice", id: "slice-panel" },
      make("div", {}, this.#canvas, this.#close),
      make("div", {}, this.#host, this.#caption),
    );
    this.#canvas.addEventListener("click", (event) => {
      const [row, column] = cellAt(this.#canvas, event, this.#look!.image);
      this.#move(row, column);
      this.#ask();
    });
    this.#canvas.addEventListener("keydown", (event) => {
      const moves: Record<string, [number, number]> = {
        ArrowUp: [-1, 0],
        ArrowDown: [1, 0],
        ArrowLeft: [0, -1],
        ArrowRight: [0, 1],
      };
      const move = moves[event.key];
      if (event.key === "Escape") return this.close();
      if (!move && event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      if (move) this.#move(this.#opened!.row + move[0], this.#opened!.column + move[1]);
      else this.#ask();
    });
    this.#close.addEventListener("click", () => this.close());
    inLanguage(() => {
      this.#close.textContent = t.flow.close;
      this.#label();
    });
  }

  /** Opens it for a weight of a unit or a filter; the caller has put it in place. */
  open(
    look: Look,
    unit: number,
    [row, column]: readonly [number, number],
    back: HTMLElement,
  ): void {
    this.#look = look;
    this.#opened = { unit, row, column, back };
    this.#chart ??= new Chart(this.#host, () => ({
      x: t.flow.sliceX,
      y: t.train.loss,
      curves: [
        { label: t.flow.alongWeight, color: "accent" },
        { label: t.flow.secant, color: "warm", width: 1.5 },
      ],
      describe: t.flow.sliceDescribe,
    }));
    this.#draw();
    this.#ask();
    this.element.scrollIntoView({ block: "nearest" });
    this.#canvas.focus({ preventScroll: true });
  }

  /** Closes it, and gives the focus back. */
  close(): void {
    const { back } = this.#opened ?? {};
    this.#opened = undefined;
    this.element.remove();
    back?.focus({ preventScroll: true });
  }

  /** Follows what is shown around it. */
  follow(look: Look): void {
    this.#look = look;
    if (this.#opened) this.#draw();
  }

  get unit(): number | undefined {
    return this.#opened?.unit;
  }

  #move(row: number, column: number): void {
    const [rows, columns] = this.#look!.image, opened = this.#opened!;
    opened.row = Math.max(0, Math.min(rows - 1, row));
    opened.column = Math.max(0, Math.min(columns - 1, column));
    this.#draw();
  }

  /** The weights, large, and the cursor among them. */
  #draw(): void {
    const { image: [rows, columns], weights } = this.#look!, { unit, row, column } = this.#opened!;
    const small = make("canvas"), pixels = rows * columns;
    const own = weights.subarray(unit * pixels, (unit + 1) * pixels);
    const scale = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0), shade = shades();
    paint(small, [rows, columns], (i) => shade(own[i], scale));
    const canvas = this.#canvas, context = canvas.getContext("2d")!;
    canvas.width = SIDE;
    canvas.height = Math.round(SIDE * rows / columns);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    const cell = SIDE / columns;
    for (const [color, width] of [["#000", 4], ["#fff", 2]] as const) {
      context.strokeStyle = color;
      context.lineWidth = width;
      context.strokeRect(column * cell, row * cell, cell, cell);
    }
    this.#label();
  }

  async #ask(): Promise<void> {
    const moment = this.#moment(), opened = this.#opened, look = this.#look!;
    if (!moment || !opened) return;
    const mine = ++this.#asked, pixel = opened.row * look.image[1] + opened.column;
    try {
      const slice = await this.#client.ask("slice", moment, opened.unit, pixel);
      if (mine !== this.#asked || !this.#opened) return;
      this.#slice = slice;
      const { changes, losses, loss, slope } = slice;
      this.#chart!.set(changes, losses, changes.map((d) => loss + slope * d));
      this.#label();
    } catch { /* another run has begun */ }
  }

  #label(): void {
    if (!this.#opened || !this.#look) return;
    const { unit, row, column } = this.#opened, name = nameOf(this.#look.of, unit);
    this.#canvas.setAttribute("aria-label", t.flow.slicePicture(name));
    if (!this.#slice) return void (this.#caption.textContent = "");
    const { weight, slope, h, changes, samples, step } = this.#slice;
    this.#caption.textContent = t.flow.slice({
      name,
      row: row + 1,
      column: column + 1,
      weight: short(weight, 4),
      slope: short(slope, 4),
      h: `${h}`,
      copies: changes.length,
      samples,
      step: t.number(step),
    });
  }
}

/** The row and column of a picture that a click is in. */
export function cellAt(
  canvas: HTMLElement,
  { clientX, clientY }: MouseEvent,
  [rows, columns]: readonly [number, number],
): [row: number, column: number] {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  return [
    Math.max(0, Math.min(rows - 1, Math.floor((clientY - top) / height * rows))),
    Math.max(0, Math.min(columns - 1, Math.floor((clientX - left) / width * columns))),
  ];
}
