/**
 * The language of the page: which one, its texts, and who is told when it changes. A language that
 * is not shown is not loaded.
 */

import { type Catalogue, en } from "./en.ts";

export const LANGUAGES = ["en", "ko"] as const;
export type Language = (typeof LANGUAGES)[number];

/** The texts of the language that is shown. */
export let t: Catalogue = en;
export let language: Language = "en";

const listeners: (() => void)[] = [];

/** Calls back now, and whenever the language has changed. */
export function inLanguage(listener: () => void): void {
  listeners.push(listener);
  listener();
}

/** The language that an address asks for, or else the first of the browser's that there is. */
export function languageFor(query: string, preferred: readonly string[]): Language {
  const asked = new URLSearchParams(query).get("lang");
  const known = [asked ?? "", ...preferred].map((name) => name.slice(0, 2).toLowerCase());
  return known.map((name) => LANGUAGES.find((one) => one === name)).find(Boolean) ?? "en";
}

/** Shows the page in a language. */
export async function setLanguage(next: Language): Promise<void> {
  t = next === "ko" ? (await import("./ko.ts")).ko : en;
  language = next;
  document.documentElement.lang = next;
  document.title = t.title;
  fill(document);
  for (const listener of listeners) listener();
}

/** What a key such as "train.title" names: a plain text. */
export function textOf(catalogue: Catalogue, key: string): string {
  const found = key.split(".").reduce<unknown>(
    (part, name) => (part as Record<string, unknown> | undefined)?.[name],
    catalogue,
  );
  if (typeof found !== "string") throw new RangeError(`Cannot show text ${key}: there is none`);
  return found;
}

/** Puts the texts in place that the page itself names: data-text for content, data-label for labels. */
function fill(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLElement>("[data-text]")) {
    element.replaceChildren(...rich(textOf(t, element.dataset.text!)));
  }
  for (const element of root.querySelectorAll<HTMLElement>("[data-label]")) {
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
