/**
 * A tab that is lent: the page, opened with ?worker=wss://host:port&token=..., computes pieces of the
 * gradient of somebody's run, and shows which. All of its work is done beside it, in lend_worker.ts.
 */

import { make } from "./parts/elements.ts";
import type { Catalogue } from "./texts/en.ts";
import { t } from "./texts/texts.ts";
import type { LendingAnswer, LendingQuestion } from "./lend_worker.ts";

type Fact = keyof Catalogue["lend"]["facts"];

/** Milliseconds over which a rate is taken. */
const RATED = 5000;

/** Shows the screen in place of the page, and lends the tab until it is closed. */
export function lendTab(): Promise<never> {
  const status = make("p", { id: "lend-status", role: "status" });
  const button = make("button", { id: "lend-button", type: "button" });
  const facts = new Map<Fact, HTMLElement>();
  const list = make("dl", { className: "lend-facts" });
  for (const [name, label] of Object.entries(t.lend.facts) as [Fact, string][]) {
    const value = make("dd", { id: `lend-${name}` }, t.none);
    facts.set(name, value);
    list.append(make("div", {}, make("dt", {}, label), value));
  }
  document.title = t.lend.title;
  document.body.replaceChildren(make(
    "main",
    { className: "lend" },
    make("h1", {}, t.lend.title),
    make("p", { className: "lead" }, t.lend.lead),
    status,
    list,
    button,
  ));

  const parameters = new URLSearchParams(location.search);
  const question: LendingQuestion = {
    address: parameters.get("worker")!,
    token: parameters.get("token") ?? undefined,
  };
  let worker: Worker | undefined;
  let slices = 0, numbers = 0;
  let recent: { at: number; numbers: number }[] = [];
  const show = (name: Fact, text: string) => facts.get(name)!.textContent = text;
  const say = (text: string) => {
    if (status.textContent !== text) status.textContent = text; // a reader hears it once
  };

  const hear = (answer: LendingAnswer) => {
    if (answer.kind === "failed") {
      stop(t.error(answer.message));
    } else if (answer.kind === "slice") {
      slices++;
      numbers += answer.values;
      const now = performance.now();
      recent = [...recent.filter(({ at }) => now - at < RATED), { at: now, numbers }];
      say(t.lend.computing);
      show("step", t.number(answer.step + 1));
      show("slices", t.number(slices));
      show("numbers", t.number(numbers));
      const [first] = recent, seconds = (now - first.at) / 1000;
      if (seconds > 0.5) show("rate", t.number((numbers - first.numbers) / seconds));
    } else {
      say(t.lend[answer.kind]);
      if (answer.kind === "loading") show("network", answer.run.network || t.none);
      if (answer.kind === "ready") show("adapter", answer.adapter);
    }
  };
  const start = () => {
    say(t.lend.connecting);
    button.textContent = t.lend.stop;
    const own = worker = new Worker("lend_worker.js", { type: "module" });
    // What it still says once it was stopped changes nothing.
    worker.onmessage = ({ data }: MessageEvent<LendingAnswer>) => own === worker && hear(data);
    worker.onerror = (event) => stop(event.message ? t.error(event.message) : t.lend.failed);
    worker.postMessage(question);
  };
  const stop = (reason = t.lend.stopped) => {
    worker?.postMessage("stop");
    worker = undefined; // it ends by itself, once it has said goodbye
    button.textContent = t.lend.start;
    show("rate", t.none);
    say(reason);
  };
  button.onclick = () => worker ? stop() : start();
  start();
  return new Promise(() => {}); // the rest of the page is not for this tab
}
