/** Pictures of charts and figures, to keep and to show elsewhere. */

import { make } from "../parts/elements.ts";
import { inLanguage, t } from "../texts/texts.ts";

/** Hands a file to the browser's downloads. */
export function download(name: string, content: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** What of an element's style a drawing takes along where there is no style sheet. */
const TAKEN = [
  ...["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap"],
  ...["opacity", "font-family", "font-size", "font-weight", "text-anchor", "visibility"],
];

/** A drawing as a file of its own: with the colours of now, on the theme's paper. */
export function drawingAsFile(svg: SVGSVGElement): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const [from, to] = [svg, copy].map((root) => [root, ...root.querySelectorAll<SVGElement>("*")]);
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of TAKEN) to[i].setAttribute(name, style.getPropertyValue(name));
  });
  const { width, height } = svg.getBoundingClientRect();
  copy.setAttribute("width", `${width}`);
  copy.setAttribute("height", `${height}`);
  const paper = document.createElementNS(copy.namespaceURI, "rect");
  const color = getComputedStyle(document.documentElement).getPropertyValue("--paper").trim();
  for (const [name, value] of [["width", "100%"], ["height", "100%"], ["fill", color]]) {
    paper.setAttribute(name, value);
  }
  copy.prepend(paper);
  return new XMLSerializer().serializeToString(copy);
}

/** A button beside a figure that saves it; it is named by the figure's own label. */
export function offerPicture(
  host: HTMLElement | SVGSVGElement,
  picture: () => HTMLCanvasElement | string,
): void {
  const button = make("button", { type: "button", className: "picture" });
  const name = `${host.id}`;
  inLanguage(() => {
    button.textContent = t.files.picture;
    const label = host.getAttribute("aria-label");
    button.setAttribute("aria-label", label ? t.files.pictureOf(label) : t.files.picture);
  });
  button.addEventListener("click", () => {
    const made = picture();
    if (typeof made === "string") return download(`${name}.svg`, made, "image/svg+xml");
    made.toBlob((blob) => blob && download(`${name}.png`, blob, "image/png"));
  });
  host.after(button);
}
