/** `build`: writes the page to dist/, as files that any host can serve. */

import * as esbuild from "esbuild";
import { BUNDLING } from "./bundling.ts";

const ROOT = `${import.meta.dirname}/../..`;
const DIST = `${ROOT}/dist`;

await Deno.remove(DIST, { recursive: true }).catch(() => {}); // parts of an older page
await esbuild.build({
  ...BUNDLING,
  absWorkingDir: ROOT,
  entryPoints: {
    main: "web/main.ts",
    worker: "web/worker.ts",
    style: "web/style.css",
    thread: "src/cpu/thread.ts", // the CPU engine starts it by this name
  },
  outdir: DIST,
  splitting: true,
  minify: true,
});
await esbuild.stop();
await Deno.copyFile(`${ROOT}/web/index.html`, `${DIST}/index.html`);
console.log("Wrote dist/: serve it from any host, over https or from localhost.");
