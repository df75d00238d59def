/** The page's adapter in Chromium: every shader compiles there and is right; and without any adapter. */

import assert from "node:assert/strict";
import { unrolled } from "../src/gpu/narrow.ts";
import { compose, type Fillings, type KernelName, KERNELS, ROLES } from "../src/gpu/shaders.ts";
import type { Activation } from "../src/operations/activation.ts";
import { activationOf } from "../src/operations/registry.ts";
import { closeBehind, fact, onPage, resting, step, text, until, webTest } from "./page.ts";

const SMALL = "?hidden=12&batch=20";

webTest("the check finds this adapter right", async () => {
  await onPage(async (page) => {
    await page.locator("#check-run").click();
    await until("a verdict", 600, async () => /below/.test(await text(page, "#check-verdict")));
    assert.match(
      await text(page, "#check-verdict"),
      /every tensor is within 0\.000001 of float64; all \d+ comparisons below are right\.$/,
    );
    assert.ok(await page.locator("#parity-table tbody tr").count() > 80);
    assert.equal(await page.locator("#check-table tbody tr").count(), 4);
    assert.ok(await page.locator("#check-curve canvas").count() === 1);
  }, { query: SMALL });
});

webTest("without WebGPU it says so, and trains on the CPU, on all its cores", async () => {
  await onPage(async (page, url) => {
    const asked: string[] = [];
    page.context().on("request", (request) => asked.push(request.url()));
    await page.reload(); // threads may be started as soon as there is a network
    await resting(page);
    assert.match(await text(page, "#adapter"), /No WebGPU here/);
    assert.match(await text(page, "#notices"), /no WebGPU/);
    await page.locator("#start").click();
    await until("the last step", 60, async () => await step(page) === 20);
    assert.ok(Number(await fact(page, "#train-facts", "Loss")) < 2.35);
    const cores = await page.evaluate(() => navigator.hardwareConcurrency);
    assert.equal(asked.includes(`${url}thread.js`), cores > 1);
  }, { query: "?steps=20", args: ["--disable-features=WebGPU", "--disable-gpu"] });
});

/** Which rows kernels are about, where they are not about all. */
const ROWS: Partial<Record<KernelName, (keyof typeof ROLES.rows)[]>> = {
  nudge: ["listed"],
  flip: ["listed"],
  hop: ["all", "listed", "elements"],
  rows_loss: ["listed", "elements", "taps", "listed_taps"],
  nudge_elements: ["elements"],
  move_one: ["all", "taps"],
  rows_filter: ["taps", "listed_taps"],
  rows_filter_pool: ["taps"],
  rows_conv: ["taps", "listed_taps"],
  rows_maxpool: ["taps", "listed_taps"],
};

/** Whether a kernel is ever composed so. */
function isMade(
  kernel: KernelName,
  { activation, rows, effect, surrogate }: Fillings,
): boolean {
  if (surrogate !== "none" && !["dense", "conv", "maxpool", "pointwise"].includes(kernel)) {
    return false;
  }
  const { pieces, states, series }: Activation = activationOf(activation!);
  if (!(ROWS[kernel]?.includes(rows!) ?? true)) return false;
  if (["flip", "list_states", "collect_states", "state_slopes"].includes(kernel)) {
    return states !== undefined;
  }
  if (kernel === "narrow") return series === true;
  if (["respond", "margins", "outlets", "nearest"].includes(kernel)) return pieces !== undefined;
  if (effect === "straight") return pieces !== undefined && (rows === "all" || rows === "taps");
  return effect !== "exact" || rows !== "all" || kernel === "move_one";
}

/** What is unrolled in narrow.wgsl, for one layer and two, as each device likes it. */
const UNROLLED = [[9], [9, 5]].flatMap((widths) =>
  ([
    { weights: "variables", size: 4, vectors: 4, layers: 3 },
    { weights: "private", size: 2, vectors: 4, layers: 2 },
  ] as const).map((shape) =>
    unrolled({ widths, factors: widths.map(() => 0.25), classes: 3, points: 4 }, shape)
  )
);

/** A kernel with everything that it may be composed of. */
function compositions(kernel: KernelName): [code: string, name: string][] {
  const first = Object.fromEntries(
    Object.entries(ROLES).map(([role, pieces]) => [role, Object.keys(pieces)[0]]),
  ) as Fillings;
  const numbers = { block: 128, lanes: 8, splits: 4 };
  const imported = compose(KERNELS[kernel], { ...first, ...numbers, unrolled: UNROLLED[0] });
  let fillings: Fillings[] = [{ ...first, ...numbers }];
  for (const [role, pieces] of Object.entries(ROLES)) {
    // Operations may import a surrogate of their derivative.
    const isOpen = role === "surrogate" && imported.includes("<<< activation: ");
    if (!isOpen && !imported.includes(`<<< ${role}: `)) continue;
    fillings = fillings.flatMap((filling) =>
      Object.keys(pieces).map((piece) => ({ ...filling, [role]: piece }))
    );
  }
  return fillings.filter((filling) => isMade(kernel, filling)).flatMap((filling) =>
    (kernel === "narrow" ? UNROLLED : [undefined]).map((unrolled): [string, string] => [
      compose(KERNELS[kernel], { ...filling, unrolled }),
      `${kernel} ${JSON.stringify(filling)}`,
    ])
  );
}

webTest("Chromium compiles every shader, with everything it may be composed of", async () => {
  await onPage(async (page) => {
    const sources = (Object.keys(KERNELS) as KernelName[]).flatMap((kernel) => {
      const made = compositions(kernel);
      assert.ok(made.length > 0, kernel);
      return made;
    });
    assert.ok(sources.length > 80, `${sources.length}`);
    const complaints = await page.evaluate(async (sources: string[][]) => {
      const adapter = await navigator.gpu.requestAdapter();
      const device = await adapter!.requestDevice();
      const found: string[] = [];
      for (const [code, name] of sources) {
        const info = await device.createShaderModule({ code }).getCompilationInfo();
        for (const { type, message } of info.messages) {
          if (type === "error") found.push(`${name}: ${message}`);
        }
      }
      device.destroy();
      return found;
    }, sources);
    assert.deepEqual(complaints, []);
  }, { query: SMALL });
});

closeBehind();
