/** The page's first script: its language and its first figure; all else comes behind the first paint. */

import { showFigure } from "./figure/figure.ts";
import { byId } from "./parts/elements.ts";
import { fill } from "./texts/fill.ts";
import { inLanguage, language, languageFor, setLanguage } from "./texts/texts.ts";

await setLanguage(languageFor(location.search, navigator.languages));
// A tab that is lent shows nothing of the rest.
if (new URLSearchParams(location.search).has("worker")) {
  await (await import("./lend.ts")).lendTab();
}
inLanguage(fill);
showFigure();
byId("language").addEventListener("click", async () => {
  await setLanguage(language === "en" ? "ko" : "en");
  const url = new URL(location.href);
  url.searchParams.set("lang", language);
  history.replaceState(null, "", url);
});
document.body.dataset.ready = "figure";
await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
await (await import("./page.ts")).showPage();
