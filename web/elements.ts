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

/** Facts as a list of terms; numbers change in place, so that no reader starts anew. */
export function showFacts(list: HTMLElement, facts: readonly (readonly [string, string])[]): void {
  if (list.childElementCount !== facts.length) {
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

/** Red where positive, blue where negative, white at 0, on a scale that is symmetric. */
export function diverging(value: number, scale: number): [number, number, number] {
  const share = Math.max(-1, Math.min(1, value / (scale || 1)));
  const fade = 255 * (1 - Math.abs(share));
  return share > 0 ? [215 + 40 * (1 - share), fade, fade] : [fade, fade, 215 + 40 * (1 + share)];
}
