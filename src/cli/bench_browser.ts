/** Measures inside Chromium: the benchmark's page, bundled, served to it and to nobody else. */

import { chromium } from "@playwright/test";
import * as esbuild from "esbuild";
import type { Outcome, Setting } from "../bench/measurement.ts";
import type { Samples } from "../data/samples.ts";
import type { Place } from "./bench.ts";
import { findChromium, PLAIN, SOFTWARE_GPU } from "./chromium.ts";

const ROOT = `${import.meta.dirname}/../..`;

/** Timestamps that are not rounded to 100 microseconds. */
const EXACT_TIME = "--enable-webgpu-developer-features";

const PAGE = `<!doctype html><link rel="icon" href="data:,">` +
  `<script type="module" src="main.js"></script>`;

/** What the page offers; see web/bench/main.ts. */
interface Page {
  bench: {
    open(smoke: boolean): Promise<{ adapter: string; names: string[] }>;
    measure(name: string, runs: number): Promise<Outcome>;
  };
}

/** The page's script. */
async function bundle(): Promise<string> {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: ["web/bench/main.ts"],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    loader: { ".wgsl": "text" },
    external: ["module", "fs", "path"], // what h5wasm asks for under Node alone
    logLevel: "warning",
  });
  await esbuild.stop();
  return outputFiles[0].text;
}

/**
 * Opens the page in Chromium, with the data at hand.
 * @throws {TypeError} when there is no Chromium.
 */
export async function openBrowser({ data, smoke }: Setting): Promise<Place> {
  const executablePath = findChromium();
  if (!executablePath) {
    throw new TypeError("Cannot open a browser: there is no Chromium; apt-get install chromium");
  }
  const { train, test, ...about } = data;
  const samples = ({ count, inputs, x }: Samples) => ({
    count,
    inputs,
    floats: !(x instanceof Uint8Array),
  });
  const files: Record<string, [type: string, body: string | Uint8Array]> = {
    "/": ["text/html", PAGE],
    "/main.js": ["text/javascript", await bundle()],
    "/data.json": [
      "application/json",
      JSON.stringify({ ...about, train: samples(train), test: samples(test) }),
    ],
    "/train-x": ["application/octet-stream", bytesOf(train.x)],
    "/train-labels": ["application/octet-stream", train.labels],
    "/test-x": ["application/octet-stream", bytesOf(test.x)],
    "/test-labels": ["application/octet-stream", test.labels],
  };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, ({ url }) => {
    const file = files[new URL(url).pathname];
    if (!file) return new Response("", { status: 404 });
    return new Response(file[1] as BodyInit, { headers: { "content-type": file[0] } });
  });
  const browser = await chromium.launch({
    executablePath,
    args: [...PLAIN, ...SOFTWARE_GPU, EXACT_TIME],
  });
  const page = await browser.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") console.error(message.text());
  });
  page.on("pageerror", (error) => console.error(error.message));
  await page.goto(`http://127.0.0.1:${server.addr.port}/`);
  await page.waitForFunction(() => "bench" in globalThis);
  const { adapter, names } = await page.evaluate(
    (smoke) => (globalThis as unknown as Page).bench.open(smoke),
    smoke,
  );
  return {
    adapter,
    names,
    runtime: `Chromium ${browser.version()}`,
    measure: (name, runs) =>
      page.evaluate(
        ([name, runs]) => (globalThis as unknown as Page).bench.measure(name, runs),
        [name, runs] as const,
      ),
    async close() {
      await browser.close();
      await server.shutdown();
    },
  };
}

/** The bytes of numbers, as they lie. */
function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
