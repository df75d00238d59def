/**
 * A tab that is lent: the page, opened with ?worker=wss://host:port&token=..., computes pieces of the
 * gradient of somebody's run, and shows which. All of its work is done beside it, in lend_worker.ts.
 */

import type { LendingAnswer, LendingQuestion } from "./lend_worker.ts";

/** What the screen says, in one place. */
const TEXTS = {
  title: "This tab is lent",
  lead:
    "It computes pieces of a gradient for a neural network that trains elsewhere. It runs nothing " +
    "that it is sent, and takes no data from this computer.",
  connecting: "Looking for the server.",
  waiting: "Waiting for a run to begin.",
  loading: "Loading the data.",
  ready: "Ready.",
  computing: "Computing.",
  stopped: "Stopped. Nothing is computed any more.",
  stop: "Stop",
  start: "Lend this tab again",
  facts: {
    network: "Network",
    adapter: "Computed on",
    step: "Step",
    slices: "Slices",
    numbers: "Central differences",
    rate: "Differences a second",
  },
};

type Fact = keyof typeof TEXTS.facts;

/** Milliseconds over which a rate is taken. */
const RATED = 5000;

const count = (value: number) => Math.round(value).toLocaleString("en");

function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Shows the screen in place of the page, and lends the tab until it is closed. */
export function lendTab(): Promise<never> {
  const status = element("p", { id: "lend-status", role: "status" });
  const button = element("button", { id: "lend-button", type: "button" });
  const facts = new Map<Fact, HTMLElement>();
  const list = element("dl", { className: "lend-facts" });
  for (const [name, label] of Object.entries(TEXTS.facts) as [Fact, string][]) {
    const value = element("dd", { id: `lend-${name}` }, "–");
    facts.set(name, value);
    list.append(element("div", {}, element("dt", {}, label), value));
  }
  document.title = TEXTS.title;
  document.body.replaceChildren(element(
    "main",
    { className: "lend" },
    element("h1", {}, TEXTS.title),
    element("p", { className: "lead" }, TEXTS.lead),
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
      say(answer.message);
      stop(answer.message);
    } else if (answer.kind === "slice") {
      slices++;
      numbers += answer.values;
      const now = performance.now();
      recent = [...recent.filter(({ at }) => now - at < RATED), { at: now, numbers }];
      say(TEXTS.computing);
      show("step", count(answer.step + 1));
      show("slices", count(slices));
      show("numbers", count(numbers));
      const [first] = recent, seconds = (now - first.at) / 1000;
      if (seconds > 0.5) show("rate", count((numbers - first.numbers) / seconds));
    } else {
      say(TEXTS[answer.kind]);
      if (answer.kind === "loading") show("network", answer.run.network || "–");
      if (answer.kind === "ready") show("adapter", answer.adapter);
    }
  };
  const start = () => {
    say(TEXTS.connecting);
    button.textContent = TEXTS.stop;
    const own = worker = new Worker("lend_worker.js", { type: "module" });
    // What it still says once it was stopped changes nothing.
    worker.onmessage = ({ data }: MessageEvent<LendingAnswer>) => own === worker && hear(data);
    worker.onerror = (event) => stop(event.message || "Cannot lend this tab: its worker failed");
    worker.postMessage(question);
  };
  const stop = (reason = TEXTS.stopped) => {
    worker?.postMessage("stop");
    worker = undefined; // it ends by itself, once it has said goodbye
    button.textContent = TEXTS.start;
    show("rate", "–");
    say(reason);
  };
  button.onclick = () => worker ? stop() : start();
  start();
  return new Promise(() => {}); // the rest of the page is not for this tab
}
