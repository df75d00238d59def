/** The page in Chromium, its parts used as a person would. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "@playwright/test";
import { findChromium, PLAIN, SOFTWARE_GPU } from "../src/cli/chromium.ts";
import { connect, parseNodes } from "../src/core/network.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { drawDigits } from "../src/data/digits.ts";
import { writeIdx } from "../src/data/idx.ts";
import { readTensors, writeTensors } from "../src/data/tensors.ts";
import { parametersIn } from "../src/data/weights.ts";
import { unrolled } from "../src/gpu/narrow.ts";
import { compose, type Fillings, type KernelName, KERNELS, ROLES } from "../src/gpu/shaders.ts";
import type { Activation } from "../src/operations/activation.ts";
import { activationOf } from "../src/operations/registry.ts";
import { engineOptions, ROOT, startServer } from "./support.ts";
import { hasChromium } from "./tools.ts";

const SCREENSHOTS = `${ROOT}/.ci/screenshots`;

/** The page's address: built and served once, with the permissions of its task. */
let address: Promise<string> | undefined;
const open: { server?: Deno.ChildProcess; browser?: Promise<Browser> } = {};

async function serve(): Promise<string> {
  const { url, server } = await startServer();
  open.server = server;
  return url;
}

/** Opens the page, and sees to it that nothing goes wrong on the way. */
async function onPage(
  body: (page: Page, address: string) => Promise<void>,
  { query = "", args = SOFTWARE_GPU, ...context }: BrowserContextOptions & {
    query?: string;
    args?: string[];
  } = {},
): Promise<void> {
  if (!hasChromium()) return;
  const url = await (address ??= serve());
  const launch = () =>
    chromium.launch({
      executablePath: findChromium(),
      args: [...PLAIN, ...args],
    });
  const shared = args === SOFTWARE_GPU;
  const browser = await (shared ? open.browser ??= launch() : launch());
  const page = await (await browser.newContext({ acceptDownloads: true, ...context })).newPage();
  const problems: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(url)) {
      problems.push(`a request leaves the page: ${request.url()}`);
    }
  });
  try {
    await page.goto(url + query);
    await page.waitForSelector("#start:not([disabled])", { timeout: 60_000 });
    await body(page, url);
    assert.deepEqual(problems, []);
  } finally {
    await page.context().close();
    if (!shared) await browser.close();
  }
}

/** A test of the page; what is shared between tests is not a leak. */
function webTest(name: string, body: () => Promise<void>): void {
  Deno.test({ name: `web: ${name}`, fn: body, sanitizeOps: false, sanitizeResources: false });
}

const text = (page: Page, selector: string) => page.locator(selector).innerText();
const fact = async (page: Page, list: string, term: string) =>
  await page.locator(`${list} div`, { hasText: term }).first().locator("dd").innerText();
const step = async (page: Page) =>
  Number((await fact(page, "#train-facts", "Step")).split(" of ")[0].replace(/,/g, ""));

