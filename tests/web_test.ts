/** The page in Chromium: training and all that belongs to a run, used as a person would. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { AxeBuilder } from "@axe-core/playwright";
import { connect, parseNodes } from "../src/core/network.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { drawDigits } from "../src/data/digits.ts";
import { writeIdx } from "../src/data/idx.ts";
import { readTensors, writeTensors } from "../src/data/tensors.ts";
import { parametersIn } from "../src/data/weights.ts";
import {
  accuracy,
  assertShown,
  closeBehind,
  downloaded,
  onPage,
  resting,
  SCREENSHOTS,
  shares,
  step,
  text,
  trainUntil,
  type,
  until,
  webTest,
} from "./page.ts";
import { engineOptions } from "./support.ts";
import { hasChromium } from "./tools.ts";

const SMALL = "?hidden=12&batch=20";

webTest("training: starts, learns, pauses, takes a single step, begins anew", async () => {
  await onPage(async (page) => {
    assert.equal(await text(page, "#bar-state"), "not trained yet");
    await trainUntil(page, "75% of the test digits", 180, async () => await accuracy(page) >= 75);
    assert.equal(await text(page, "#start"), "Go on");
    const before = await step(page);
    await page.locator("#step").click();
    await until("one more step", 10, async () => await step(page) === before + 1);
    await resting(page);
    assert.ok(await page.locator("#confusion tbody tr").count() === 10);
    assert.ok(await page.locator("#worst canvas").count() > 0);
    await page.locator("#reset").click();
    await until("a new run", 30, async () => await step(page) === 0);
    assert.match(await text(page, "#worst"), /None yet/);
  });
});

webTest("training keeps the page's own thread free", async () => {
  await onPage(async (page) => {
    await page.locator("#start").click();
    await until("some steps", 60, async () => await step(page) > 20);
    const browser = page.context().browser()!;
    await browser.startTracing(page, { categories: ["disabled-by-default-devtools.timeline"] });
    await page.waitForTimeout(5000);
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as {
      traceEvents: {
        name: string;
        ph: string;
        pid: number;
        tid: number;
        tdur?: number;
        args: any;
      }[];
    };
    // A machine may take a thread away for as long as it likes: what counts is how long a task computes,
    // by the thread's own clock, in microseconds.
    const main = new Set(
      traceEvents.filter(({ name, args }) =>
        name === "thread_name" && args.name === "CrRendererMain"
      ).map(({ pid, tid }) => `${pid} ${tid}`),
    );
    const tasks = traceEvents.filter(({ name, pid, tid, tdur }) =>
      name === "RunTask" && tdur !== undefined && main.has(`${pid} ${tid}`)
    ).map(({ tdur }) => tdur! / 1000).sort((a, b) => b - a);
    assert.ok(tasks.length > 100, `${tasks.length} tasks were seen`);
    assert.ok(tasks[0] <= 50, `tasks of over 50 ms: ${tasks.slice(0, 10)}`);
  });
});

/** Trains to the end of the address's steps, and returns the losses that the page saves. */
async function lossesOf(query: string): Promise<number[]> {
  let losses: number[] = [];
  await onPage(async (page) => {
    await page.locator("#start").click();
    await until("the last step", 60, async () => await step(page) === 20);
    const json = new TextDecoder().decode(await downloaded(page, "#save-json"));
    losses = JSON.parse(json).losses;
  }, { query });
  return losses;
}

webTest("the same link gives the same run", async () => {
  if (!hasChromium()) return;
  const first = await lossesOf("?steps=20&hidden=12&batch=20&seed=5");
  assert.equal(first.length, 20);
  assert.deepEqual(await lossesOf("?steps=20&hidden=12&batch=20&seed=5"), first);
  assert.notDeepEqual(await lossesOf("?steps=20&hidden=12&batch=20&seed=6"), first);
});

webTest("settings: what makes no sense is said, what does goes into the address", async () => {
  await onPage(async (page) => {
    assert.match(await text(page, "#notices"), /lr=-3/);
    assert.match(await text(page, "#complaint-lr"), /Learning rate: give a positive number/);
    await type(page, "hidden", "x");
    assert.match(await text(page, "#complaint-hidden"), /Hidden widths: give/);
    await type(page, "hidden", "20,10");
    await until(
      "a new network",
      30,
      async () => (await text(page, "#adapter")).includes("784-20-10-10"),
    );
    await type(page, "activation", "tanh");
    assert.match(page.url(), /hidden=20%2C10&activation=tanh/);
  }, { query: "?lr=-3" });
});

