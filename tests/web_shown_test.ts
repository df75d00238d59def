/** What the page shows to whom: its first screen, both languages, a class, small and dark screens. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import {
  closeBehind,
  downloaded,
  fact,
  focused,
  type How,
  onPage,
  resting,
  SCREENSHOTS,
  step,
  text,
  trainUntil,
  type,
  until,
  webTest,
} from "./page.ts";

const SMALL = "?hidden=12&batch=20";
const CONV = `?network=${
  encodeURIComponent("conv 4x5 stride 2 pad 2, relu, maxpool 2, dense 20, relu")
}&batch=50&lr=0.2`;
const HANGUL = /[가-힣]/;

/** A view of the browser's objects that these tests ask in it. */
interface Seen {
  innerHeight: number;
  getComputedStyle(element: unknown): Record<string, string>;
  document: {
    documentElement: { scrollWidth: number; clientWidth: number; lang: string };
    activeElement: {
      id: string;
      tagName: string;
      className: unknown;
      getBoundingClientRect(): { top: number; bottom: number; width: number };
    };
    getElementById(id: string): { getBoundingClientRect(): { top: number } };
  };
}

webTest("the first script is small, and all else comes behind the first figure", async () => {
  await onPage(async (page, url) => {
    const sizes = new Map<string, number>();
    const measure = async (name: string) => {
      if (sizes.has(name)) return;
      sizes.set(name, 0);
      const code = await (await fetch(url + name)).text();
      sizes.set(name, code.length);
      for (const [, part] of code.matchAll(/(?:from|import)"\.\/([^"]+)"/g)) await measure(part);
    };
    await measure("main.js");
    const bytes = [...sizes.values()].reduce((sum, size) => sum + size);
    assert.ok(sizes.size > 1, `${[...sizes.keys()]}`);
    assert.ok(bytes <= 120_000, `${bytes} bytes: ${JSON.stringify([...sizes])}`);
    const html = await page.content();
    assert.doesNotMatch(html, /<script(?![^>]*src=)|\son\w+=/);
    assert.match(html, /Content-Security-Policy/);
    const paint = await page.evaluate(() =>
      performance.getEntriesByName("first-contentful-paint")[0]?.startTime
    );
    console.log(`first paint after ${paint.toFixed(0)} ms; ${bytes} bytes of first script`);
  });
});

for (const [width, height] of [[1280, 800], [390, 844]]) {
  webTest(`${width}x${height}: the whole figure is on the first screen`, async () => {
    await onPage(async (page) => {
      const bar = (await page.locator("#bar").boundingBox())!;
      for (const id of ["net", "curve", "figure-formula", "figure-advice", "figure-play"]) {
        const { y, height: own } = (await page.locator(`#${id}`).boundingBox())!;
        assert.ok(y >= 0 && y + own <= bar.y, `${id} ends at ${y + own} of ${bar.y}`);
      }
    }, { query: SMALL, viewport: { width, height } });
  });
}

const loss = async (page: Page) => Number(await fact(page, "#figure-facts", "Loss"));

webTest("the figure: nudged down, then up, then the slope with its numbers", async () => {
  await onPage(async (page) => {
    assert.equal(await loss(page), 0.9281);
    await page.locator("#figure-h").fill("0"); // h = 1
    await page.locator("#figure-nudge").click();
    assert.match(await text(page, "#figure-advice"), /^W\[1,1\] down by h: the loss is 0\.7479/);
    assert.equal(await page.locator("#curve .nudge").count(), 1);
    await until("up", 10, async () => /up by h/.test(await text(page, "#figure-advice")));
    assert.match(await text(page, "#figure-advice"), /the loss is 1\.1908/);
    await until("the slope", 10, async () => await page.locator("#curve .rise").count() === 1);
    assert.equal(
      await text(page, "#figure-formula"),
      "(L(w + h) − L(w − h)) / 2h = (1.1908 − 0.7479) / (2 · 1) = 0.2214",
    );
  }, { first: true });
});

webTest("the figure: steps go downhill, and playing ends where the loss is small", async () => {
  await onPage(async (page) => {
    await page.locator("#figure-down").click();
    await until("a step", 10, async () => await fact(page, "#figure-facts", "Steps") === "1");
    const first = await loss(page);
    assert.ok(first < 0.9281, `${first}`);
    await page.locator("#figure-play").click();
    await until("a small loss", 60, async () => await loss(page) <= 0.05);
    await until("its end", 10, async () => await text(page, "#figure-play") === "Play");
    assert.match(await text(page, "#figure-advice"), /the loss is small/);
    await page.locator("#figure-back").click();
    assert.equal(await loss(page), 0.9281);
  }, { first: true, reducedMotion: "reduce" });
});

