/** To show the page to a class: large type, charts as high as the screen, a part at a time. */

import { byId } from "../parts/elements.ts";
import { inLanguage, t } from "../texts/texts.ts";

/** The parts that are paged through. */
const parts = () => [...document.querySelectorAll<HTMLElement>("main > section")];

/** Puts the switch to work, and presents at once where the address says so. */
export function showPresent(): void {
  const { body } = document, button = byId("present");
  const presents = () => body.classList.contains("present");

  function present(isPresenting: boolean): void {
    body.classList.toggle("present", isPresenting);
    const url = new URL(location.href);
    if (isPresenting) url.searchParams.set("present", "");
    else url.searchParams.delete("present");
    history.replaceState(null, "", url);
    label();
  }
  function label(): void {
    button.textContent = presents() ? t.unpresent : t.present;
    button.setAttribute("aria-pressed", `${presents()}`);
    button.title = t.presentHint;
  }

  /** Goes on by so many parts from the one that fills the screen. */
  function turn(by: number): void {
    const all = parts();
    const at = all.findLastIndex((part) => part.getBoundingClientRect().top < innerHeight / 2);
    const next = Math.max(0, Math.min(all.length - 1, at + by));
    if (next === 0) scrollTo({ top: 0 }); // with the title above it
    else all[next].scrollIntoView();
  }

  button.addEventListener("click", () => present(!presents()));
  addEventListener("keydown", (event) => {
    if (!presents() || event.defaultPrevented) return;
    // Keys belong to what has the focus, where it takes them.
    const isTaken = (event.target as HTMLElement).closest?.("input, select, [role=slider], canvas");
    if (event.key === "Escape") present(false);
    else if (isTaken) return;
    else if (event.key === "PageDown" || event.key === "ArrowRight") turn(1);
    else if (event.key === "PageUp" || event.key === "ArrowLeft") turn(-1);
    else return;
    event.preventDefault();
  });
  if (new URLSearchParams(location.search).has("present")) present(true);
  inLanguage(label);
}