webTest("presets: each is a click away, and says what it costs on this machine", async () => {
  await onPage(async (page) => {
    const costs = page.locator(".preset small");
    await until(
      "costs",
      60,
      async () => (await costs.allInnerTexts()).every((cost) => /a step, .* in all/.test(cost)),
    );
    await page.locator("[data-preset=step]").click();
    await until("it", 60, () => /activation=step/.test(page.url()));
    await resting(page);
    assert.equal(await page.locator("[data-preset=step]").getAttribute("aria-pressed"), "true");
    assert.equal(await page.locator("[data-preset=deep]").getAttribute("aria-pressed"), "false");
    assert.equal(await page.locator("#setting-h").getAttribute("placeholder"), "1");
    assert.match(await text(page, "#cost"), /784-50-10: 79,520 loss evaluations a step, about/);
  });
});

webTest("MNIST that is not at hand is not fetched unasked, and the page says so", async () => {
  await onPage(async (page) => {
    assert.match(await text(page, "#notices"), /MNIST could not be had .*Reset downloads it/);
    assert.match(await text(page, "#adapter"), /on synthetic digits/);
  }, { query: "?data=mnist" });
});

webTest("look inside: units, their gradients, and the loss along a weight, in place", async () => {
  await onPage(async (page) => {
    await until("a look", 30, async () => /not trained/.test(await text(page, "#moment")));
    assert.match(await text(page, "#guess"), /Not trained yet/);
    await page.locator("#step").click();
    await until("the step's moment", 30, async () => /step 1\./.test(await text(page, "#moment")));
    await until(
      "weights and gradients",
      30,
      async () => await page.locator(".unit canvas:visible").count() === 2 * 12,
    );
    await page.locator(".unit canvas").nth(3).click();
    await until(
      "a curve",
      30,
      async () => /Hidden unit 2/.test(await text(page, "#slice-caption")),
    );
    assert.match(await text(page, "#slice-caption"), /41 copies of the network of step 1,/);
    // It opens behind the row of the unit, on screen.
    const [unit, panel] = await Promise.all(
      ["#unit-1", "#slice-panel"].map(async (selector) =>
        (await page.locator(selector).boundingBox())!
      ),
    );
    assert.ok(panel.y > unit.y && panel.y < unit.y + 2 * unit.height, `${unit.y} ${panel.y}`);
    assert.ok(panel.y >= 0 && panel.y < 720, `${panel.y}`);
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#slice-panel").count(), 0);
  }, { query: SMALL });
});

const CONV = "conv 4x5 stride 2 pad 2, relu, maxpool 2, dense 20, relu";
const CONV_QUERY = `?network=${encodeURIComponent(CONV)}&batch=50&lr=0.2`;
/** Rows and columns of an image, of what the convolution makes of it, and of what the pool does. */
const [SIDE, MAP, POOLED] = [28, 14, 7];

