/** `build`: writes the page to dist/, as files that any host can serve. */

import * as esbuild from "esbuild";

const ROOT = `${import.meta.dirname}/../..`;

/** Builds the page. */
export async function build(outdir = `${ROOT}/dist`): Promise<void> {
  await Deno.remove(outdir, { recursive: true }).catch(() => {});
  await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: ["web/main.ts", "web/worker.ts", "web/style.css"],
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    supported: { "using": false },
    minify: true,
    sourcemap: false,
    loader: { ".wgsl": "text" },
    external: ["node:*", "module", "fs", "path"],
    logLevel: "warning",
  });
  await esbuild.stop();
  await Deno.copyFile(`${ROOT}/web/index.html`, `${outdir}/index.html`);
}

if (import.meta.main) {
  await build();
  console.log("Wrote dist/: serve it from any host, over https or from localhost.");
}