webTest("the figure: a weight is chosen and dragged, by mouse and by keyboard", async () => {
  await onPage(async (page) => {
    await page.locator("[data-weight='0']").focus();
    await page.keyboard.press("ArrowLeft");
    assert.match(await text(page, "#figure-advice"), /Raise W\[2,3\], and the loss falls/);
    const dot = page.locator("#dot"), value = () => dot.getAttribute("aria-valuenow");
    assert.equal(await value(), "0.6942");
    const { x, y, width, height } = (await dot.boundingBox())!;
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + 80, y, { steps: 5 });
    await page.mouse.up();
    const dragged = Number(await value());
    assert.ok(dragged > 0.9, `${dragged}`);
    assert.notEqual(await loss(page), 0.9281);
    await page.keyboard.press("ArrowLeft");
    assert.ok(Math.abs(Number(await value()) - (dragged - 0.05)) < 1e-3);
  }, { first: true });
});

webTest("the tutorial's program stands beside its numbers", async () => {
  await onPage(async (page) => {
    assert.match(await text(page, "#tutorial-code"), /numerical_gradient_simplemodel/);
    const numbers = (await page.locator("#tutorial-numbers td").allInnerTexts()).map(Number);
    const expected = [0.21924757, 0.14356243, -0.36281, 0.32887136, 0.21534364, -0.544215];
    // Some of these have six digits, which are off by half of the last one at most.
    expected.forEach((slope, i) => assert.ok(Math.abs(numbers[i] - slope) < 5e-7, `${numbers[i]}`));
    assert.ok(await page.locator("a[href*='DeepLearningFromForR']").count() > 0);
    assert.ok(await page.locator("a[href*='tr1415r']").count() > 0);
    const source = await page.request.get(page.url() + "source.txt");
    assert.match(await source.text(), /==== web\/main\.ts ====/);
  }, { first: true });
});

/** Texts of a kind that have no Hangul, though they hold a word. */
const foreign = async (page: Page, selector: string) =>
  (await page.locator(selector).allInnerTexts())
    .filter((line) => /[A-Za-z]{4}/.test(line) && !HANGUL.test(line));

