/** What was once wrong with the page, each as a person met it. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Page } from "@playwright/test";
import { createNetwork } from "../src/core/network.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { drawDigits } from "../src/data/digits.ts";
import { readTensors, writeTensors } from "../src/data/tensors.ts";
import { parametersIn } from "../src/data/weights.ts";
import {
  accuracy,
  closeBehind,
  colors,
  downloaded,
  fact,
  focused,
  onPage,
  resting,
  step,
  text,
  trainToEnd,
  trainUntil,
  type,
  until,
  webTest,
} from "./page.ts";
import { engineOptions } from "./support.ts";

const SMALL = "?hidden=12&batch=20";
const box = async (page: Page, selector: string) =>
  (await page.locator(selector).first().boundingBox())!;

webTest("step units learn at the default h", async () => {
  await onPage(async (page) => {
    await trainToEnd(page, 200, 120);
    assert.ok(await accuracy(page) >= 80, `${await accuracy(page)}`);
  }, { query: "?activation=step&hidden=20&steps=200" });
});

webTest("an h that flips no unit is warned of, and the warning mends it", async () => {
  await onPage(async (page) => {
    assert.match(await text(page, "#notices"), /nudges flip 0 of .* units .* hardly learns/);
    const before = page.url();
    await page.locator("#notices button").click();
    await resting(page);
    assert.notEqual(page.url(), before);
    const h = Number(new URL(page.url()).searchParams.get("h"));
    assert.ok(h > 1e-4, `${h}`);
    assert.equal(await page.locator("#notices p").count(), 0);
    assert.equal(await focused(page), "start");
  }, { query: "?activation=step&hidden=20&h=1e-6" });
});

webTest("choosing step units sets an h that trains", async () => {
  await onPage(async (page) => {
    await type(page, "activation", "tanh");
    assert.equal(await page.locator("#setting-h").inputValue(), "1e-4"); // it needs no other
    await type(page, "activation", "step");
    assert.equal(await page.locator("#setting-h").inputValue(), "");
    assert.equal(await page.locator("#setting-h").getAttribute("placeholder"), "1");
    assert.doesNotMatch(page.url(), /[?&]h=/);
    await resting(page);
    assert.equal(await text(page, "#notices"), "");
  }, { query: `${SMALL}&h=1e-4` });
});

webTest("a slice that is opened in training is of one step", async () => {
  const query = `${SMALL}&steps=100000`;
  let caption = "";
  await onPage(async (page) => {
    await page.locator("#start").click();
    await page.locator("#units").scrollIntoViewIfNeeded();
    await until("a moment", 30, async () => /step [1-9]/.test(await text(page, "#moment")));
    await page.locator(".unit canvas").nth(2).click();
    await until("a slice", 30, async () => /copies/.test(await text(page, "#slice-caption")));
    caption = await text(page, "#slice-caption");
  }, { query });
  if (caption === "") return; // no browser
  const [, unit, row, column, weight, slope, h, at, samples] =
    /unit (\d+), row (\d+), column (\d+): weight (\S+), slope (\S+) by nudges of h = (\S+)\. .* of step ([\d,]+), .* over (\d+) samples/
      .exec(caption)!.map((part) => Number(part.replace(/,/g, "")));
  // The same link, trained up to that step, has that weight; and from its weights comes that slope.
  await onPage(async (page) => {
    await trainToEnd(page, at, 120);
    const tensors = await readTensors(await downloaded(page, "#save-h5"), "weights.h5");
    const network = createNetwork({ inputs: 784, hidden: [12], classes: 10 });
    const parameters = parametersIn(tensors, network, "numpy");
    const index = (28 * (row - 1) + column - 1) * 12 + unit - 1;
    // Four digits are shown: half of the last one is 5e-4 of the number at most.
    const near = (what: string, shown: number, exact: number) =>
      assert.ok(Math.abs(shown - exact) <= 5e-4 * Math.abs(exact), `${what}: ${shown}, ${exact}`);
    near("weight", weight, parameters[index]);
    const { train } = drawDigits({ seed: 1 });
    using engine = new CpuEngine(engineOptions(network, train, samples, { h }));
    engine.setParameters(parameters);
    const { gradient } = await engine.gradient(Uint32Array.from({ length: samples }, (_, n) => n));
    near("slope", slope, gradient[index]);
  }, { query: `${SMALL}&steps=${at}` });
});

webTest("changes in quick succession: the last wins, and a start in between holds", async () => {
  await onPage(async (page) => {
    await type(page, "hidden", "30");
    await type(page, "activation", "tanh");
    await page.locator("#start").click();
    await type(page, "hidden", "16");
    await until("it goes", 60, async () => await step(page) > 0);
    assert.match(await text(page, "#adapter"), /784-16-10/);
    assert.equal(await text(page, "#notices"), "");
    for (let i = 0; i < 3; i++) {
      await page.locator("#reset").click();
      await page.locator("#start").click();
      await until("it goes", 60, async () => await step(page) > 0);
    }
    assert.equal(await text(page, "#notices"), "");
  }, { query: SMALL });
});

webTest("a preparation is told of, and can be cancelled", async () => {
  await onPage(async (page) => {
    await page.evaluate(() => {
      const { document } = globalThis as unknown as {
        document: { getElementById(id: string): { click(): void } };
      };
      for (const id of ["reset", "cancel"]) document.getElementById(id).click();
    });
    await resting(page);
    assert.match(await text(page, "#notices"), /Cancelled/);
    assert.equal(await page.locator("#start").getAttribute("aria-disabled"), "true");
    await page.locator("#reset").click();
    await until("a run", 60, async () => /784-12-10/.test(await text(page, "#adapter")));
    await resting(page);
    assert.equal(await text(page, "#notices"), "");
  }, { query: SMALL });
});

webTest("weights of another shape: form, address and Reset follow them", async () => {
  await onPage(async (page) => {
    const tensors = new Map(
      ([["W1", [784, 7]], ["b1", [7]], ["W2", [7, 10]], ["b2", [10]]] as const).map((
        [name, shape],
      ) => [name, {
        shape: [...shape],
        data: new Float64Array(shape.reduce((a: number, b) => a * b, 1)),
      }]),
    );
    await page.locator("#load").setInputFiles({
      name: "seven.safetensors",
      mimeType: "application/octet-stream",
      buffer: Buffer.from(await writeTensors(tensors, "seven.safetensors")),
    });
    await until("them", 30, async () => /784-7-10/.test(await text(page, "#files-status")));
    assert.equal(await page.locator("#setting-hidden").inputValue(), "7");
    assert.match(page.url(), /hidden=7&/);
    await page.locator("#reset").click();
    await resting(page);
    assert.match(await text(page, "#adapter"), /784-7-10/);
  }, { query: SMALL });
});

webTest("at the end of a run more steps go on, by the field and by the buttons", async () => {
  await onPage(async (page) => {
    await trainToEnd(page, 20, 60);
    const losses = () => downloaded(page, "#save-csv").then((csv) => new TextDecoder().decode(csv));
    const before = await losses();
    await type(page, "steps", "30");
    assert.equal(await step(page), 20);
    await trainToEnd(page, 30, 60);
    assert.ok((await losses()).startsWith(before));
    await page.locator("#step").click();
    await until(
      "one more",
      30,
      async () => await fact(page, "#train-facts", "Step") === "31 of 31",
    );
    await resting(page);
    await trainToEnd(page, 62, 60);
    assert.equal(await page.locator("#setting-steps").inputValue(), "62");
    assert.match(page.url(), /steps=62/);
  }, { query: `${SMALL}&steps=20` });
});

webTest("what is too large is refused where it is typed, with what would fit", async () => {
  await onPage(async (page) => {
    await type(page, "hidden", "9999,9999");
    assert.match(
      await text(page, "#complaint-hidden"),
      /Cannot hold 784-9999-9999-10: .*would fit/,
    );
    assert.equal(await page.locator("#bar").getAttribute("data-state"), "resting");
    const fitting = /(\d+)-(\d+)-10 would fit/.exec(await text(page, "#complaint-hidden"))!;
    await type(page, "hidden", `${fitting[1]},${fitting[2]}`);
    assert.equal(await text(page, "#complaint-hidden"), "");
    assert.equal(await page.locator("#setting-hidden").getAttribute("aria-invalid"), "false");
  }, { query: SMALL });
});

webTest("a pause does not wait for the end of a slow step, and nothing is lost by it", async () => {
  await onPage(async (page) => {
    await until(
      "its cost",
      60,
      async () => /a step, about .* here/.test(await text(page, "#cost")),
    );
    await page.locator("#start").click();
    await page.waitForTimeout(1500);
    // A step of whole copies, 3e11 multiply-adds, takes this device minutes.
    await page.locator("#start").click();
    await resting(page, 10);
    assert.equal(await step(page), 0);
    // And everything can be used: another engine learns.
    await type(page, "engine", "differences");
    await resting(page, 120);
    await page.locator("#step").click();
    await until("a step", 120, async () => await step(page) === 1);
  }, { query: "?engine=copies" });
});

webTest("a run that was given up in a pause goes on to the same losses", async () => {
  const query = `${SMALL}&optimizer=adam&steps=100000`, STEPS = 150;
  const lossesOf = async (page: Page) => {
    await trainUntil(page, "many steps", 60, async () => await step(page) >= STEPS);
    const csv = new TextDecoder().decode(await downloaded(page, "#save-csv"));
    return csv.split("\n").slice(0, STEPS + 1);
  };
  let straight: string[] = [], broken: string[] = [];
  await onPage(async (page) => {
    straight = await lossesOf(page);
  }, { query });
  await onPage(async (page) => {
    // The worker does not hear of one pause: as where a device computes one long step.
    await page.evaluate(() => {
      const { Worker } = globalThis as unknown as {
        Worker: { prototype: { postMessage(message: unknown): void } };
      };
      const { postMessage } = Worker.prototype;
      Worker.prototype.postMessage = function (message) {
        if ((message as { call: string }).call !== "pause") return postMessage.call(this, message);
        Worker.prototype.postMessage = postMessage;
      };
    });
    await page.locator("#start").click();
    await until("some steps", 60, async () => await step(page) > 5);
    await page.locator("#start").click();
    await until("a pause", 10, async () => /stands behind/.test(await text(page, "#notices")));
    await resting(page);
    broken = await lossesOf(page);
  }, { query });
  assert.deepEqual(broken, straight);
});

webTest("the focus stays where it was behind every button", async () => {
  await onPage(async (page) => {
    for (const id of ["step", "reset", "check-run", "race-step", "race-stop", "look", "start"]) {
      await page.locator(`#${id}`).focus();
      await page.keyboard.press("Enter");
      await page.waitForTimeout(200);
      assert.equal(await focused(page), id);
    }
  }, { query: SMALL });
});

webTest("pictures are one stop for the keyboard; a cursor that is seen moves in them", async () => {
  await onPage(async (page) => {
    await page.locator(".unit").first().waitFor();
    await page.locator("#look").focus();
    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "unit-0");
    await page.keyboard.press("ArrowRight");
    assert.equal(await focused(page), "unit-1");
    await page.keyboard.press("Enter");
    await until(
      "a slice",
      30,
      async () => /Hidden unit 2/.test(await text(page, "#slice-caption")),
    );
    assert.equal(await focused(page), "canvas");
    const before = await colors(page, ".enlarged");
    await page.keyboard.press("ArrowLeft");
    assert.notDeepEqual(await colors(page, ".enlarged"), before);
    await page.keyboard.press("Enter");
    await until("another", 30, async () => /column 14:/.test(await text(page, "#slice-caption")));
    await page.keyboard.press("Escape");
    assert.equal(await focused(page), "unit-1");
    // Its ring is seen whole: nothing around it cuts it off.
    const [outline, overflow] = await page.locator("#unit-1").evaluate((element) => {
      const { getComputedStyle } = globalThis as unknown as {
        getComputedStyle(element: unknown): { outlineStyle: string; overflow: string };
      };
      const parent = (element as unknown as { parentElement: unknown }).parentElement;
      return [getComputedStyle(element).outlineStyle, getComputedStyle(parent).overflow];
    });
    assert.notEqual(outline, "none");
    assert.equal(overflow, "visible");
    await page.keyboard.press("Tab");
    assert.doesNotMatch(await focused(page), /^unit/);
  }, { query: SMALL });
});

webTest("on a phone a slice opens on screen", async () => {
  await onPage(async (page) => {
    const unit = page.locator(".unit canvas").nth(4);
    await unit.scrollIntoViewIfNeeded();
    await unit.tap();
    await until("a slice", 30, async () => /copies/.test(await text(page, "#slice-caption")));
    const { y, height } = await box(page, "#slice-panel .enlarged");
    assert.ok(y >= 0 && y + height <= 844, `${y} ${height}`);
  }, { query: SMALL, viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
});

webTest("files that are none are refused beside where they were chosen, in words", async () => {
  await onPage(async (page) => {
    await page.locator("#mnist").setInputFiles({
      name: "train-images-idx3-ubyte",
      mimeType: "application/octet-stream",
      buffer: Buffer.alloc(20),
    });
    await until("a word", 30, async () => await text(page, "#data-status") !== "");
    const said = await text(page, "#data-status");
    assert.match(said, /^Cannot use these files: the training labels are missing; give all four/);
    assert.doesNotMatch(said, /[\\*|]|\.\*/);
    assert.equal(await text(page, "#files-status"), "");
  }, { query: SMALL });
});