/** Waits until something is true of the page. */
async function until(what: string, seconds: number, test: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 1000 * seconds;
  while (!await test()) {
    assert.ok(Date.now() < end, `not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const SMALL = "?hidden=12&batch=20";

webTest("the scripts that the first paint waits for are small, and nothing is inline", async () => {
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
    assert.ok(sizes.size > 3, `${[...sizes.keys()]}`);
    assert.ok(bytes <= 130_000, `${bytes} bytes: ${JSON.stringify([...sizes])}`);
    const html = await page.content();
    assert.doesNotMatch(html, /<script(?![^>]*src=)|\son\w+=/);
    assert.match(html, /Content-Security-Policy/);
  });
});

webTest(
  "the idea: a weight is dragged, and h falls until seven digits are not enough",
  async () => {
    await onPage(async (page) => {
      assert.equal(await fact(page, "#idea-facts", "L(w)"), "0.92806854");
      await page.locator("#idea-matrix button").nth(5).click();
      assert.match(await text(page, "#idea-advice"), /has to rise/);
      await page.locator("#idea-w").focus();
      for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowRight");
      assert.match(await text(page, "#idea-weight"), /W\[2,3\] = 0\.7[34]/);
      assert.notEqual(await fact(page, "#idea-facts", "L(w)"), "0.92806854");
      await page.locator("#idea-h").fill("-8");
      const slope = Number(await fact(page, "#idea-facts", "Slope of the secant"));
      const plain = Number(await fact(page, "#idea-facts", "Seven digits, subtracted"));
      const changes = Number(await fact(page, "#idea-facts", "Seven digits, exact changes"));
      assert.ok(Math.abs(changes / slope - 1) < 1e-6, `${changes} ${slope}`);
      assert.ok(Math.abs(plain / slope - 1) > 0.1, `${plain} ${slope}`);
      await page.locator("#idea-reset").click();
      assert.equal(await fact(page, "#idea-facts", "L(w)"), "0.92806854");
    });
  },
);

webTest("training: starts, learns, pauses, takes a single step, begins anew", async () => {
  await onPage(async (page) => {
    await page.locator("#start").click();
    await until(
      "75% of the test digits",
      180,
      async () => Number.parseFloat(await fact(page, "#train-facts", "Test accuracy")) >= 75,
    );
    await page.locator("#start").click();
    await until("a pause", 10, async () => await text(page, "#start") === "Go on");
    const before = await step(page);
    await page.locator("#step").click();
    await until("one more step", 10, async () => await step(page) === before + 1);
    await until("a pause", 10, async () => await text(page, "#start") === "Go on");
    assert.ok(await page.locator("#confusion tbody tr").count() === 10);
    assert.ok(await page.locator("#worst canvas").count() > 0);
    await Deno.mkdir(SCREENSHOTS, { recursive: true });
    await page.locator("#look").click();
    await page.locator("#units canvas").first().waitFor();
    await page.screenshot({ path: `${SCREENSHOTS}/light.png`, fullPage: true });
    await page.setViewportSize({ width: 1200, height: 1750 });
    await page.locator("#idea").scrollIntoViewIfNeeded();
    await page.evaluate("scrollTo(0, 0)");
    await page.screenshot({ path: `${SCREENSHOTS}/readme.png` });
    await page.locator("#reset").click();
    await until("a new run", 10, async () => await step(page) === 0);
  });
});

webTest("training keeps the page's own thread free", async () => {
  await onPage(async (page) => {
    await page.locator("#start").click();
    await until("some steps", 60, async () => await step(page) > 20);
    await page.evaluate(() => {
      const seen: number[] = [];
      Object.assign(globalThis, { seen });
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) seen.push(duration);
      }).observe({ type: "longtask" });
    });
    // The machine may take the thread away for as long as it likes: one quiet window of three counts.
    let quiet = false;
    const windows: number[][] = [];
    for (let i = 0; i < 3 && !quiet; i++) {
      await page.waitForTimeout(4000);
      const seen = await page.evaluate(() =>
        (globalThis as unknown as { seen: number[] }).seen.splice(0)
      );
      windows.push(seen);
      quiet = seen.length === 0;
    }
    assert.ok(quiet, `tasks of over 50 ms: ${JSON.stringify(windows)}`);
  });
});

/** Trains to the end of the address's steps, and returns the losses that the page saves. */
async function lossesOf(query: string): Promise<number[]> {
  let losses: number[] = [];
  await onPage(async (page) => {
    await page.locator("#start").click();
    await until("the last step", 60, async () => await step(page) === 20);
    const saved = page.waitForEvent("download");
    await page.locator("#save-json").click();
    losses = JSON.parse(await Deno.readTextFile((await (await saved).path())!)).losses;
  }, { query });
  return losses;
}

webTest("the same link gives the same run", async () => {
  if (!hasChromium()) return;
  const first = await lossesOf("?steps=20&hidden=12&batch=20&seed=5");
  assert.equal(first.length, 20);
  assert.deepEqual(await lossesOf("?steps=20&hidden=12&batch=20&seed=5"), first);
  assert.notDeepEqual(await lossesOf("?steps=20&hidden=12&batch=20&seed=6"), first);
});

webTest("settings: what makes no sense is said, what does goes into the address", async () => {
  await onPage(async (page) => {
    assert.match(await text(page, "#notices"), /lr=-3/);
    assert.match(await text(page, "#complaint-lr"), /Learning rate: give a positive number/);
    await page.locator("#setting-hidden").fill("x");
    await page.locator("#setting-hidden").press("Tab");
    assert.match(await text(page, "#complaint-hidden"), /Hidden widths: give/);
    await page.locator("#setting-hidden").fill("20,10");
    await page.locator("#setting-hidden").press("Tab");
    await until(
      "a new network",
      30,
      async () => (await text(page, "#adapter")).includes("784-20-10-10"),
    );
    await page.locator("#setting-activation").selectOption("tanh");
    assert.match(page.url(), /hidden=20%2C10&activation=tanh/);
  }, { query: "?lr=-3" });
});

webTest("MNIST that is not at hand is not fetched unasked, and the page says so", async () => {
  await onPage(async (page) => {
    assert.match(await text(page, "#notices"), /MNIST could not be had .*Reset downloads it/);
    assert.match(await text(page, "#adapter"), /on synthetic digits/);
  }, { query: "?data=mnist" });
});

webTest("look inside: units, their gradients, and the loss along a weight", async () => {
  await onPage(async (page) => {
    await page.locator("#step").click();
    await until("a step", 30, async () => await step(page) === 1);
    await page.locator("#look").click();
    await page.locator("#units canvas").first().waitFor();
    assert.equal(await page.locator("#units canvas").count(), 24);
    await page.locator("#units canvas").nth(3).click();
    await until(
      "a curve",
      30,
      async () => /Hidden unit 2/.test(await text(page, "#slice-caption")),
    );
    assert.match(await text(page, "#slice-caption"), /41 copies/);
    await page.locator("#units canvas").nth(4).focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    await until(
      "a curve",
      30,
      async () => /Hidden unit 3/.test(await text(page, "#slice-caption")),
    );
  }, { query: SMALL });
});

/** What canvases show: each pixel's share of the scale that it is painted on, from -1 to 1. */
async function shares(page: Page, selector: string): Promise<number[][]> {
  const pixels = await page.locator(selector).evaluateAll((canvases) => {
    interface Surface {
      width: number;
      height: number;
      getContext(kind: string): {
        drawImage(from: unknown, x: number, y: number): void;
        getImageData(...box: number[]): { data: ArrayLike<number> };
      };
    }
    const { OffscreenCanvas } = globalThis as unknown as {
      OffscreenCanvas: new (width: number, height: number) => Surface;
    };
    return (canvases as unknown as Surface[]).map((canvas) => {
      const { width, height } = canvas;
      // A copy is read: the browser complains of a canvas that is read again and again.
      const copy = new OffscreenCanvas(width, height).getContext("2d");
      copy.drawImage(canvas, 0, 0);
      return Array.from(copy.getImageData(0, 0, width, height).data);
    });
  });
  return pixels.map((rgba) =>
    Array.from({ length: rgba.length / 4 }, (_, i) => {
      const [red, green, blue] = rgba.slice(4 * i, 4 * i + 3);
      return (red >= blue ? 1 : -1) * (1 - green / 255); // see diverging
    })
  );
}

/** Colours are whole numbers to 255: half of one off, and as much for what float32 rounds. */
const COLOR = 1 / 255;

/** Compares what canvases show with numbers, on the scale of the largest of them. */
function assertShown(what: string, shown: number[][], values: ArrayLike<number>): void {
  const scale = Math.max(...Array.from(values, Math.abs));
  const flat = shown.flat();
  assert.equal(flat.length, values.length, what);
  const off = flat.map((share, i) => Math.abs(share - values[i] / scale));
  const worst = Math.max(...off), at = off.indexOf(worst);
  assert.ok(worst <= COLOR, `${what}: pixel ${at} is ${flat[at]}, not ${values[at] / scale}`);
}

/** Saves the weights from the page, in one of its formats. */
async function savedWeights(page: Page, format: string): Promise<Uint8Array<ArrayBuffer>> {
  const saving = page.waitForEvent("download");
  await page.locator(`#save-${format}`).click();
  return await Deno.readFile((await (await saving).path())!);
}

const CONV = "conv 4x5 stride 2 pad 2, relu, maxpool 2, dense 20, relu";
const CONV_QUERY = `?network=${encodeURIComponent(CONV)}&batch=50&lr=0.2`;
/** Rows and columns of an image, of what the convolution makes of it, and of what the pool does. */
const [SIDE, MAP, POOLED] = [28, 14, 7];

webTest("a convolutional network learns; its filters and maps are shown as they are", async () => {
  await onPage(async (page) => {
    assert.match(
      await text(page, "#adapter"),
      /1x28x28-conv 4x5 stride 2 pad 2-maxpool 2-20-10 on synthetic digits/,
    );
    assert.equal(await page.locator("#setting-h").getAttribute("placeholder"), "0.000001");
    assert.ok(await page.locator("#setting-hidden").isDisabled());
    await page.locator("#inside").scrollIntoViewIfNeeded();
    await page.locator("#maps canvas").first().waitFor();
    const fresh = await shares(page, "#units canvas"),
      freshMaps = await shares(page, "#maps canvas");
    assert.equal(fresh.length, 2 * 4);
    assert.equal(freshMaps.length, 2 * 4);
    await page.locator("#start").click();
    await page.locator("#inside").scrollIntoViewIfNeeded();
    // Nothing is clicked: what is on screen follows the training.
    for (const [selector, before] of [["#units", fresh], ["#maps", freshMaps]] as const) {
      await until(
        `other pictures in ${selector}`,
        60,
        async () =>
          JSON.stringify(await shares(page, `${selector} canvas`)) !== JSON.stringify(before),
      );
    }
    await until(
      "90% of the test digits",
      180,
      async () => Number.parseFloat(await fact(page, "#train-facts", "Test accuracy")) >= 90,
    );
    await page.locator("#start").click();
    await until("a pause", 10, async () => await text(page, "#start") === "Go on");

    // From the weights that it saves, all that is shown is made again, in other ways.
    const tensors = await readTensors(
      await savedWeights(page, "safetensors"),
      "weights.safetensors",
    );
    assert.deepEqual(tensors.get("W1")!.shape, [4, 1, 5, 5]);
    const network = connect({
      inputs: SIDE * SIDE,
      inputShape: [1, SIDE, SIDE],
      classes: 10,
      nodes: parseNodes(CONV),
    });
    const { train, test } = drawDigits({ seed: 1 });
    using engine = new CpuEngine(engineOptions(network, train, 50, { method: "backprop" }));
    engine.setParameters(parametersIn(tensors, network, "numpy"));
    const { gradient } = await engine.gradient(Uint32Array.from({ length: 50 }, (_, n) => n));
    const W = tensors.get("W1")!.data, b = tensors.get("b1")!.data;
    const map = (digit: number) => {
      const pixel = (row: number, column: number) =>
        row < 0 || column < 0 || row >= SIDE || column >= SIDE
          ? 0
          : test.x[(digit - 1) * SIDE * SIDE + row * SIDE + column] / 255;
      return Float64Array.from({ length: 4 * MAP * MAP }, (_, i) => {
        const [filter, row, column] = [
          Math.floor(i / MAP / MAP),
          Math.floor(i / MAP) % MAP,
          i % MAP,
        ];
        let sum = b[filter];
        for (let cell = 0; cell < 25; cell++) {
          sum += W[25 * filter + cell] *
            pixel(2 * row - 2 + Math.floor(cell / 5), 2 * column - 2 + cell % 5);
        }
        return Math.max(0, sum);
      });
    };
    const pool = (values: Float64Array) =>
      Float64Array.from({ length: 4 * POOLED * POOLED }, (_, i) => {
        const [filter, row, column] = [
          Math.floor(i / POOLED / POOLED),
          Math.floor(i / POOLED) % POOLED,
          i % POOLED,
        ];
        const at = filter * MAP * MAP + 2 * row * MAP + 2 * column;
        return Math.max(...[0, 1, MAP, MAP + 1].map((d) => values[at + d]));
      });
    await page.locator("#maps-digit").fill("3");
    await page.locator("#maps-digit").press("Enter");
    await until(
      "the third test digit",
      30,
      async () => await text(page, "#maps-seen") === `Shown: test digit 3, a ${test.labels[2]}.`,
    );
    const pictures = await shares(page, "#units canvas");
    assertShown("filters", pictures.filter((_, i) => i % 2 === 0), W);
    assertShown(
      "the filters' gradient",
      pictures.filter((_, i) => i % 2 === 1),
      gradient.slice(0, 100).map((value) => -value),
    );
    const maps = await shares(page, "#maps canvas");
    assertShown("maps behind the convolution", maps.slice(0, 4), map(3));
    assertShown("maps behind the pool", maps.slice(4), pool(map(3)));
    assert.match(await text(page, "#maps"), /conv 1: 1x28x28 to 4x14x14, relu: up to/);

    await page.locator("#units canvas").nth(2).click();
    await until("a curve", 60, async () => /^Filter 2/.test(await text(page, "#slice-caption")));

    await page.locator("#pad").press("7");
    await page.locator("#inside").scrollIntoViewIfNeeded();
    await until(
      "the drawn digit",
      30,
      async () => await text(page, "#maps-seen") === "Shown: the digit drawn below.",
    );
    assert.notDeepEqual(await shares(page, "#maps canvas"), maps);
    await Deno.mkdir(SCREENSHOTS, { recursive: true });
    await page.screenshot({ path: `${SCREENSHOTS}/conv.png`, fullPage: true });
    await page.locator("#clear").click();
    await page.locator("#inside").scrollIntoViewIfNeeded();
    await until(
      "the test digit again",
      30,
      async () => /Shown: test digit 3/.test(await text(page, "#maps-seen")),
    );
    assert.deepEqual(await shares(page, "#maps canvas"), maps);
    await page.locator("#maps-digit").fill("2001");
    await page.locator("#maps-digit").press("Enter");
    assert.equal(
      await page.locator("#maps-digit").evaluate((field) =>
        (field as unknown as { checkValidity(): boolean }).checkValidity()
      ),
      false,
    );
  }, { query: CONV_QUERY });
});

webTest("a convolutional network's weights go out and in, and no other's", async () => {
  await onPage(async (page) => {
    await page.locator("#step").click();
    await until("a step", 60, async () => await step(page) === 1);
    const load = async (name: string, bytes: Uint8Array<ArrayBuffer>, answer: RegExp) => {
      await page.locator("#load").setInputFiles({
        name,
        mimeType: "application/octet-stream",
        buffer: Buffer.from(bytes),
      });
      await until(
        `an answer about ${name}`,
        60,
        async () => answer.test(await text(page, "#files-status")),
      );
    };
    for (const format of ["h5", "safetensors"]) {
      const name = `trained.${format}`, bytes = await savedWeights(page, format);
      const before = await readTensors(bytes, name);
      assert.deepEqual(before.get("W1")!.shape, [4, 1, 5, 5]);
      await load(name, bytes, new RegExp(`Loaded ${name}: 1x28x28-conv 4x5 stride 2 pad 2-`));
      assert.equal(await step(page), 0);
      const after = await readTensors(await savedWeights(page, format), name);
      for (const tensor of ["W1", "b1", "W2", "b2", "W3", "b3"]) {
        assert.deepEqual(after.get(tensor), before.get(tensor), tensor);
      }
      await page.locator("#step").click();
      await until("a step", 60, async () => await step(page) === 1);
    }
    const other = new Map([
      ["W1", { shape: [784, 10], data: new Float64Array(7840) }],
      ["b1", { shape: [10], data: new Float64Array(10) }],
    ]);
    await load(
      "dense.safetensors",
      new Uint8Array(await writeTensors(other, "dense.safetensors")),
      /Cannot use dense\.safetensors: .*W1/,
    );
    assert.match(await text(page, "#adapter"), /conv 4x5/);
  }, { query: CONV_QUERY });
});

webTest("a network that cannot be: said beside its field, from the address and typed", async () => {
  const wrong = 'Cannot build "conv 30x50": the kernel, 50, is larger than its input, 28x28';
  await onPage(async (page) => {
    const field = page.locator("#setting-network");
    assert.equal(await field.inputValue(), "conv 30x50");
    assert.equal(await text(page, "#complaint-network"), wrong);
    assert.match(await text(page, "#notices"), /no sense: network=conv 30x50\./);
    assert.match(await text(page, "#adapter"), /784-50-10/); // trains without it
    const type = async (network: string) => {
      await field.fill(network);
      await field.press("Tab");
    };
    await type("conv 2x5, relu, dence 5");
    assert.match(
      await text(page, "#complaint-network"),
      /^Cannot read the network: operation 3, "dence 5": there is no dence/,
    );
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    const { violations } = await new AxeBuilder({ page }).include("#settings").analyze();
    assert.deepEqual(violations.map(({ id }) => id), []);
    await type("conv 2x5 stride 3, step");
    await until("it", 30, async () => /conv 2x5 stride 3-10/.test(await text(page, "#adapter")));
    assert.equal(await text(page, "#complaint-network"), "");
    assert.match(await text(page, "#notices"), /no window looks at 2 of its input's 28 rows/);
    assert.match(page.url(), /\?network=conv\+2x5\+stride\+3%2C\+step$/);
    assert.equal(await page.locator("#setting-h").getAttribute("placeholder"), "1");
    await type("dense 9999999"); // it can be, but not here
    await until(
      "a refusal",
      30,
      async () => /Cannot hold 784-9999999-10: .* would fit/.test(await text(page, "#notices")),
    );
    await type(""); // back to the short form
    await until("784-50-10", 30, async () => /784-50-10/.test(await text(page, "#adapter")));
    assert.ok(await page.locator("#setting-hidden").isEnabled());
    assert.equal(await page.locator("#setting-h").getAttribute("placeholder"), "0.0001");
    assert.doesNotMatch(page.url(), /network/);
  }, { query: "?network=conv+30x50" });
});

webTest("step units learn without a word about h", async () => {
  await onPage(async (page) => {
    assert.equal(await page.locator("#setting-h").inputValue(), "");
    await page.locator("#start").click();
    await until(
      "80% of the test digits",
      120,
      async () => Number.parseFloat(await fact(page, "#train-facts", "Test accuracy")) >= 80,
    );
  }, { query: "?activation=step&hidden=30&batch=50" });
});

webTest("a drawn digit is read, by mouse and by keyboard", async () => {
  await onPage(async (page) => {
    await page.locator("#pad").scrollIntoViewIfNeeded();
    const box = (await page.locator("#pad").boundingBox())!;
    await page.mouse.move(box.x + 140, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + 135, box.y + 240, { steps: 10 });
    await page.mouse.up();
    await until("a guess", 20, async () => /takes it for a \d/.test(await text(page, "#guess")));
    const shares = await page.locator("#probabilities li span").allInnerTexts();
    const sum = shares.reduce((total, share) => total + Number.parseFloat(share), 0);
    assert.ok(Math.abs(sum - 100) < 0.6, `${sum}`);
    await page.locator("#clear").click();
    assert.match(await text(page, "#guess"), /Nothing is drawn/);
    await page.locator("#pad").press("7");
    await until("a guess", 20, async () => /takes it for a \d/.test(await text(page, "#guess")));
  }, { query: SMALL });
});

webTest("the race: sigmoid units agree, step units leave backprop behind", async () => {
  await onPage(async (page) => {
    const row = async (engine: string) =>
      await page.locator("#race-table tr", { hasText: engine }).locator("td").allInnerTexts();
    await page.locator("#race-smooth").click();
    await until(
      "60 steps",
      120,
      async () =>
        await page.locator("#race-table").count() > 0 && Number((await row("backprop"))[0]) >= 60,
    );
    assert.ok(Number((await row("differences"))[4]) > 0.9999);
    await page.locator("#race-stop").click();
    await page.locator("#race-step:not([disabled])").click();
    await until(
      "200 steps",
      240,
      async () =>
        Number((await row("backprop"))[0]) >= 200 && await page.locator("#race-stop").isEnabled(),
    );
    const [ours, theirs] = [await row("differences"), await row("backprop")];
    assert.ok(Number(ours[1]) < Number(theirs[1]) - 0.05, `${ours[1]} ${theirs[1]}`);
    await page.locator("#race-stop").click();
    await page.locator("#race-step:not([disabled])").waitFor();
  }, { query: SMALL });
});

webTest("the check finds this adapter right", async () => {
  await onPage(async (page) => {
    await page.locator("#check-run").click();
    await until("a verdict", 600, async () => /below/.test(await text(page, "#check-verdict")));
    assert.match(
      await text(page, "#check-verdict"),
      /every tensor is within 0\.000001 of float64; all \d+ comparisons below are right\.$/,
    );
    assert.ok(await page.locator("#parity-table tbody tr").count() > 80);
    assert.equal(await page.locator("#check-table tbody tr").count(), 4);
    assert.ok(await page.locator("#check-curve canvas").count() === 1);
  }, { query: SMALL });
});

webTest("weights go out and in, losses as CSV, and data are dropped onto the page", async () => {
  await onPage(async (page) => {
    await page.locator("#step").click();
    await until("a step", 30, async () => await step(page) === 1);
    for (const format of ["h5", "safetensors"]) {
      const saving = page.waitForEvent("download");
      await page.locator(`#save-${format}`).click();
      const path = (await (await saving).path())!;
      const bytes = await Deno.readFile(path);
      const tensors = await readTensors(bytes, `weights.${format}`);
      assert.deepEqual(tensors.get("W1")!.shape, [784, 12]);
      assert.equal(tensors.get("losslist")!.data.length, 1);
      await page.locator("#load").setInputFiles({
        name: `weights.${format}`,
        mimeType: "application/octet-stream",
        buffer: Buffer.from(bytes),
      });
      await until(
        "the weights",
        30,
        async () =>
          (await text(page, "#files-status")).includes(`Loaded weights.${format}: 784-12-10`),
      );
      await page.locator("#step").click();
      await until("a step", 30, async () => await step(page) === 1);
    }
    const saving = page.waitForEvent("download");
    await page.locator("#save-csv").click();
    const csv = await Deno.readTextFile((await (await saving).path())!);
    assert.match(csv, /^step,loss\n1,2\.\d+\n$/);

    const { train, test } = drawDigits({ train: 60, test: 30, seed: 9 });
    const many = (count: number) => Int16Array.from({ length: count }, (_, n) => n); // 60 classes
    const files = Object.fromEntries(
      ([["train", train], ["t10k", test]] as const).flatMap(([name, { count, x }]) =>
        [
          [`${name}-images-idx3-ubyte`, [count, 28, 28], x as Uint8Array],
          [`${name}-labels-idx1-ubyte`, [count], many(count)],
        ] as const
      ).map(([name, shape, data]) => [name, [...writeIdx({ shape, data })]]),
    );
    await page.evaluate((files: Record<string, number[]>) => {
      const browser = globalThis as unknown as {
        DataTransfer: new () => { items: { add(file: unknown): void } };
        DragEvent: new (kind: string, options: object) => Event;
        document: EventTarget;
      };
      const dataTransfer = new browser.DataTransfer();
      for (const [name, bytes] of Object.entries(files)) {
        dataTransfer.items.add(new File([Uint8Array.from(bytes)], name));
      }
      browser.document.dispatchEvent(
        new browser.DragEvent("drop", { dataTransfer, bubbles: true }),
      );
    }, files);
    await until(
      "the data",
      30,
      async () => /60 training and 30 test samples/.test(await text(page, "#files-status")),
    );
    assert.match(await text(page, "#adapter"), /on MNIST/);
    await page.locator("#step").click();
    await until(
      "what 60 classes are taken for",
      30,
      async () => /60 classes: too many/.test((await page.locator("#confusion").textContent())!),
    );
    await page.locator("#load").setInputFiles({
      name: "broken.h5",
      mimeType: "application/octet-stream",
      buffer: Buffer.alloc(10),
    });
    await until(
      "a complaint",
      30,
      async () => /Cannot read broken\.h5/.test(await text(page, "#files-status")),
    );
  }, { query: SMALL });
});

webTest("a lost device is told, and training goes on; lost for good, it waits", async () => {
  await onPage(async (page) => {
    await page.locator("#start").click();
    await until("some steps", 60, async () => await step(page) > 100);
    await page.evaluate(() =>
      (globalThis as unknown as { debug: { loseDevices(): void } }).debug.loseDevices()
    );
    await until(
      "a notice",
      30,
      async () => /lost .* goes on from step \d+/.test(await text(page, "#notices")),
    );
    const at = await step(page);
    await until("more steps", 30, async () => await step(page) > at + 20);
    // Every device that is opened is lost again.
    await page.evaluate(() => {
      const { debug } = globalThis as unknown as { debug: { loseDevices(): void } };
      const losing = setInterval(() => debug.loseDevices(), 5);
      Object.assign(globalThis, { losing });
    });
    await until("the end", 30, async () => /twice in a row/.test(await text(page, "#notices")));
    await page.evaluate(() => clearInterval((globalThis as unknown as { losing: number }).losing));
    const stopped = await step(page);
    await page.locator("#start").click();
    await until("more steps", 30, async () => await step(page) > stopped + 20);
  }, { query: `${SMALL}&steps=100000` });
});

webTest("twenty runs anew leave no buffer behind", async () => {
  await onPage(async (page) => {
    const live = () =>
      page.evaluate(() =>
        (globalThis as unknown as { debug: { liveBuffers(): Promise<number> } }).debug.liveBuffers()
      );
    const counts: number[] = [];
    for (let i = 0; i < 20; i++) {
      await page.locator("#start").click();
      await until("a step", 30, async () => await step(page) > 0);
      await page.locator("#reset").click();
      await until("a new run", 30, async () => await step(page) === 0);
      await page.locator("#start:not([disabled])").waitFor();
      counts.push(await live());
    }
    assert.equal(new Set(counts).size, 1, `${counts}`);
  }, { query: SMALL });
});

webTest("by keyboard alone: to the start button, and off it goes", async () => {
  await onPage(async (page) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      const id = await page.evaluate(() =>
        (globalThis as unknown as { document: { activeElement: { id: string } } }).document
          .activeElement.id
      );
      if (id === "start") break;
    }
    await page.keyboard.press("Enter");
    await until("steps", 30, async () => await step(page) > 0);
    await page.keyboard.press("Space");
    await until("a pause", 30, async () => await text(page, "#start") === "Go on");
  }, { query: SMALL });
});

for (
  const [name, colorScheme, width, query] of [
    ["light", "light", 1200, SMALL],
    ["dark", "dark", 1200, SMALL],
    ["phone", "light", 360, SMALL],
    ["conv-dark", "dark", 1200, CONV_QUERY],
    ["conv-phone", "light", 360, CONV_QUERY],
  ] as const
) {
  webTest(`${name}: nothing overflows, and axe finds nothing serious`, async () => {
    await onPage(async (page) => {
      await page.locator("#step").click();
      await until("a step", 30, async () => await step(page) === 1);
      await page.locator("#look").click();
      await page.locator("#units canvas").first().waitFor();
      assert.equal(await page.locator("#maps canvas").count() > 0, query === CONV_QUERY);
      const overflow = await page.evaluate(() => {
        const { document } = globalThis as unknown as {
          document: { documentElement: { scrollWidth: number; clientWidth: number } };
        };
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
      await Deno.mkdir(SCREENSHOTS, { recursive: true });
      if (name !== "light") {
        await page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true });
      }
    }, { query, colorScheme, viewport: { width, height: 800 } });
  });
}

webTest("without WebGPU it says so, and trains on the CPU, on all its cores", async () => {
  await onPage(async (page, url) => {
    const asked: string[] = [];
    page.context().on("request", (request) => asked.push(request.url()));
    assert.match(await text(page, "#adapter"), /No WebGPU here/);
    assert.match(await text(page, "#notices"), /no WebGPU/);
    await page.locator("#start").click();
    await until("the last step", 60, async () => await step(page) === 20);
    assert.ok(Number(await fact(page, "#train-facts", "Loss")) < 2.35);
    const cores = await page.evaluate(() => navigator.hardwareConcurrency);
    assert.equal(asked.includes(`${url}thread.js`), cores > 1);
  }, { query: "?steps=20", args: ["--disable-features=WebGPU", "--disable-gpu"] });
});

/** Which rows kernels are about, where they are not about all. */
const ROWS: Partial<Record<KernelName, (keyof typeof ROLES.rows)[]>> = {
  nudge: ["listed"],
  flip: ["listed"],
  hop: ["all", "listed", "elements"],
  rows_loss: ["listed", "elements", "taps", "listed_taps"],
  nudge_elements: ["elements"],
  move_one: ["all", "taps"],
  rows_filter: ["taps", "listed_taps"],
  rows_filter_pool: ["taps"],
  rows_conv: ["taps", "listed_taps"],
  rows_maxpool: ["taps", "listed_taps"],
};

/** Whether a kernel is ever composed so. */
function isMade(
  kernel: KernelName,
  { activation, rows, effect, surrogate }: Fillings,
): boolean {
  if (surrogate !== "none" && !["dense", "conv", "maxpool", "pointwise"].includes(kernel)) {
    return false;
  }
  const { pieces, states, series }: Activation = activationOf(activation!);
  if (!(ROWS[kernel]?.includes(rows!) ?? true)) return false;
  if (["flip", "list_states", "collect_states", "state_slopes"].includes(kernel)) {
    return states !== undefined;
  }
  if (kernel === "narrow") return series === true;
  if (["respond", "margins", "outlets", "nearest"].includes(kernel)) return pieces !== undefined;
  if (effect === "straight") return pieces !== undefined && (rows === "all" || rows === "taps");
  return effect !== "exact" || rows !== "all" || kernel === "move_one";
}

/** What is unrolled in narrow.wgsl, for one layer and two, as each device likes it. */
const UNROLLED = [[9], [9, 5]].flatMap((widths) =>
  ([
    { weights: "variables", size: 4, vectors: 4, layers: 3 },
    { weights: "private", size: 2, vectors: 4, layers: 2 },
  ] as const).map((shape) =>
    unrolled({ widths, factors: widths.map(() => 0.25), classes: 3, points: 4 }, shape)
  )
);

/** A kernel with everything that it may be composed of. */
function compositions(kernel: KernelName): [code: string, name: string][] {
  const first = Object.fromEntries(
    Object.entries(ROLES).map(([role, pieces]) => [role, Object.keys(pieces)[0]]),
  ) as Fillings;
  const numbers = { block: 128, lanes: 8, splits: 4 };
  const imported = compose(KERNELS[kernel], { ...first, ...numbers, unrolled: UNROLLED[0] });
  let fillings: Fillings[] = [{ ...first, ...numbers }];
  for (const [role, pieces] of Object.entries(ROLES)) {
    // Operations may import a surrogate of their derivative.
    const isOpen = role === "surrogate" && imported.includes("<<< activation: ");
    if (!isOpen && !imported.includes(`<<< ${role}: `)) continue;
    fillings = fillings.flatMap((filling) =>
      Object.keys(pieces).map((piece) => ({ ...filling, [role]: piece }))
    );
  }
  return fillings.filter((filling) => isMade(kernel, filling)).flatMap((filling) =>
    (kernel === "narrow" ? UNROLLED : [undefined]).map((unrolled): [string, string] => [
      compose(KERNELS[kernel], { ...filling, unrolled }),
      `${kernel} ${JSON.stringify(filling)}`,
    ])
  );
}

webTest("Chromium compiles every shader, with everything it may be composed of", async () => {
  await onPage(async (page) => {
    const sources = (Object.keys(KERNELS) as KernelName[]).flatMap((kernel) => {
      const made = compositions(kernel);
      assert.ok(made.length > 0, kernel);
      return made;
    });
    assert.ok(sources.length > 80, `${sources.length}`);
    const complaints = await page.evaluate(async (sources: string[][]) => {
      const adapter = await navigator.gpu.requestAdapter();
      const device = await adapter!.requestDevice();
      const found: string[] = [];
      for (const [code, name] of sources) {
        const info = await device.createShaderModule({ code }).getCompilationInfo();
        for (const { type, message } of info.messages) {
          if (type === "error") found.push(`${name}: ${message}`);
        }
      }
      device.destroy();
      return found;
    }, sources);
    assert.deepEqual(complaints, []);
  }, { query: SMALL });
});

webTest("all is closed behind the tests", async () => {
  await (await open.browser)?.close();
  if (!open.server) return;
  open.server.kill();
  await open.server.stdout.cancel();
  await open.server.status;
});
