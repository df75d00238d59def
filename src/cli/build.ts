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
    style: "web/style.css",
    thread: "src/cpu/thread.ts", // the CPU engine starts it by this name
  }, { external: ["module", "fs", "path"] }); // what h5wasm asks for under Node alone
  return new Map([
    ...outputFiles.map(({ path, contents }) => [baseOf(path), contents] as const),
    ["index.html", await Deno.readFile(INDEX)], // last: it names the others
  ]);
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