webTest("a convolutional network learns; its filters and maps are shown as they are", async () => {
  await onPage(async (page) => {
    assert.match(
      await text(page, "#adapter"),
      /1x28x28-conv 4x5 stride 2 pad 2-maxpool 2-20-10 on synthetic digits/,
    );
    assert.equal(await page.locator("#setting-h").getAttribute("placeholder"), "0.000001");
    assert.ok(await page.locator("#setting-hidden").isDisabled());
    await page.locator("#flow").scrollIntoViewIfNeeded();
    await page.locator(".maps canvas").first().waitFor();
    const fresh = await shares(page, ".unit canvas"),
      freshMaps = await shares(page, ".maps canvas");
    assert.equal(fresh.length, 2 * 4);
    assert.equal(freshMaps.length, 2 * 4);
    await page.locator("#start").click();
    await page.locator("#flow").scrollIntoViewIfNeeded();
    // Nothing is clicked: what is on screen follows the training.
    for (const [selector, before] of [[".unit", fresh], [".maps", freshMaps]] as const) {
      await until(
        `other pictures in ${selector}`,
        60,
        async () =>
          JSON.stringify(await shares(page, `${selector} canvas`)) !== JSON.stringify(before),
      );
    }
    await until("90% of the test digits", 180, async () => await accuracy(page) >= 90);
    await page.locator("#start").click();
    await resting(page);
    await until(
      "the moment of now",
      30,
      async () =>
        (await text(page, "#moment")).includes(`step ${(await step(page)).toLocaleString("en")}.`),
    );

    await until(
      "its gradient",
      30,
      async () => await page.locator(".unit canvas:visible").count() === 2 * 4,
    );

    // From the weights that it saves, all that is shown is made again, in other ways.
    const tensors = await readTensors(
      await downloaded(page, "#save-safetensors"),
      "weights.safetensors",
    );
    assert.deepEqual(tensors.get("W1")!.shape, [4, 1, 5, 5]);
    const network = connect({
      inputs: SIDE * SIDE,
      inputShape: [1, SIDE, SIDE],
      classes: 10,
      nodes: parseNodes(CONV),
    });
    const { train, test } = drawDigits({ seed: 1 });
    using engine = new CpuEngine(engineOptions(network, train, 50, { method: "backprop" }));
    engine.setParameters(parametersIn(tensors, network, "numpy"));
    const { gradient } = await engine.gradient(Uint32Array.from({ length: 50 }, (_, n) => n));
    const W = tensors.get("W1")!.data, b = tensors.get("b1")!.data;
    const map = (digit: number) => {
      const pixel = (row: number, column: number) =>
        row < 0 || column < 0 || row >= SIDE || column >= SIDE
          ? 0
          : test.x[(digit - 1) * SIDE * SIDE + row * SIDE + column] / 255;
      return Float64Array.from({ length: 4 * MAP * MAP }, (_, i) => {
        const [filter, row, column] = [
          Math.floor(i / MAP / MAP),
          Math.floor(i / MAP) % MAP,
          i % MAP,
        ];
        let sum = b[filter];
        for (let cell = 0; cell < 25; cell++) {
          sum += W[25 * filter + cell] *
            pixel(2 * row - 2 + Math.floor(cell / 5), 2 * column - 2 + cell % 5);
        }
        return Math.max(0, sum);
      });
    };
    const pool = (values: Float64Array) =>
      Float64Array.from({ length: 4 * POOLED * POOLED }, (_, i) => {
        const [filter, row, column] = [
          Math.floor(i / POOLED / POOLED),
          Math.floor(i / POOLED) % POOLED,
          i % POOLED,
        ];
        const at = filter * MAP * MAP + 2 * row * MAP + 2 * column;
        return Math.max(...[0, 1, MAP, MAP + 1].map((d) => values[at + d]));
      });
    await page.locator("#digit").fill("3");
    await page.locator("#digit").press("Enter");
    await until(
      "the third test digit",
      30,
      async () => await text(page, "#seen-text") === `Shown: test digit 3, a ${test.labels[2]}.`,
    );
    const pictures = await shares(page, ".unit canvas");
    assertShown("filters", pictures.filter((_, i) => i % 2 === 0), W);
    assertShown(
      "the filters' gradient",
      pictures.filter((_, i) => i % 2 === 1),
      gradient.slice(0, 100).map((value) => -value),
    );
    const maps = await shares(page, ".maps canvas");
    assertShown("maps behind the convolution", maps.slice(0, 4), map(3));
    assertShown("maps behind the pool", maps.slice(4), pool(map(3)));
    assert.match(await text(page, "#layers"), /conv 1: 1x28x28 to 4x14x14, relu: up to/);

    await page.locator(".unit canvas").nth(2).click();
    await until("a curve", 60, async () => /^Filter 2/.test(await text(page, "#slice-caption")));

    await page.locator("#pad").press("7");
    await page.locator("#flow").scrollIntoViewIfNeeded();
    await until(
      "the drawn digit",
      30,
      async () => await text(page, "#seen-text") === "Shown: the digit that is drawn.",
    );
    assert.notDeepEqual(await shares(page, ".maps canvas"), maps);
    await Deno.mkdir(SCREENSHOTS, { recursive: true });
    await page.screenshot({ path: `${SCREENSHOTS}/conv.png`, fullPage: true });
    await page.locator("#clear").click();
    await page.locator("#flow").scrollIntoViewIfNeeded();
    await until(
      "the test digit again",
      30,
      async () => /Shown: test digit 3/.test(await text(page, "#seen-text")),
    );
    assert.deepEqual(await shares(page, ".maps canvas"), maps);
    await page.locator("#digit").fill("2001");
    await page.locator("#digit").press("Enter");
    assert.equal(
      await page.locator("#digit").evaluate((field) =>
        (field as unknown as { checkValidity(): boolean }).checkValidity()
      ),
      false,
    );
  }, { query: CONV_QUERY });
});

