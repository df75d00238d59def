/** Small help with the page's elements. */

/** The element with that id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** A new element with properties and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** A new element of a drawing, with attributes and children. */
export function draw<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number>> = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, `${value}`);
  element.append(...children);
  return element;
}

/** Whether the person asked for less motion. */
export const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Facts as a list of terms; numbers change in place, so that no reader starts anew. */
export function showFacts(list: HTMLElement, facts: readonly (readonly [string, string])[]): void {
  const terms = [...list.querySelectorAll("dt")].map(({ textContent }) => textContent).join();
  if (terms !== facts.map(([term]) => term).join()) {
    list.replaceChildren(
      ...facts.map(([term]) => make("div", {}, make("dt", {}, term), make("dd"))),
    );
  }
  facts.forEach(([, value], i) => {
    const cell = list.children[i].lastElementChild!;
    if (cell.textContent !== value) cell.textContent = value;
  });
}

/** A table out of rows of text, the first of them the head. */
export function showTable(table: HTMLTableElement, rows: readonly (readonly string[])[]): void {
  const [head, ...body] = rows;
  const cell = (text: string, column: number) =>
    column === 0 ? make("th", { scope: "row" }, text) : make("td", {}, text);
  table.replaceChildren(
    make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...body.map((row) => make("tr", {}, ...row.map(cell)))),
  );
}

/** A colour of the theme. */
export function themeColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Whether the theme is dark now, and whenever it changes. */
export function onTheme(listener: () => void): void {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", listener);
}

/** A number in few digits. */
export function short(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return "–";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) {
    return value.toExponential(digits - 1);
  }
  return `${Number(value.toPrecision(digits))}`;
}

/** Draws values into a canvas, one pixel each, through a colour. */
export function paint(
  canvas: HTMLCanvasElement,
  [rows, columns]: readonly [number, number],
  color: (index: number) => readonly [number, number, number],
): void {
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) image.data.set([...color(i), 255], 4 * i);
  context.putImageData(image, 0, 0);
}

/** Shades of the two signs: orange above 0, purple below, paper at 0, in either theme. */
const SHADES = {
  light: { zero: [253, 253, 251], above: [179, 88, 6], below: [84, 39, 136] },
  dark: { zero: [20, 22, 26], above: [253, 184, 99], below: [178, 171, 255] },
} as const;

export type Shade = (value: number, scale: number) => readonly [number, number, number];

/** The colours of signed values on a symmetric scale, in the theme of now. */
export function shades(): Shade {
  const { zero, above, below } = SHADES[
    matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"
  ];
  return (value, scale) => {
    const share = Math.max(-1, Math.min(1, value / (scale || 1)));
    const end = share > 0 ? above : below, part = Math.abs(share);
    const mix = (channel: 0 | 1 | 2) => zero[channel] + part * (end[channel] - zero[channel]);
    return [mix(0), mix(1), mix(2)];
  };
}

/** The largest size of some values. */
export function largest(values: ArrayLike<number>): number {
  let scale = 0;
  for (let i = 0; i < values.length; i++) scale = Math.max(scale, Math.abs(values[i]));
  return scale;
}

/** Whether a button can be pressed now; it keeps the focus where it cannot. */
export function enable(button: HTMLElement, isEnabled: boolean): void {
  button.setAttribute("aria-disabled", `${!isEnabled}`);
}

/** Whether a button may be pressed. */
export const isEnabled = (button: HTMLElement) => button.ariaDisabled !== "true";
