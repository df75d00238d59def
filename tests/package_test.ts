/**
 * The npm package, as its users have it: packed, installed into an empty folder, used under Node with
 * and without the package webgpu, and from pages that Vite and esbuild bundle, in Chromium.
 */

import { chromium } from "@playwright/test";
import assert from "node:assert/strict";
import { findChromium, PLAIN, SOFTWARE_GPU } from "../src/cli/chromium.ts";
import { cli, inFolder } from "./support.ts";
import { hasChromium, hasNode, hasSwiftShader, SWIFTSHADER } from "./tools.ts";

/** What the package is used with: pinned, as all else is. */
const BUNDLERS = ["vite@8.4.0", "esbuild@0.28.2"], DAWN = "webgpu@0.6.2";

/** A program of a user's: a gradient of its own, of which the second is wrong, and an engine's. */
const PROGRAM = `
import { checkGradients, createEstimator, createNetwork, openEngine } from "numerical-gradients";

export async function use(tell) {
  const network = createNetwork({ inputs: 3, hidden: [4], classes: 2, activation: "tanh" });
  const parameters = Float64Array.from({ length: network.parameters }, (_, i) => Math.sin(i + 1));
  const inputs = [0.5, -1, 2, 1, 0.25, -0.75], labels = [1, 0];
  const samples = {
    count: 2,
    inputs: 3,
    x: Float32Array.from(inputs),
    labels: Uint8Array.from(labels),
  };
  const options = { network, samples, batch: 2, seed: 1 };
  const engine = await openEngine({
    ...options,
    method: "backprop",
    estimator: createEstimator("central", 1e-4),
    optimizer: { name: "sgd", weightDecay: 0 },
  }, "auto", tell);
  engine.setParameters(parameters);
  const { gradient } = await engine.gradient(Uint32Array.of(0, 1));
  const { adapter } = engine;
  engine[Symbol.dispose]();
  const names = { W1: [0, 12], b1: [12, 16], W2: [16, 24], b2: [24, 26] };
  const gradients = Object.fromEntries(
    Object.entries(names).map(([name, [from, to]]) => [name, gradient.slice(from, to)]),
  );
  const check = { network, parameters, inputs, targets: labels };
  const right = await checkGradients({ ...check, gradients });
  gradients.W2 = gradients.W2.map((value) => 2 * value);
  const wrong = await checkGradients({ ...check, gradients });
  let thrown = "";
  try {
    wrong.assertRight();
  } catch (error) {
    thrown = error.message;
  }
  return { adapter, right: right.ok, wrong: wrong.ok, thrown };
}`;

/** The text of a command, which has to succeed. */
async function run(folder: string, command: string, args: string[], env = {}) {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd: folder, env })
    .output();
  const [out, said] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.ok(success, `${command} ${args.join(" ")}: ${out}${said}`);
  return { out, said };
}

/** What a program of a user's says. */
function assertUsed({ right, wrong, thrown }: Record<string, unknown>): void {
  assert.deepEqual([right, wrong], [true, false]);
  assert.match(`${thrown}`, /W2[^]*2/);
}

/** Bytes of what a page loads before it runs: the first script, and what that imports at once. */
async function firstLoad(folder: string, metafile: string): Promise<number> {
  const { outputs } = JSON.parse(await Deno.readTextFile(`${folder}/${metafile}`)) as {
    outputs: Record<
      string,
      { bytes: number; entryPoint?: string; imports: { path: string; kind: string }[] }
    >;
  };
  const seen = new Set<string>();
  const visit = (path: string) => {
    if (seen.has(path) || !outputs[path]) return;
    seen.add(path);
    for (const { path: next, kind } of outputs[path].imports) {
      if (kind === "import-statement") visit(next);
    }
  };
  visit(Object.keys(outputs).find((path) => outputs[path].entryPoint)!);
  return [...seen].reduce((sum, path) => sum + outputs[path].bytes, 0);
}

/** Opens a folder's page in Chromium; what it reports of itself. */
async function answerOf(folder: string): Promise<Record<string, unknown>> {
  const types = { html: "text/html", js: "text/javascript" } as Record<string, string>;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const path = pathname === "/" ? "/index.html" : pathname;
    const bytes = await Deno.readFile(folder + path).catch(() => undefined);
    const type = types[path.split(".").at(-1)!] ?? "application/octet-stream";
    return new Response(bytes, { status: bytes ? 200 : 404, headers: { "content-type": type } });
  });
  const browser = await chromium.launch({
    executablePath: findChromium(),
    args: [...PLAIN, ...SOFTWARE_GPU],
  });
  try {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on("pageerror", ({ message }) => problems.push(message));
    await page.goto(`http://127.0.0.1:${server.addr.port}/`);
    const said = page.locator("pre");
    await said.waitFor({ timeout: 120_000 }).catch(() => assert.deepEqual(problems, []));
    return JSON.parse(await said.innerText());
  } finally {
    await browser.close();
    await server.shutdown();
  }
}

