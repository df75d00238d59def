/** A tab of a real browser that is lent to a run, and leaves it. */

import assert from "node:assert/strict";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "@playwright/test";
import { findChromium, PLAIN, SOFTWARE_GPU } from "../src/cli/chromium.ts";
import { hasNats, Server, TOKEN } from "./nats.ts";
import { beginIn, ended, inFolder, startServer } from "./support.ts";
import { hasChromium } from "./tools.ts";
import { readTensors } from "../src/data/tensors.ts";

const ignore = !hasNats() || !hasChromium();

Deno.test({
  name: "web: a tab joins a run and leaves it, and the run is the same to rounding",
  ignore,
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using server = await Server.start();
    const { url, server: pages } = await startServer();
    const browser = await chromium.launch({
      executablePath: findChromium(),
      args: [...PLAIN, ...SOFTWARE_GPU],
    });
    try {
      await inFolder(async (folder) => {
        const args = ["train", "--data", "digits", "--hidden", "60", "--activation", "tanh"]
          .concat(["--init", "xavier", "--batch", "60", "--steps", "60", "--json"]);
        const alone = await ended(await beginIn(folder, ...args, "--save", "alone.h5"));
        assert.equal(alone.code, 0, alone.stderr);
        const log = `${folder}/log.jsonl`;
        const run = await beginIn(
          folder,
          ...args,
          ...["--nats", server.url, "--token", TOKEN, "--no-own", "--save", "shared.h5"],
          ...["--log", log],
        );
        const page = await (await browser.newContext()).newPage();
        const problems: string[] = [];
        page.on("pageerror", (error) => problems.push(error.message));
        await page.goto(`${url}?worker=${encodeURIComponent(server.url)}&token=${TOKEN}`);
        // It computes: without it, nobody would.
        const some = page.locator("#lend-slices", { hasText: /^([6-9]|\d[\d,]+)$/ });
        await some.waitFor({ timeout: 90_000 });
        assert.equal(await page.locator("#lend-status").innerText(), "Computing.");
        assert.match(await page.locator("#lend-adapter").innerText(), /swiftshader|cpu/i);
        const { violations } = await new AxeBuilder({ page }).analyze();
        assert.deepEqual(violations.map(({ id }) => id), []);
        // Another worker is there when it leaves.
        const worker = await beginIn(
          folder,
          ...["worker", "--nats", server.url, "--token", TOKEN, "--backend", "cpu"],
        );
        await page.click("#lend-button");
        assert.match(await page.locator("#lend-status").innerText(), /^Stopped/);
        const { code, stderr } = await ended(run);
        worker.kill("SIGTERM");
        await ended(worker);
        assert.equal(code, 0, stderr);
        assert.match(stderr, /Worker tab-\w+ joins/);
        assert.match(stderr, /Worker tab-\w+ leaves/);
        assert.deepEqual(problems, []);
        const [first, second] = await Promise.all(
          ["alone.h5", "shared.h5"].map(async (name) =>
            await readTensors(await Deno.readFile(`${folder}/${name}`), name)
          ),
        );
        let largest = 0, where = "";
        for (const name of ["W1", "b1", "W2", "b2"]) {
          const [one, other] = [first, second].map((tensors) => tensors.get(name)!.data);
          for (let i = 0; i < one.length; i++) {
            const distance = Math.abs(Number(one[i]) - Number(other[i]));
            if (!(distance <= largest)) [largest, where] = [distance, `${name} at ${i}`];
          }
        }
        // Gradients of two adapters agree to some 3e-7 of their largest; 60 steps of 0.1 along
        // gradients of about 0.1 are 0.6 in all, so that weights agree to 2e-7.
        assert.ok(largest <= 1e-6, `largest difference ${largest}, ${where}`);
      });
    } finally {
      await browser.close();
      pages.kill();
      await pages.output();
    }
  },
});
