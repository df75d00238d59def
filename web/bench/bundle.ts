/** Prints the script of the benchmark's page. It is bundled here, where the libraries are. */

import * as esbuild from "esbuild";
import { BUNDLING } from "../../src/cli/bundling.ts";

const { outputFiles } = await esbuild.build({
  ...BUNDLING,
  absWorkingDir: import.meta.dirname,
  entryPoints: ["main.ts"],
  write: false,
});
await esbuild.stop();
console.log(outputFiles[0].text);
