/** Prints the script of the benchmark's page. It is bundled here, where the libraries are. */

import * as esbuild from "esbuild";

const { outputFiles } = await esbuild.build({
  absWorkingDir: import.meta.dirname,
  entryPoints: ["main.ts"],
  bundle: true,
  write: false,
  format: "esm",
  target: "es2022",
  loader: { ".wgsl": "text" },
  external: ["module", "fs", "path"], // what h5wasm asks for under Node alone
  logLevel: "warning",
});
await esbuild.stop();
console.log(outputFiles[0].text);
