/** `build`: writes the page to dist/, as files that any host can serve. */

import * as esbuild from "esbuild";
import { why } from "./files.ts";
import { DIST, INDEX, ROOT } from "./places.ts";

/**
 * The files of the page, by their names.
 * @throws {TypeError} when the bundler cannot be started.
 */
export async function bundlePage(): Promise<Map<string, Uint8Array>> {
  let result;
  try {
    result = await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: {
        main: "web/main.ts",
        worker: "web/worker.ts",
        lend_worker: "web/lend_worker.ts",
        style: "web/style.css",
        thread: "src/cpu/thread.ts", // the CPU engine starts it by this name
      },
      outdir: DIST,
      write: false,
      bundle: true,
      splitting: true,
      format: "esm",
      target: "es2022",
      minify: true,
      loader: { ".wgsl": "text" },
      external: ["module", "fs", "path"], // what h5wasm asks for under Node alone
      logLevel: "warning",
    });
  } catch (error) {
    throw new TypeError(`Cannot bundle the page: ${why(error).split("\n")[0]}`);
  } finally {
    await esbuild.stop();
  }
  const name = (path: string) => path.replace(/^.*[/\\]/, "");
  return new Map([
    ...result.outputFiles.map(({ path, contents }) => [name(path), contents] as const),
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