webTest("a convolutional network's weights go out and in, and no other's", async () => {
  await onPage(async (page) => {
    await page.locator("#step").click();
    await until("a step", 60, async () => await step(page) === 1);
    const load = async (name: string, bytes: Uint8Array<ArrayBuffer>, answer: RegExp) => {
      await page.locator("#load").setInputFiles({
        name,
        mimeType: "application/octet-stream",
        buffer: Buffer.from(bytes),
      });
      await until(
        `an answer about ${name}`,
        60,
        async () => answer.test(await text(page, "#files-status")),
      );
    };
    for (const format of ["h5", "safetensors"]) {
      const name = `trained.${format}`, bytes = await downloaded(page, `#save-${format}`);
      const before = await readTensors(bytes, name);
      assert.deepEqual(before.get("W1")!.shape, [4, 1, 5, 5]);
      await load(name, bytes, new RegExp(`Loaded ${name}: 1x28x28-conv 4x5 stride 2 pad 2-`));
      assert.equal(await step(page), 0);
      const after = await readTensors(await downloaded(page, `#save-${format}`), name);
      for (const tensor of ["W1", "b1", "W2", "b2", "W3", "b3"]) {
        assert.deepEqual(after.get(tensor), before.get(tensor), tensor);
      }
      await page.locator("#step").click();
      await until("a step", 60, async () => await step(page) === 1);
    }
    const other = new Map([
      ["W1", { shape: [784, 10], data: new Float64Array(7840) }],
      ["b1", { shape: [10], data: new Float64Array(10) }],
    ]);
    await load(
      "dense.safetensors",
      new Uint8Array(await writeTensors(other, "dense.safetensors")),
      /Cannot use dense\.safetensors: .*W1/,
    );
    assert.match(await text(page, "#adapter"), /conv 4x5/);
  }, { query: CONV_QUERY });
});