webTest("Korean: all of it, by the address, in errors and in labels", async () => {
  await onPage(async (page) => {
    assert.equal(await page.locator("html").getAttribute("lang"), "ko");
    await page.locator("#step").click();
    await until("a step", 60, async () => /1 \/ /.test(await text(page, "#bar-state")));
    await page.locator(".unit canvas").first().click();
    await until("a slice", 30, async () => HANGUL.test(await text(page, "#slice-caption")));
    await type(page, "hidden", "50"); // opens all settings
    const kinds =
      "h2, h3, h4, p, figcaption, button:not(#language), legend, dt, summary, caption, " +
      "#way label, .setting label, .u-legend .u-label";
    // Formulas, and what the machine is called, are the same in every language.
    assert.deepEqual(
      (await foreign(page, kinds)).filter((line) => !/log\(|Σ|swiftshader/i.test(line)),
      [],
    );
    const labels = await page.locator("[aria-label]").evaluateAll((elements) =>
      elements.map((element) => (element as unknown as { ariaLabel: string }).ariaLabel)
    );
    assert.ok(labels.length > 30);
    assert.deepEqual(
      labels.filter((label) => /[A-Za-z]{4}/.test(label) && !HANGUL.test(label)),
      [],
    );
    await type(page, "network", "conv 30x50");
    assert.match(await text(page, "#complaint-network"), /커널 50이 입력 28x28보다 큽니다/);
    await type(page, "network", "dence 5");
    assert.match(await text(page, "#complaint-network"), /dence은\(는\) 없습니다/);
    await type(page, "lr", "x");
    assert.match(await text(page, "#complaint-lr"), /학습률/);
    await page.locator("#load").setInputFiles({
      name: "broken.h5",
      mimeType: "application/octet-stream",
      buffer: Buffer.alloc(10),
    });
    await until("a word", 30, async () => HANGUL.test(await text(page, "#files-status")));
  }, { query: `${SMALL}&lang=ko` });
});

webTest("the language: by the browser's, and by a switch that loses nothing", async () => {
  await onPage(async (page) => {
    assert.equal(await text(page, "#start"), "시작");
    await page.locator("#step").click();
    await until("a step", 60, async () => /^1 /.test(await text(page, "#bar-state")));
    await page.locator("#language").click();
    await until("English", 10, async () => await text(page, "#start") === "Go on");
    assert.equal(await focused(page), "language");
    assert.equal(await step(page), 1);
    assert.match(page.url(), /lang=en/);
    assert.equal(await foreignKorean(page), "");
    await page.locator("#language").click();
    await until("Korean", 10, async () => await text(page, "#start") === "이어서");
    await type(page, "hidden", "16"); // and a new setting keeps it
    assert.match(page.url(), /hidden=16.*lang=ko/);
  }, { query: SMALL, locale: "ko-KR" });
});

/** The first Korean text of a page in English, where only the tutorial and the switch are Korean. */
const foreignKorean = async (page: Page) =>
  (await page.locator("h2, h3, dt, button:not(#language), label, figcaption").allInnerTexts())
    .find((line) => HANGUL.test(line)) ?? "";

webTest("to a class: large type, high charts, a page a part, and out again", async () => {
  await onPage(async (page) => {
    const height = async () => (await page.locator("#train-curve").boundingBox())!.height;
    const size = () =>
      page.evaluate(() => {
        const { getComputedStyle, document } = globalThis as unknown as Seen & {
          document: { body: unknown };
        };
        return Number.parseFloat(getComputedStyle(document.body).fontSize);
      });
    const before = [await height(), await size()];
    await page.locator("#present").click();
    assert.ok(await height() > 1.3 * before[0] && await size() > 1.3 * before[1]);
    assert.equal(await page.locator("#all-settings").isVisible(), false);
    assert.match(page.url(), /present/);
    await page.locator("#present").evaluate((button) =>
      (button as unknown as HTMLElementLike).blur()
    );
    const top = (id: string) =>
      page.evaluate(
        (id: string) =>
          (globalThis as unknown as Seen).document.getElementById(id).getBoundingClientRect().top,
        id,
      );
    await page.keyboard.press("PageDown");
    await until("the next part", 10, async () => Math.abs(await top("digits")) < 20);
    await page.keyboard.press("PageUp");
    await until("the first part", 10, async () => Math.abs(await top("figure")) < 120);
    await page.screenshot({ path: `${SCREENSHOTS}/presentation.png` });
    await page.keyboard.press("Escape");
    assert.doesNotMatch(page.url(), /present/);
    assert.ok(await size() === before[1]);
  }, { query: SMALL });
  await onPage(async (page) => {
    assert.ok(await page.locator("body.present").count() === 1);
  }, { query: `${SMALL}&present=` });
});
interface HTMLElementLike {
  blur(): void;
}

webTest("pictures of charts and figures can be saved", async () => {
  await onPage(async (page) => {
    await trainUntil(page, "a curve", 60, async () => await step(page) > 20);
    const png = await downloaded(page, "#train-curve + .picture");
    assert.deepEqual([...png.slice(1, 4)].map((byte) => String.fromCharCode(byte)).join(""), "PNG");
    assert.ok(png.length > 3000, `${png.length}`);
    const svg = new TextDecoder().decode(await downloaded(page, "#net + .picture"));
    assert.match(svg, /^<svg[^>]* xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    assert.match(svg, /stroke="rgb\(179, 88, 6\)"/); // colours go along
  }, { query: SMALL });
});

webTest("estimators: the formula, and a picture of what each sees", async () => {
  await onPage(async (page) => {
    const stems = () => page.locator("#sees circle").count();
    await type(page, "estimator", "smoothed");
    assert.match(await text(page, "#sees-formula"), /Σ c\[k\]/);
    assert.equal(await stems(), 32); // 16 points on either side
    const heights = () =>
      page.locator("#sees circle").evaluateAll((circles) =>
        circles.map((circle) => Number((circle as unknown as Circle).getAttribute("cy")))
      );
    const logistic = await heights();
    await type(page, "kernel", "triangle");
    const triangle = await heights();
    // A triangle's slope is the same everywhere: all on one side count alike.
    assert.equal(new Set(triangle).size, 2);
    assert.ok(new Set(logistic).size > 2);
    await type(page, "points", "5");
    assert.equal(await stems(), 10);
    await type(page, "estimator", "forward");
    assert.equal(await stems(), 2);
    assert.equal(await page.locator("#setting-kernel").isVisible(), false);
    await type(page, "estimator", "smoothed");
    await resting(page);
    await page.locator("#step").click();
    await until("a step of it", 60, async () => await step(page) === 1);
  }, { query: `${SMALL}&activation=step` });
});
interface Circle {
  getAttribute(name: string): string;
}

webTest(
  "by keyboard alone, from top to bottom: all is reached, seen, and behind nothing",
  async () => {
    await onPage(async (page) => {
      const reached: string[] = [];
      const look = () =>
        page.evaluate(() => {
          const { document, getComputedStyle, innerHeight } = globalThis as unknown as Seen;
          const { activeElement: element } = document;
          const { top, bottom } = element.getBoundingClientRect();
          const bar = document.getElementById("bar").getBoundingClientRect().top;
          const style = getComputedStyle(element);
          const inBar = bottom > bar && /^(start|step|reset|cancel)$/.test(element.id);
          return {
            name: element.id || `${element.tagName} ${element.className}`,
            isSeen: bottom > 0 && top < innerHeight && (inBar || top <= bar),
            hasRing: style.outlineStyle !== "none" || element.tagName === "g" ||
              element.tagName === "circle",
          };
        });
      for (let i = 0; i < 150; i++) {
        await page.keyboard.press("Tab");
        const at = await look();
        if (at.name.startsWith("BODY")) break;
        assert.ok(at.hasRing, at.name);
        // The browser brings it into view, which may take it a frame.
        await until(`${at.name} is seen`, 5, async () => (await look()).isSeen);
        reached.push(at.name);
      }
      const order = ["language", "dot", "figure-nudge", "digits-h", "pad", "look", "unit-0"]
        .concat(["race-smooth", "check-run", "save-h5", "load", "start", "step", "reset"]);
      const places = order.map((id) => reached.indexOf(id));
      places.forEach((place, i) => assert.ok(place >= 0, `${order[i]} of ${reached}`));
      assert.deepEqual(places, places.toSorted((a, b) => a - b), `${reached}`);
      assert.equal(reached.filter((name) => name.startsWith("unit-")).length, 1);
      // And off it goes.
      await page.locator("#start").focus();
      await page.keyboard.press("Enter");
      await until("steps", 30, async () => await step(page) > 0);
      await page.keyboard.press("Space");
      await until("a pause", 10, async () => await text(page, "#start") === "Go on");
    }, { query: SMALL });
  },
);

const VIEWS: Record<string, How> = {
  "light": { query: SMALL, viewport: { width: 1280, height: 800 } },
  "dark": { query: SMALL, colorScheme: "dark", viewport: { width: 1280, height: 800 } },
  "korean": { query: `${SMALL}&lang=ko`, viewport: { width: 1280, height: 800 } },
  "korean-dark": {
    query: `${SMALL}&lang=ko`,
    colorScheme: "dark",
    viewport: { width: 1280, height: 800 },
  },
  "phone": { query: SMALL, viewport: { width: 360, height: 780 } },
  "korean-phone": { query: `${SMALL}&lang=ko`, viewport: { width: 360, height: 780 } },
  "conv-dark": { query: CONV, colorScheme: "dark", viewport: { width: 1280, height: 800 } },
  "conv-phone": { query: CONV, viewport: { width: 360, height: 780 } },
  "forced-colors": {
    query: SMALL,
    forcedColors: "active",
    viewport: { width: 1280, height: 800 },
  },
};

for (const [name, view] of Object.entries(VIEWS)) {
  webTest(`${name}: nothing overflows, and axe finds nothing serious`, async () => {
    await onPage(async (page) => {
      await page.locator("#step").click();
      await page.locator(`#bar[data-state="running"]`).waitFor({ timeout: 500 }).catch(() => {});
      await resting(page);
      await page.locator(".unit canvas").first().click();
      await until("a slice", 30, async () => await text(page, "#slice-caption") !== "");
      await page.locator("#all-settings summary").click();
      const overflow = await page.evaluate(() => {
        const { document } = globalThis as unknown as Seen;
        return document.documentElement.scrollWidth - document.documentElement.clientWidth;
      });
      assert.equal(overflow, 0);
      const { violations } = await new AxeBuilder({ page }).analyze();
      const serious = violations.filter(({ impact }) =>
        impact === "serious" || impact === "critical"
      );
      assert.deepEqual(
        serious.map(({ id, nodes }) => `${id}: ${nodes[0].html}`),
        [],
      );
      await page.evaluate("scrollTo(0, 0)");
      await page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true });
      await page.screenshot({ path: `${SCREENSHOTS}/${name}-first.png` });
    }, view);
  });
}

closeBehind();
