/**
 * `web`: serves the page that `build` wrote, from dist/ and from nowhere else, to this machine and to
 * no other unless told otherwise. MNIST comes from the cache where the command line has put it.
 */

import { parseArgs } from "node:util";
import { contentType } from "@std/media-types/content-type";
import { extname } from "@std/path/extname";
import { mnistCache } from "./places.ts";

const DIST = "dist"; // in the checkout, where the task runs
const DATA = "/data/mnist/";
const MNIST = /^(train|t10k)-(images-idx3|labels-idx1)-ubyte\.gz$/;

/** What may be served: each path with its file. Nothing is looked up that is not in here. */
async function allowed(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const { name, isFile } of Deno.readDir(DIST)) {
    if (isFile) files.set(`/${name}`, `${DIST}/${name}`);
  }
  files.set("/", `${DIST}/index.html`);
  const cache = mnistCache();
  try {
    for await (const { name, isFile } of Deno.readDir(cache)) {
      if (isFile && MNIST.test(name)) files.set(DATA + name, `${cache}/${name}`);
    }
  } catch { /* no such folder, or closed: the page will say that it has no MNIST */ }
  return files;
}

/** Answers requests for the files of the list, asked for by this machine's names. */
export function handler(files: ReadonlyMap<string, string>, hosts: ReadonlySet<string>) {
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
    const headers = {
      "content-type": contentType(extname(file)) ?? "application/octet-stream",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
    };
    const bytes = request.method === "HEAD" ? null : await Deno.readFile(file);
    return new Response(bytes, { headers });
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      host: { type: "string", default: "127.0.0.1" },
      port: { type: "string", default: "8080" },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    console.error(`Cannot serve on port ${values.port}: give a whole number to 65535`);
    Deno.exit(2);
  }
  const hosts = new Set(["localhost", "127.0.0.1", "[::1]", values.host]);
  try {
    Deno.serve({
      hostname: values.host,
      port,
      onListen: ({ port }) => console.log(`The page is at http://localhost:${port}/ (Ctrl-C ends)`),
    }, handler(await allowed(), hosts));
  } catch (error) {
    console.error(`Cannot serve on port ${port}: ${(error as Error).message}; give another --port`);
    Deno.exit(2);
  }
}
