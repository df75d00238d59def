/** `build`: writes the page to dist/, as files that any host can serve. */

import { baseOf, bundle } from "./bundle.ts";
import { why } from "./files.ts";
import { DIST, INDEX } from "./places.ts";

/**
 * The files of the page, by their names.
 * @throws {TypeError} when the bundler cannot be started.
 */
export async function bundlePage(): Promise<Map<string, Uint8Array>> {
  const { outputFiles } = await bundle("the page", {
    main: "web/main.ts",
    worker: "web/worker.ts",
    looker: "web/looker.ts",
    lend_worker: "web/lend_worker.ts",
    style: "web/style.css",
    thread: "src/cpu/thread.ts", // the CPU engine starts it by this name
  }, {
    sourcemap: "external", // whose sources the page shows to those who ask
    external: ["module", "fs", "path"], // what h5wasm asks for under Node alone
  });
  const [maps, files] = [true, false].map((isMap) =>
    outputFiles.filter(({ path }) => path.endsWith(".map") === isMap)
  );
  return new Map([
    ...files.map(({ path, contents }) => [baseOf(path), contents] as const),
    ["source.txt", new TextEncoder().encode(sourcesOf(maps.map(({ text }) => text)))],
    ["index.html", await Deno.readFile(INDEX)], // last: it names the others
  ]);
}

/** The program's own sources, one behind the other, out of what the bundler notes of each file. */
function sourcesOf(maps: readonly string[]): string {
  const sources = new Map<string, string>();
  for (const map of maps) {
    const { sources: names, sourcesContent } = JSON.parse(map) as {
      sources: string[];
      sourcesContent: string[];
    };
    names.forEach((name, i) => {
      if (!name.includes("node_modules")) sources.set(name, sourcesContent[i]);
    });
  }
  return [...sources].toSorted(([a], [b]) => a < b ? -1 : 1)
    .map(([name, content]) => `==== ${name.replace(/^(\.\.\/)+/, "")} ====\n\n${content}`)
    .join("\n");
}

/**
 * Runs the command. Builds at the same time wait for one another, and whoever reads a file meanwhile
 * has the old one or the new one whole.
 * @throws {TypeError} when the page cannot be written.
 */
export async function runBuild(): Promise<void> {
  const files = await bundlePage();
  using page = await Deno.open(INDEX);
  await page.lock(true).catch(() => {}); // a file system without locks
  try {
    await Deno.mkdir(DIST, { recursive: true });
    for (const [name, bytes] of files) {
      await Deno.writeFile(`${DIST}/${name}.part`, bytes);
      await Deno.rename(`${DIST}/${name}.part`, `${DIST}/${name}`);
    }
    for await (const { name } of Deno.readDir(DIST)) { // parts of an older page
      if (!files.has(name)) await Deno.remove(`${DIST}/${name}`, { recursive: true });
    }
  } catch (error) {
    throw new TypeError(
      `Cannot write ${DIST}: ${why(error)}; build in a checkout that you may write into`,
    );
  }
  console.log(`Wrote ${DIST}: serve it from any host, over https or from localhost.`);
}