webTest(
  "nothing stale: values, rates, words, colours and notices go with their cause",
  async () => {
    await onPage(async (page) => {
      await type(page, "lr", "-1");
      assert.equal(await page.locator("#setting-lr").getAttribute("aria-invalid"), "true");
      await type(page, "lr", "0.5");
      assert.equal(await page.locator("#setting-lr").getAttribute("aria-invalid"), "false");
      assert.equal(await text(page, "#complaint-lr"), "");
      await resting(page);

      await trainUntil(page, "some steps", 60, async () => await step(page) > 30);
      assert.notEqual(await fact(page, "#train-facts", "Steps a second"), "–");
      await page.locator("#reset").click();
      await until("a new run", 30, async () => await step(page) === 0);
      assert.equal(await fact(page, "#train-facts", "Steps a second"), "–");
      assert.equal(await fact(page, "#train-facts", "Here"), "0.0 s");
      assert.equal(await text(page, "#bar-state"), "not trained yet");

      await downloaded(page, "#save-h5");
      assert.equal(await text(page, "#files-status"), "Saved weights.h5.");
      await downloaded(page, "#save-csv");
      assert.equal(await text(page, "#files-status"), "Saved losses.csv.");

      const marks = () =>
        page.locator("#train-curve .u-marker").evaluateAll((markers) =>
          markers.map((marker) =>
            (globalThis as unknown as {
              getComputedStyle(element: unknown): { borderTopColor: string };
            }).getComputedStyle(marker).borderTopColor
          )
        );
      const light = await marks();
      assert.ok(light.length >= 3);
      await page.emulateMedia({ colorScheme: "dark" });
      await until("the dark's colours", 10, async () => {
        const dark = await marks(); // they are drawn anew a frame behind the change
        return light.slice(-3).every((color, i) => color !== dark.slice(-3)[i]);
      });
      await page.emulateMedia({ colorScheme: "light" });

      await type(page, "network", "conv 2x5 stride 3, relu");
      await until("a notice", 60, async () => /no window looks/.test(await text(page, "#notices")));
      await type(page, "network", "");
      await until("none", 60, async () => await text(page, "#notices") === "");
    }, { query: SMALL });
  },
);

