/** Chromium, as the benchmark and the tests open it. */

/** Where it is looked for. */
export const CHROMIUM = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
] as const;

/** Nothing of its own over the network, nothing to click away; root may run it. */
export const PLAIN = [
  "--no-sandbox",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** WebGPU computed by software, the same everywhere. */
export const SOFTWARE_GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/** The path of the installed Chromium, if there is one. */
export function findChromium(): string | undefined {
  return CHROMIUM.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}