Deno.test({
  name: "the npm package: under Node, and in pages bundled by Vite and by esbuild",
  sanitizeOps: false, // the browser's driver
  sanitizeResources: false,
  async fn(test) {
    if (!hasNode()) return;
    await inFolder(async (folder) => {
      const tarball = `${folder}/package.tgz`, home = `${folder}/home`;
      const packed = await cli("pack", "--out", tarball);
      assert.equal(packed.code, 0, packed.stderr);
      const { size } = await Deno.stat(tarball);
      assert.ok(size <= 400_000, `${size} bytes`);
      await Deno.mkdir(home);
      await Deno.writeTextFile(`${home}/package.json`, '{"type":"module"}');
      const npm = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
      const installed = await new Deno.Command("npm", { args: [...npm, tarball], cwd: home })
        .output();
      if (!installed.success) {
        assert.notEqual(
          Deno.env.get("GPU"),
          "required",
          new TextDecoder().decode(installed.stderr),
        );
        return console.log("SKIPPED: npm could not install what the package depends on");
      }
      await Deno.writeTextFile(`${home}/program.js`, PROGRAM);
      await Deno.writeTextFile(
        `${home}/main.js`,
        `import { use } from "./program.js";
        console.log(JSON.stringify(await use((line) => console.error(line))));`,
      );

      await test.step("under Node alone, on the CPU, saying so", async () => {
        const { out, said } = await run(home, "node", ["main.js"]);
        const answer = JSON.parse(out);
        assertUsed(answer);
        assert.match(answer.adapter, /CPU/);
        assert.match(said, /runs on the CPU; to mend it, install the package webgpu/);
      });

      await test.step("its types check", async () => {
        await run(home, "npm", [...npm, "typescript@6.0.3"]);
        await Deno.writeTextFile(
          `${home}/typed.ts`,
          `import { type Network, openEngine, parseNodes } from "numerical-gradients";
          import { checkGradients } from "numerical-gradients/check";
          export const ok: boolean = (await checkGradients({
            network: {} as Network, parameters: [], inputs: [], targets: [], gradients: {},
          })).ok;
          export const nodes: string = parseNodes("dense 3")[0].operation;
          // @ts-expect-error: it takes options
          openEngine();`,
        );
        const args = ["tsc", "--noEmit", "--strict", "--target", "esnext", "--module", "nodenext"];
        await run(home, "npx", [...args, "--lib", "esnext,dom,dom.iterable", "typed.ts"]);
      });

      await test.step("under Node with Dawn", async () => {
        if (!hasSwiftShader()) return;
        await run(home, "npm", [...npm, DAWN]);
        const { out } = await run(home, "node", ["main.js"], { VK_ICD_FILENAMES: SWIFTSHADER! });
        const answer = JSON.parse(out);
        assertUsed(answer);
        assert.match(answer.adapter, /SwiftShader/);
      });

      await run(home, "npm", [...npm, ...BUNDLERS]);
      await Deno.writeTextFile(
        `${home}/page.js`,
        `import { use } from "./program.js";
        const said = document.createElement("pre");
        use(() => {}).then(JSON.stringify, (error) => JSON.stringify({ thrown: error.message }))
          .then((text) => { said.textContent = text; document.body.append(said); });`,
      );
      const html = (script: string) =>
        `<!doctype html><meta charset="utf-8"><body><script type="module" src="${script}"></script>`;
      await Deno.writeTextFile(`${home}/index.html`, html("./page.js"));

      await test.step("in a page bundled by Vite", async () => {
        await run(home, "npx", ["vite", "build", "--outDir", "vite", "--logLevel", "error"]);
        if (!hasChromium()) return;
        const answer = await answerOf(`${home}/vite`);
        assertUsed(answer);
        assert.match(`${answer.adapter}`, /swiftshader/i);
      });

      await test.step("in a page bundled by esbuild", async () => {
        const args = ["esbuild", "page.js", "--bundle", "--splitting", "--format=esm", "--minify"];
        const external = ["module", "fs", "path"].map((name) => `--external:${name}`); // of h5wasm
        await run(home, "npx", [...args, ...external, "--outdir=esbuild", "--metafile=meta.json"]);
        const bytes = await firstLoad(home, "meta.json");
        console.log(
          `first script of a page that opens an engine and checks gradients: ${bytes} bytes`,
        );
        if (!hasChromium()) return;
        await Deno.writeTextFile(`${home}/esbuild/index.html`, html("./page.js"));
        const answer = await answerOf(`${home}/esbuild`);
        assertUsed(answer);
        assert.match(`${answer.adapter}`, /swiftshader/i);
      });

      await test.step("what a page loads at first", async () => {
        await Deno.writeTextFile(
          `${home}/first.js`,
          'import { checkGradients } from "numerical-gradients/check";\nglobalThis.check = checkGradients;',
        );
        const args = ["esbuild", "first.js", "--bundle", "--splitting", "--format=esm", "--minify"];
        const external = ["module", "fs", "path"].map((name) => `--external:${name}`);
        await run(home, "npx", [...args, ...external, "--outdir=first", "--metafile=first.json"]);
        const bytes = await firstLoad(home, "first.json");
        console.log(`first script of a page that only checks gradients: ${bytes} bytes`);
        assert.ok(bytes <= 30_000, `${bytes} bytes`);
      });
    });
  },
});
