/** What the tests of the page share: its server, Chromium, and how a person uses it. */

import assert from "node:assert/strict";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "@playwright/test";
import { findChromium, PLAIN, SOFTWARE_GPU } from "../src/cli/chromium.ts";
import { ROOT, startServer } from "./support.ts";
import { hasChromium } from "./tools.ts";

export const SCREENSHOTS = `${ROOT}/.ci/screenshots`;

/** The page's address: built and served once a file, with the permissions of its task. */
let address: Promise<string> | undefined;
const open: { server?: Deno.ChildProcess; browser?: Promise<Browser> } = {};

async function serve(): Promise<string> {
  const { url, server } = await startServer();
  open.server = server;
  return url;
}

/** How the page is opened. */
export type How = BrowserContextOptions & {
  query?: string;
  args?: string[];
  /** Whether the first figure alone is waited for. */
  first?: boolean;
};

/** Opens the page, and sees to it that nothing goes wrong on the way. */
export async function onPage(
  body: (page: Page, address: string) => Promise<void>,
  { query = "", args = SOFTWARE_GPU, first, ...context }: How = {},
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
  const page =
    await (await browser.newContext({ acceptDownloads: true, locale: "en-US", ...context }))
      .newPage();
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
    if (first) await page.locator("body[data-ready]").waitFor();
    else await resting(page);
    await body(page, url);
    assert.deepEqual(problems, []);
  } finally {
    await page.context().close();
    if (!shared) await browser.close();
  }
}

/** A test of the page; what is shared between tests is not a leak. */
export function webTest(name: string, body: () => Promise<void>): void {
  Deno.test({ name: `web: ${name}`, fn: body, sanitizeOps: false, sanitizeResources: false });
}

/** The last test of a file: lets server and browser go. */
export function closeBehind(): void {
  webTest("all is closed behind the tests", async () => {
    await (await open.browser)?.close();
    if (!open.server) return;
    open.server.kill();
    await open.server.stdout.cancel();
    await open.server.status;
  });
}

/** Waits until a run is prepared, and does not go. */
export const resting = (page: Page, seconds = 60) =>
  page.locator(`#bar[data-state="resting"]`).waitFor({ timeout: 1000 * seconds });

export const text = (page: Page, selector: string) => page.locator(selector).innerText();
export const fact = async (page: Page, list: string, term: string) =>
  await page.locator(`${list} div`, { hasText: term }).first().locator("dd").innerText();
export const step = async (page: Page) =>
  Number((await fact(page, "#train-facts", "Step")).split(" of ")[0].replace(/,/g, ""));
export const accuracy = async (page: Page) =>
  Number.parseFloat(await fact(page, "#train-facts", "Test accuracy"));

/** Waits until something is true of the page. */
export async function until(
  what: string,
  seconds: number,
  test: () => Promise<boolean> | boolean,
): Promise<void> {
  const end = Date.now() + 1000 * seconds;
  while (!await test()) {
    assert.ok(Date.now() < end, `not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Starts, and pauses again once something is true. */
export async function trainUntil(
  page: Page,
  what: string,
  seconds: number,
  test: () => Promise<boolean>,
): Promise<void> {
  await page.locator("#start").click();
  await until(what, seconds, test);
  if (await text(page, "#start") === "Pause") await page.locator("#start").click();
  await resting(page);
}

/** Trains to the end of its steps. */
export async function trainToEnd(page: Page, steps: number, seconds: number): Promise<void> {
  await page.locator("#start").click();
  await until(`${steps} steps`, seconds, async () => await step(page) === steps);
  await resting(page);
}

/** Types a setting. */
export async function type(page: Page, name: string, value: string): Promise<void> {
  await page.evaluate(() => {
    const { document } = globalThis as unknown as {
      document: { querySelector(selector: string): { open: boolean } };
    };
    document.querySelector("#all-settings").open = true;
  });
  const field = page.locator(`#setting-${name}`);
  if (await field.evaluate((element) => (element as { tagName?: string }).tagName === "SELECT")) {
    await field.selectOption(value);
  } else {
    await field.fill(value);
    await field.press("Tab");
  }
}

/** What has the focus. */
export const focused = (page: Page) =>
  page.evaluate(() => {
    const { document } = globalThis as unknown as {
      document: { activeElement: { id: string; tagName: string } };
    };
    const { id, tagName } = document.activeElement;
    return id || tagName.toLowerCase();
  });

/** A file that the page hands out when something is clicked. */
export async function downloaded(page: Page, selector: string): Promise<Uint8Array<ArrayBuffer>> {
  const saving = page.waitForEvent("download");
  await page.locator(selector).click();
  return await Deno.readFile((await (await saving).path())!);
}

/** What canvases show: each pixel's red, green and blue. */
export async function colors(page: Page, selector: string): Promise<number[][][]> {
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
    Array.from({ length: rgba.length / 4 }, (_, i) => rgba.slice(4 * i, 4 * i + 3))
  );
}

/** The light theme's shades; see web/parts/elements.ts. */
const ZERO = [253, 253, 251], ABOVE = [179, 88, 6], BELOW = [84, 39, 136];

/** What canvases show: each pixel's share of the scale that it is painted on, from -1 to 1. */
export async function shares(page: Page, selector: string): Promise<number[][]> {
  const share = ([red, , blue]: number[]) =>
    // Blue falls the most towards orange, red towards purple.
    red - blue > ZERO[0] - ZERO[2]
      ? (blue - ZERO[2]) / (ABOVE[2] - ZERO[2])
      : -(red - ZERO[0]) / (BELOW[0] - ZERO[0]);
  return (await colors(page, selector)).map((pixels) => pixels.map(share));
}

/**
 * The coarser of both scales, towards purple, has 169 steps of red from end to end: half of one off
 * by rounding, and as much again for what float32 rounds.
 */
const COLOR = 1 / 169;

/** Compares what canvases show with numbers, on the scale of the largest of them. */
export function assertShown(what: string, shown: number[][], values: ArrayLike<number>): void {
  const scale = Math.max(...Array.from(values, Math.abs));
  const flat = shown.flat();
  assert.equal(flat.length, values.length, what);
  const off = flat.map((share, i) => Math.abs(share - values[i] / scale));
  const worst = Math.max(...off), at = off.indexOf(worst);
  assert.ok(worst <= COLOR, `${what}: pixel ${at} is ${flat[at]}, not ${values[at] / scale}`);
}
