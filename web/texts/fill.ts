/** Texts on the page: those that it names itself, and marks within them as elements. */

import { language, t, textOf } from "./texts.ts";

/** Puts the texts in place that the page itself names: data-text for content, data-label for labels. */
export function fill(): void {
  document.documentElement.lang = language;
  document.title = t.title;
  for (const element of document.querySelectorAll<HTMLElement>("[data-text]")) {
    element.replaceChildren(...rich(textOf(t, element.dataset.text!)));
  }
  for (const element of document.querySelectorAll<HTMLElement>("[data-label]")) {
    element.setAttribute("aria-label", textOf(t, element.dataset.label!));
  }
}

const MARKS = /\*\*(.+?)\*\*|\*(.+?)\*|`(.+?)`|\[([^\]]+)\]\(([^)]+)\)/g;

/** A text with its marks as elements: *variable*, **strong**, `code`, [link](url). */
export function rich(text: string): (Node | string)[] {
  const parts: (Node | string)[] = [];
  const element = (tag: string, content: string, url?: string) => {
    const made = document.createElement(tag);
    made.textContent = content;
    if (url !== undefined) made.setAttribute("href", url);
    return made;
  };
  let end = 0;
  for (const { 0: whole, index, ...found } of text.matchAll(MARKS)) {
    parts.push(text.slice(end, index));
    end = index + whole.length;
    if (found[1]) parts.push(element("strong", found[1]));
    else if (found[2]) parts.push(element("i", found[2]));
    else if (found[3]) parts.push(element("code", found[3]));
    else parts.push(element("a", found[4], found[5]));
  }
  parts.push(text.slice(end));
  return parts;
}
