/** Measures inside Chromium: the benchmark's page, bundled, served to it and to nobody else. */

import { retry } from "@std/async/retry";
import type { Outcome, Setting } from "../bench/measurement.ts";
import type { Samples } from "../data/samples.ts";
import type { Place } from "./bench.ts";
import { findChromium, PLAIN, SOFTWARE_GPU } from "./chromium.ts";
import { Interrupt, report } from "./interrupt.ts";
import { browserProfile, LOCALHOST } from "./places.ts";

const ROOT = `${import.meta.dirname}/../..`;

/** Timestamps that are not rounded to 100 microseconds. */
const EXACT_TIME = "--enable-webgpu-developer-features";

const PAGE = `<!doctype html><link rel="icon" href="data:,">` +
  `<script type="module" src="main.js"></script>`;

/** What the page answers; see web/bench/main.ts. */
interface Calls {
  open(smoke: boolean): Promise<{ adapter: string; browser: string; names: string[] }>;
  measure(name: string, runs: number): Promise<Outcome>;
}

/**
 * The page's script. A task of its own bundles it, which fetches the libraries to compare with, and
 * those are fetched for nothing else.
 * @throws {TypeError} when they cannot be fetched.
 */
async function bundle(): Promise<Uint8Array> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "--config", `${ROOT}/web/bench/deno.json`, "bundle"],
    stderr: "inherit",
  }).output();
  if (!success) throw new TypeError("Cannot bundle the page: see above; is there a network?");
  return stdout;
}

/** Chromium on a page, until it is closed. Nothing of it is left behind. */
class Browser {
  readonly #child: Deno.ChildProcess;
  readonly #profile = browserProfile();
  #isAsked = false;
  /** Rejects when Chromium ends before it is asked to. */
  readonly ended: Promise<never>;

  constructor(executable: string, url: string) {
    this.#child = new Deno.Command(executable, {
      args: [
        ...["--headless", `--user-data-dir=${this.#profile}`, ...PLAIN, ...SOFTWARE_GPU],
        EXACT_TIME,
        url,
      ],
      ...{ stdin: "null", stdout: "null", stderr: "null" },
    }).spawn();
    this.ended = this.#child.status.then(({ code }) => {
      if (this.#isAsked) return new Promise<never>(() => {});
      throw new Error(`Chromium ended with code ${code}`);
    });
    this.ended.catch(() => {});
  }

  async close(): Promise<void> {
    this.#isAsked = true;
    try {
      this.#child.kill("SIGTERM");
    } catch { /* it has ended */ }
    await this.#child.status;
    // Its helpers outlive it by a moment, and write on.
    const remove = () => Deno.remove(this.#profile, { recursive: true });
    await retry(remove, PATIENCE).catch(({ cause }) =>
      console.error(`Cannot remove ${this.#profile}: ${cause.message}`)
    );
  }
}

/** A profile is tried to be removed for five seconds. */
const PATIENCE = { maxAttempts: 50, minTimeout: 100, multiplier: 1, jitter: 0 };

/** Asks the page one thing at a time. */
async function ask(socket: WebSocket, ended: Promise<never>, ...call: unknown[]): Promise<unknown> {
  const answer = new Promise<string>((resolve) => {
    socket.onmessage = ({ data }) => resolve(data);
  });
  socket.send(JSON.stringify(call));
  const { result, error } = JSON.parse(await Promise.race([answer, ended]));
  if (error !== undefined) throw new Error(error);
  return result;
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
    "/train-labels": ["application/octet-stream", bytesOf(Uint16Array.from(train.labels))],
    "/test-x": ["application/octet-stream", bytesOf(test.x)],
    "/test-labels": ["application/octet-stream", bytesOf(Uint16Array.from(test.labels))],
  };
  const connected = Promise.withResolvers<WebSocket>();
  const server = Deno.serve({ port: 0, hostname: LOCALHOST, onListen() {} }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/calls") {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onopen = () => connected.resolve(socket);
      return response;
    }
    const file = files[pathname];
    if (!file) return new Response("", { status: 404 });
    return new Response(file[1] as BodyInit, { headers: { "content-type": file[0] } });
  });
  const browser = new Browser(executablePath, `http://${LOCALHOST}:${server.addr.port}/`);
  const interrupt = new Interrupt();
  const close = async () => {
    interrupt[Symbol.dispose]();
    await browser.close();
    await server.shutdown();
  };
  interrupt.signal.addEventListener("abort", async () => {
    await browser.close(); // or it would stay, with its profile
    report({ code: interrupt.code });
  });
  try {
    const socket = await Promise.race([connected.promise, browser.ended]);
    const page: Calls = {
      open: (...args) => ask(socket, browser.ended, "open", ...args) as ReturnType<Calls["open"]>,
      measure: (...args) =>
        ask(socket, browser.ended, "measure", ...args) as ReturnType<Calls["measure"]>,
    };
    const { browser: version, ...about } = await page.open(smoke);
    return { ...about, runtime: `Chromium ${version}`, measure: page.measure, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The bytes of numbers, as they lie. */
function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