webTest("a network that cannot be: said beside its field, from the address and typed", async () => {
  const wrong = 'Cannot build "conv 30x50": the kernel, 50, is larger than its input, 28x28';
  await onPage(async (page) => {
    const field = page.locator("#setting-network");
    assert.equal(await field.inputValue(), "conv 30x50");
    assert.equal(await text(page, "#complaint-network"), wrong);
    assert.match(await text(page, "#notices"), /no sense: network=conv 30x50\./);
    assert.match(await text(page, "#adapter"), /784-50-10/); // trains without it
    const type = async (network: string) => {
      await field.fill(network);
      await field.press("Tab");
    };
    await type("conv 2x5, relu, dence 5");
    assert.match(
      await text(page, "#complaint-network"),
      /^Cannot read the network: operation 3, "dence 5": there is no dence/,
    );
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    const { violations } = await new AxeBuilder({ page }).include("#settings").analyze();
    assert.deepEqual(violations.map(({ id }) => id), []);
    await type("conv 2x5 stride 3, step");
    await until("it", 30, async () => /conv 2x5 stride 3-10/.test(await text(page, "#adapter")));
    assert.equal(await text(page, "#complaint-network"), "");
    assert.match(await text(page, "#notices"), /no window looks at 2 of its input's 28 rows/);
    assert.match(page.url(), /\?network=conv\+2x5\+stride\+3%2C\+step$/);
    assert.equal(await page.locator("#setting-h").getAttribute("placeholder"), "1");
    await type("dense 9999999"); // it can be, but not here
    assert.match(
      await text(page, "#complaint-network"),
      /Cannot hold 784-9999999-10: .* would fit/,
    );
    await type(""); // back to the short form
    await until("784-50-10", 30, async () => /784-50-10/.test(await text(page, "#adapter")));
    assert.ok(await page.locator("#setting-hidden").isEnabled());
    assert.equal(await page.locator("#setting-h").getAttribute("placeholder"), "0.0001");
    assert.doesNotMatch(page.url(), /network/);
  }, { query: "?network=conv+30x50" });
});

webTest("step units learn without a word about h", async () => {
  await onPage(async (page) => {
    assert.equal(await page.locator("#setting-h").inputValue(), "");
    await page.locator("#start").click();
    await until(
      "80% of the test digits",
      120,
      async () => await accuracy(page) >= 80,
    );
  }, { query: "?activation=step&hidden=30&batch=50" });
});

webTest("a drawn digit is read, by mouse and by keyboard", async () => {
  await onPage(async (page) => {
    await page.locator("#step").click();
    await until("a step", 30, async () => await step(page) === 1);
    await page.locator("#pad").scrollIntoViewIfNeeded();
    const box = (await page.locator("#pad").boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 - 5, box.y + 190, { steps: 10 });
    await page.mouse.up();
    const reads = async () =>
      /drawn/.test(await text(page, "#seen-text")) &&
      /takes it for a \d/.test(await text(page, "#guess"));
    await until("a guess", 20, reads);
    const shares = await page.locator("#probabilities li span").allInnerTexts();
    const sum = shares.reduce((total, share) => total + Number.parseFloat(share), 0);
    assert.ok(Math.abs(sum - 100) < 0.6, `${sum}`); // each is rounded by 0.05 at most
    await page.locator("#clear").click();
    await until(
      "a test digit",
      20,
      async () => /test digit 1/.test(await text(page, "#seen-text")),
    );
    assert.match(await text(page, "#pad-text"), /Nothing is drawn/);
    await page.locator("#pad").press("7");
    await until("a guess", 20, reads);
  }, { query: SMALL });
});

webTest(
  "the race: curves that are the same are said to be; steps leave backprop behind",
  async () => {
    await onPage(async (page) => {
      const row = async (engine: string) =>
        await page.locator("#race-table tr", {
          has: page.locator("th", { hasText: new RegExp(`^${engine}$`) }),
        }).locator("td").allInnerTexts();
      await page.locator("#race-smooth").click();
      await until(
        "60 steps",
        120,
        async () =>
          await page.locator("#race-table td").count() > 0 &&
          Number((await row("backprop"))[0]) >= 60,
      );
      assert.ok(Number((await row("differences"))[5]) > 0.9999);
      assert.match(
        await text(page, "#race-notes"),
        /^differences, copies, backprop: these are the same curve/,
      );
      await page.locator("#race-stop").click();
      await page.locator("#race-step[aria-disabled=false]").click();
      await until(
        "200 steps",
        240,
        async () =>
          await page.locator("#race-table td").count() > 0 &&
          (await row("straight-through")).length > 0 &&
          Number((await row("random directions"))[0]) >= 200,
      );
      const [ours, theirs, straight] = await Promise.all(
        ["differences", "backprop", "straight-through"].map(row),
      );
      // Loss, then accuracy: both leave backprop, whose first layer stands still, behind.
      for (const learner of [ours, straight]) {
        assert.ok(Number(learner[1]) < Number(theirs[1]) - 0.05, `${learner[1]} ${theirs[1]}`);
      }
      assert.ok(
        Number.parseFloat(ours[2]) > Number.parseFloat(theirs[2]),
        `${ours[2]} ${theirs[2]}`,
      );
      assert.match(
        await text(page, "#race-notes"),
        /differences, copies: these are the same curve/,
      );
      await page.locator("#race-stop").click();
      await page.locator("#race-step[aria-disabled=false]").waitFor();
    }, { query: SMALL });
  },
);

webTest("weights go out and in, losses as CSV, and data are dropped onto the page", async () => {
  await onPage(async (page) => {
    await page.locator("#step").click();
    await until("a step", 30, async () => await step(page) === 1);
    for (const format of ["h5", "safetensors"]) {
      const bytes = await downloaded(page, `#save-${format}`);
      const tensors = await readTensors(bytes, `weights.${format}`);
      assert.deepEqual(tensors.get("W1")!.shape, [784, 12]);
      assert.equal(tensors.get("losslist")!.data.length, 1);
      await page.locator("#load").setInputFiles({
        name: `weights.${format}`,
        mimeType: "application/octet-stream",
        buffer: Buffer.from(bytes),
      });
      await until(
        "the weights",
        30,
        async () =>
          (await text(page, "#files-status")).includes(`Loaded weights.${format}: 784-12-10`),
      );
      await page.locator("#step").click();
      await until("a step", 30, async () => await step(page) === 1);
    }
    const csv = new TextDecoder().decode(await downloaded(page, "#save-csv"));
    assert.match(csv, /^step,loss\n1,2\.\d+\n$/);

    const { train, test } = drawDigits({ train: 60, test: 30, seed: 9 });
    const many = (count: number) => Int16Array.from({ length: count }, (_, n) => n); // 60 classes
    const files = Object.fromEntries(
      ([["train", train], ["t10k", test]] as const).flatMap(([name, { count, x }]) =>
        [
          [`${name}-images-idx3-ubyte`, [count, 28, 28], x as Uint8Array],
          [`${name}-labels-idx1-ubyte`, [count], many(count)],
        ] as const
      ).map(([name, shape, data]) => [name, [...writeIdx({ shape, data })]]),
    );
    await page.evaluate((files: Record<string, number[]>) => {
      const browser = globalThis as unknown as {
        DataTransfer: new () => { items: { add(file: unknown): void } };
        DragEvent: new (kind: string, options: object) => Event;
        document: EventTarget;
      };
      const dataTransfer = new browser.DataTransfer();
      for (const [name, bytes] of Object.entries(files)) {
        dataTransfer.items.add(new File([Uint8Array.from(bytes)], name));
      }
      browser.document.dispatchEvent(
        new browser.DragEvent("drop", { dataTransfer, bubbles: true }),
      );
    }, files);
    await until(
      "the data",
      30,
      async () => /60 training and 30 test samples/.test(await text(page, "#data-status")),
    );
    await resting(page);
    assert.match(await text(page, "#adapter"), /on MNIST/);
    await page.locator("#step").click();
    await until(
      "what 60 classes are taken for",
      30,
      async () => /60 classes: too many/.test((await page.locator("#confusion").textContent())!),
    );
    await page.locator("#load").setInputFiles({
      name: "broken.h5",
      mimeType: "application/octet-stream",
      buffer: Buffer.alloc(10),
    });
    await until(
      "a complaint",
      30,
      async () => /Cannot read broken\.h5/.test(await text(page, "#files-status")),
    );
  }, { query: SMALL });
});

webTest("a lost device is told, and training goes on; lost for good, it waits", async () => {
  await onPage(async (page) => {
    await page.locator("#start").click();
    await until("some steps", 60, async () => await step(page) > 100);
    await page.evaluate(() =>
      (globalThis as unknown as { debug: { loseDevices(): void } }).debug.loseDevices()
    );
    await until(
      "a notice",
      30,
      async () => /lost .* goes on from step \d+/.test(await text(page, "#notices")),
    );
    const at = await step(page);
    await until("more steps", 30, async () => await step(page) > at + 20);
    // Every device that is opened is lost again.
    await page.evaluate(() => {
      const { debug } = globalThis as unknown as { debug: { loseDevices(): void } };
      const losing = setInterval(() => debug.loseDevices(), 5);
      Object.assign(globalThis, { losing });
    });
    await until("the end", 30, async () => /twice in a row/.test(await text(page, "#notices")));
    await page.evaluate(() => clearInterval((globalThis as unknown as { losing: number }).losing));
    await resting(page);
    const stopped = await step(page);
    await page.locator("#start").click();
    await until("more steps", 30, async () => await step(page) > stopped + 20);
  }, { query: `${SMALL}&steps=100000` });
});

webTest("twenty runs anew leave no buffer behind", async () => {
  await onPage(async (page) => {
    const live = () =>
      page.evaluate(() =>
        (globalThis as unknown as { debug: { liveBuffers(): Promise<number> } }).debug.liveBuffers()
      );
    const counts: number[] = [];
    for (let i = 0; i < 20; i++) {
      await page.locator("#start").click();
      await until("a step", 30, async () => await step(page) > 0);
      await page.locator("#reset").click();
      await until("a new run", 30, async () => await step(page) === 0);
      await resting(page);
      counts.push(await live());
    }
    assert.equal(new Set(counts).size, 1, `${counts}`);
  }, { query: SMALL });
});

closeBehind();
