/** The page's texts: each key that the page names is there in every language, and in that language. */

import assert from "node:assert/strict";
import { connect, createNetwork, parseNodes } from "../src/core/network.ts";
import { checkFit } from "../src/core/fit.ts";
import { createEstimator } from "../src/core/estimator.ts";
import { initialParameters } from "../src/core/initialization.ts";
import { Xoshiro } from "../src/core/random.ts";
import { drawDigits } from "../src/data/digits.ts";
import { flipNotice } from "../src/method/flips.ts";
import { sameCurves } from "../web/race/same.ts";
import { en } from "../web/texts/en.ts";
import { inKorean } from "../web/texts/errors.ts";
import { ko } from "../web/texts/ko.ts";
import { languageFor, textOf } from "../web/texts/texts.ts";
import { SETTINGS } from "../web/way/settings.ts";
import { ROOT } from "./support.ts";

const HANGUL = /[가-힣]/;

Deno.test("texts: every key that the page names is a text in both languages", async () => {
  const html = await Deno.readTextFile(`${ROOT}/web/index.html`);
  const keys = [...html.matchAll(/data-(?:text|label)="([^"]+)"/g)].map(([, key]) => key);
  assert.ok(keys.length > 60, `${keys.length}`);
  for (const key of keys) {
    assert.ok(textOf(en, key).length > 0, key);
    assert.match(textOf(ko, key), key === "otherLanguage" ? /English/ : HANGUL, key);
  }
  assert.throws(() => textOf(en, "figure.nothing"), /Cannot show text figure\.nothing/);
  assert.throws(() => textOf(en, "figure"), RangeError); // a group is no text
  // What stands between tags is from the catalogue: nothing else is a word.
  const words = html.replace(/<!--.*?-->/gs, "").replace(/<title>.*?<\/title>/, "")
    .replace(/<[^>]*>/gs, " ").match(/\p{L}{3,}/gu) ?? [];
  assert.deepEqual(words.filter((word) => !["log", "exp"].includes(word)), []);
});

/** All texts of a catalogue by their keys; those that take numbers apart. */
function* leaves(part: unknown, key = ""): Generator<[string, unknown]> {
  if (typeof part === "string" || typeof part === "function") yield [key, part];
  else {
    for (const [name, value] of Object.entries(part as object)) {
      yield* leaves(value, key ? `${key}.${name}` : name);
    }
  }
}

Deno.test("texts: Korean ones are Korean, and take what the English ones take", () => {
  // Formulas and signs are the same in every language.
  const same = /^(none|otherLanguage|cost\.measuring|sees\.formulas\..*|presets\.best\.0)$/;
  const alike = /^(flow\.alongWeight|digits\.(up|down)|check\.cpu|digits\.float64)$/;
  const korean = new Map(leaves(ko));
  for (const [key, text] of leaves(en)) {
    const other = korean.get(key);
    assert.equal(typeof other, typeof text, key);
    if (typeof text === "function") {
      assert.equal((other as { length: number }).length, text.length, key);
    } else if (!same.test(key) && !alike.test(key)) {
      assert.match(other as string, HANGUL, key);
    }
    // Links lead to the same places.
    const links = (of: unknown) => `${of}`.match(/\]\([^)]+\)/g)?.sort();
    if (typeof text === "string") assert.deepEqual(links(other), links(text), key);
  }
  assert.equal([...leaves(en)].length, korean.size);
});

Deno.test("texts: every setting has its label and its meaning, in both languages", () => {
  for (const name of Object.keys(SETTINGS) as (keyof typeof SETTINGS)[]) {
    for (const { settings } of [en, ko]) {
      assert.ok(settings[name][0].length > 1 && settings[name][1].length > 10, name);
    }
  }
});

const message = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
};

Deno.test("texts: what the library refuses on the page is said in Korean, numbers and names kept", () => {
  const image = { inputs: 784, inputShape: [1, 28, 28], classes: 10 } as const;
  const build = (network: string) =>
    message(() => connect({ ...image, nodes: parseNodes(network) }));
  const read = (network: string) =>
    `Cannot read the network: ${message(() => parseNodes(network))}`;
  const network = createNetwork({ inputs: 784, hidden: [9999], classes: 10 });
  const { train } = drawDigits({ train: 20, test: 1 });
  const steps = createNetwork({ inputs: 784, hidden: [5], classes: 10, activation: "step" });
  const notice = flipNotice(
    {
      network: steps,
      method: "differences",
      estimator: createEstimator("central", 1e-9),
      optimizer: { name: "sgd", weightDecay: 0 },
      samples: train,
      batch: 20,
      seed: 1,
    },
    initialParameters(steps, 0.01, new Xoshiro(1)),
    Uint32Array.from({ length: 20 }, (_, n) => n),
  )!;
  const said: [string, RegExp][] = [
    [build("conv 30x50"), /"conv 30x50".*커널 50이 입력 28x28보다/],
    [build("dense 5, conv 2x3"), /값 5개의 행/],
    [read("dence 5"), /1번째 연산 "dence 5": dence/],
    [read("relu, , relu"), /2번째 연산이 비어/],
    [
      message(() =>
        checkFit(network, ({ parameters }) => ({ weights: 8 * parameters }), 1e6, "the page")
      ),
      /784-9999-10.*이 페이지.*784-\d+-10이라면/,
    ],
    [notice, /h = 1e-9만큼.*유닛 100개/],
  ];
  for (const [english, korean] of said) {
    assert.doesNotMatch(english, HANGUL);
    assert.match(inKorean(english), korean);
  }
  assert.equal(inKorean("Cannot fly: no wings"), "오류 (원문): Cannot fly: no wings");
});

Deno.test("texts: the address says the language, else the browser does, else it is English", () => {
  assert.equal(languageFor("?lang=ko", ["en-US"]), "ko");
  assert.equal(languageFor("?lang=en", ["ko-KR"]), "en");
  assert.equal(languageFor("", ["fr", "ko-KR", "en"]), "ko");
  assert.equal(languageFor("?lang=xx", ["de"]), "en");
});

Deno.test("race: curves that are nowhere apart are named together, with how far they are", () => {
  const row = (engine: "differences" | "copies" | "backprop", losses: number[]) => ({
    engine,
    losses,
  });
  assert.deepEqual(
    sameCurves([
      row("differences", [2, 1]),
      row("copies", [2, 1.5]),
      row("backprop", [2, 1.001, 7]), // one step ahead
    ]).map(({ engines, apart }) => [engines, Number(apart.toFixed(6))]),
    [[["differences", "backprop"], 0.001]],
  );
});
