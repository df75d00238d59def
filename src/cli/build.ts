/** `build`: writes the page to dist/, as files that any host can serve. */

import * as esbuild from "esbuild";

const ROOT = `${import.meta.dirname}/../..`;
const DIST = `${ROOT}/dist`;

await Deno.remove(DIST, { recursive: true }).catch(() => {}); // parts of an older page
await esbuild.build({
  absWorkingDir: ROOT,
  entryPoints: {
    main: "web/main.ts",
    worker: "web/worker.ts",
    style: "web/style.css",
    thread: "src/cpu/thread.ts", // the CPU engine starts it by this name
  },
  outdir: DIST,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  loader: { ".wgsl": "text" },
  external: ["module", "fs", "path"], // what h5wasm asks for under Node alone
  logLevel: "warning",
});
await esbuild.stop();
await Deno.copyFile(`${ROOT}/web/index.html`, `${DIST}/index.html`);
console.log("Wrote dist/: serve it from any host, over https or from localhost.");