webTest("dot, nudges and secant stay in the plot, and the curve is smooth", async () => {
  await onPage(async (page) => {
    await page.locator("#figure-h").fill("0"); // h = 1
    await page.locator("#dot").focus();
    await page.keyboard.press("End");
    const plot = await box(page, "#curve");
    const circles = await page.locator("#curve circle").all();
    assert.equal(circles.length, 3);
    for (const circle of circles) {
      const { x, y, width, height } = (await circle.boundingBox())!;
      assert.ok(x >= plot.x && x + width <= plot.x + plot.width, `${x}`);
      assert.ok(y >= plot.y && y + height <= plot.y + plot.height, `${y}`);
    }
    const path = (await page.locator("#curve .loss").getAttribute("d"))!;
    // At least a point every other pixel of the plot at its widest here.
    assert.ok(path.split("L").length >= 300, `${path.split("L").length}`);
    assert.equal(await page.locator("#curve g[clip-path] .secant").count(), 1);
  }, { query: SMALL });
});

webTest("labels do not collide on a phone", async () => {
  await onPage(async (page) => {
    const boxes = await page.locator("#curve .axes text").evaluateAll((labels) =>
      labels.map((label) => {
        const { left, right, top, bottom } = (label as unknown as {
          getBoundingClientRect(): Record<"left" | "right" | "top" | "bottom", number>;
        }).getBoundingClientRect();
        return { left, right, top, bottom };
      })
    );
    assert.ok(boxes.length > 6);
    boxes.forEach((a, i) =>
      boxes.slice(i + 1).forEach((b) => {
        const isApart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top ||
          b.bottom <= a.top;
        assert.ok(isApart, JSON.stringify([a, b]));
      })
    );
  }, { query: SMALL, viewport: { width: 360, height: 780 } });
});

