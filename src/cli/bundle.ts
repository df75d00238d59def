/** What the page and the npm package have in common: esbuild, with shaders as texts. */

import * as esbuild from "esbuild";
import { why } from "./files.ts";
import { ROOT } from "./places.ts";

/** A worker's file is named by a URL beside the one that starts it, and has another ending by then. */
const workers: esbuild.Plugin = {
  name: "workers",
  setup(build) {
    build.onLoad({ filter: /[/\\]cpu[/\\]pool\.ts$/ }, async ({ path }) => ({
      contents: (await Deno.readTextFile(path)).replace("./thread.ts", "./thread.js"),
      loader: "ts",
    }));
  },
};

/**
 * Bundles entries as modules that share what they have in common.
 * @param what is bundled, for the error.
 * @throws {TypeError} when the bundler cannot be started, or does not take a file.
 */
export async function bundle(
  what: string,
  entryPoints: Record<string, string>,
  options: Partial<esbuild.BuildOptions>,
): Promise<esbuild.BuildResult<{ write: false; metafile: true }>> {
  try {
    return await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints,
      outdir: "dist",
      bundle: true,
      splitting: true,
      format: "esm",
      target: "es2022",
      minify: true,
      loader: { ".wgsl": "text" },
      logLevel: "warning",
      plugins: [workers],
      ...options,
      write: false,
      metafile: true,
    });
  } catch (error) {
    throw new TypeError(`Cannot bundle ${what}: ${why(error).split("\n")[0]}`);
  } finally {
    await esbuild.stop();
  }
}

/** The name of a file without its folder. */
export const baseOf = (path: string) => path.replace(/^.*[/\\]/, "");
