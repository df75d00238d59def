/** How esbuild makes scripts for browsers out of this project's modules. */

import type { BuildOptions } from "esbuild";
import config from "../../deno.json" with { type: "json" };

/** `npm:NAME@VERSION/PATH` as esbuild finds it in node_modules: `NAME/PATH`. */
const installed = (specifier: string) => specifier.replace(/^npm:(@?[^@]+)@[^/]+/, "$1");

/** Options that every bundle has. */
export const BUNDLING: BuildOptions = {
  bundle: true,
  format: "esm",
  target: "es2022",
  /** Names that `deno.json` maps to packages. */
  alias: Object.fromEntries(
    Object.entries(config.imports).map(([name, specifier]) => [name, installed(specifier)])
      .filter(([name, path]) => name !== path),
  ),
  loader: { ".wgsl": "text" },
  external: ["module", "fs", "path"], // what h5wasm asks for under Node alone
  logLevel: "warning",
};
