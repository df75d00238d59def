/** Ways to a gradient as the page shows them: a name and a colour each, the same everywhere. */

import { byId, make } from "../parts/elements.ts";
import { type EngineName, ENGINES } from "../run/protocol.ts";
import { inLanguage, t } from "../texts/texts.ts";

/** A way's colour, of the theme. */
export const colorOf = (engine: EngineName): string => engine;

/** Names them once, each beside its colour. */
export function showEngines(): void {
  inLanguage(() => {
    byId("engines").replaceChildren(...ENGINES.map((engine) => {
      const swatch = make("span", { className: "swatch" });
      swatch.style.background = `var(--${colorOf(engine)})`;
      const name = make("strong", {}, t.engines[engine]);
      return make("li", {}, swatch, name, ` – ${t.engines.meaning[engine]}`);
    }));
  });
}
