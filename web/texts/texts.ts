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
