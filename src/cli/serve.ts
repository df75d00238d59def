/**
 * `web`: serves the page, out of memory, to this machine and to no other unless told otherwise. MNIST
 * comes from the cache where the command line has put it.
 */

import { contentType } from "@std/media-types/content-type";
import { extname } from "@std/path/extname";
import { bundlePage } from "./build.ts";
import { why } from "./files.ts";
import { LOCALHOST, mnistCache } from "./places.ts";

const DATA = "/data/mnist/";
const MNIST = /^(train|t10k)-(images-idx3|labels-idx1)-ubyte\.gz$/;

/** What may be served: each path with its bytes, or the file that holds them. */
type Files = ReadonlyMap<string, Uint8Array | string>;

/** The page and MNIST. Nothing is looked up that is not in here. */
async function allowed(): Promise<Files> {
  const page = await bundlePage();
  const files = new Map<string, Uint8Array | string>();
  for (const [name, bytes] of page) files.set(`/${name}`, bytes);
  files.set("/", page.get("index.html")!);
  const cache = mnistCache();
  try {
    for await (const { name, isFile } of Deno.readDir(cache)) {
      if (isFile && MNIST.test(name)) files.set(DATA + name, `${cache}/${name}`);
    }
  } catch { /* no such folder, or closed: the page will say that it has no MNIST */ }
  return files;
}

/** Answers requests for the files of the list, asked for by this machine's names. */
export function handler(files: Files, hosts: ReadonlySet<string>) {
  const refuse = (status: number, text: string) =>
    new Response(text, { status, headers: { "content-type": "text/plain" } });
  return async (request: Request): Promise<Response> => {
    // A request line may name a host, too, and it need not be that of the header.
    const url = URL.parse(request.url);
    const header = request.headers.get("host")?.replace(/:\d+$/, "") ?? "";
    if (!url || !hosts.has(header) || !hosts.has(url.hostname)) {
      return refuse(403, "not served under this name");
    }
    const { pathname } = url;
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "only GET");
    const file = files.get(pathname);
    if (!file && pathname.startsWith(DATA) && MNIST.test(pathname.slice(DATA.length))) {
      return new Response(null, { status: 204 }); // no mistake: it is not in the cache
    }
    if (!file) return refuse(404, "not here");
    const name = pathname === "/" ? "index.html" : pathname;
    const headers: Record<string, string> = {
      "content-type": contentType(extname(name)) ?? "application/octet-stream",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
    };
    try {
      const bytes = typeof file === "string" ? await Deno.readFile(file) : file;
      headers["content-length"] = `${bytes.length}`;
      const body = request.method === "HEAD" ? null : bytes as Uint8Array<ArrayBuffer>;
      return new Response(body, { headers });
    } catch { // it is gone, or there are too many open files
      return refuse(503, "cannot be read now");
    }
  };
}

/** Until connections are taken again when there were too many. */
const RETRY_MILLISECONDS = 1000;

/** Options of the command. */
export interface WebOptions {
  host: string;
  port: number;
}

/**
 * Runs the command, until it is ended from outside.
 * @throws {RangeError | TypeError} when the port is none, or cannot be had.
 */
export async function runWeb({ host, port }: WebOptions): Promise<void> {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`Cannot serve on port ${port}: give a whole number to 65535`);
  }
  const files = await allowed();
  await Deno.permissions.revoke({ name: "run" }); // the bundler was all that had to be started
  const hosts = new Set(["localhost", LOCALHOST, "[::1]", host]);
  const answer = handler(files, hosts);
  let listening = port, isTold = false;
  for (;;) {
    try {
      const server = Deno.serve({
        hostname: host,
        port: listening,
        onListen(address) {
          listening = address.port;
          if (isTold) return;
          isTold = true;
          console.log(`The page is at http://localhost:${listening}/ (Ctrl-C ends)`);
        },
      }, answer);
      return await server.finished;
    } catch (error) {
      if (!isTold) {
        throw new TypeError(
          `Cannot serve on ${host}, port ${port}: ${why(error)}; give another --host or --port`,
        );
      }
      // More connections than the system lets it open: some of them end, and it goes on.
      console.error(`Cannot take more connections: ${why(error)} (it is tried again)`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
    }
  }
}