webTest("in the dark, pictures of weights are dark where the weights are 0", async () => {
  await onPage(async (page) => {
    await page.locator(".unit canvas").first().waitFor();
    // The corner of an image is never inked: its weight has no gradient.
    const [, gradient] = await colors(page, "#unit-0 canvas");
    assert.deepEqual(gradient[0], [20, 22, 26]);
  }, { query: SMALL, colorScheme: "dark" });
});

webTest(
  "numbers say whether they are float64 or float32; no arrow contradicts a sign",
  async () => {
    await onPage(async (page) => {
      const heads = await page.locator("#digits-table thead th").allInnerTexts();
      assert.deepEqual(
        heads.slice(1).map((head) => /^float\d\d/.exec(head)?.[0]),
        ["float64", "float32", "float32"],
      );
      const row = async (name: string) =>
        await page.locator("#digits-table tr", { hasText: name }).first().locator("td")
          .allInnerTexts();
      const [truth, subtracted, changes] = (await row("slope")).map(Number);
      // At h = 1e-8 the losses agree in float32, and in float64 they do not.
      const [up, down] = [await row("L(w + h)"), await row("L(w − h)")];
      assert.equal(up[1], down[1]);
      assert.notEqual(up[0], down[0]);
      assert.equal(subtracted, 0);
      // Seven digits of the exact change, and eight decimals of both.
      assert.ok(Math.abs(changes / truth - 1) < 1e-6, `${changes} ${truth}`);
      assert.doesNotMatch(await text(page, "#figure"), /[▲▼]/);
    }, { query: SMALL });
  },
);

closeBehind();
