/** Runs that are interrupted, killed, or cannot be saved: nothing that was saved is lost. */

import assert from "node:assert/strict";
import { readTensors } from "../src/data/tensors.ts";
import { begin, cli, inFolder } from "./support.ts";

const STEPS = 600;
const RUN = [
  ...["--data", "digits", "--hidden", "8", "--batch", "10", "--steps", `${STEPS}`],
  ...["--optimizer", "adam", "--lr", "0.01", "--eval-every", "250"],
];

/** Everything of a saved run that its going on depends on. */
async function runIn(file: string) {
  const tensors = await readTensors(await Deno.readFile(file), file);
  const all = ["W1", "b1", "W2", "b2", "losslist", "checkpoint/first", "checkpoint/random"];
  return Object.fromEntries(all.map((name) => [name, tensors.get(name)?.data]));
}

/** Kills what a launcher has started; the launcher ends with it. */
async function killStarted(launcher: number): Promise<void> {
  const path = `/proc/${launcher}/task/${launcher}/children`;
  for (const pid of (await Deno.readTextFile(path).catch(() => "")).split(" ")) {
    try {
      if (pid) Deno.kill(Number(pid), "SIGKILL");
    } catch { /* it had ended */ }
  }
}

const exists = (file: string) => Deno.stat(file).then(() => true, () => false);

/** Waits until a file holds so many lines. */
async function lines(file: string, count: number): Promise<void> {
  const end = Date.now() + 60_000;
  for (;;) {
    const text = await Deno.readTextFile(file).catch(() => "");
    if (text.split("\n").length > count) return;
    assert.ok(Date.now() < end, `${file} does not grow`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("Ctrl-C and SIGTERM: the run is saved, and goes on as if nothing had been", async () => {
  await inFolder(async (folder) => {
    const whole = `${folder}/whole.h5`, part = `${folder}/part.h5`, log = `${folder}/log.jsonl`;
    assert.equal((await cli("train", ...RUN, "--save", whole)).code, 0);
    for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
      await Deno.remove(log).catch(() => {});
      const child = await begin("train", ...RUN, "--save", part, "--log", log);
      await lines(log, 20);
      child.kill(signal);
      const { code: ended, stdout } = await child.output();
      assert.equal(ended, code);
      assert.match(new TextDecoder().decode(stdout), /Interrupted at step \d+ of 600; go on with/);
      const { losslist } = await runIn(part);
      assert.ok(losslist!.length >= 20 && losslist!.length < STEPS, `${losslist!.length}`);
      assert.equal((await cli("train", "--resume", part, "--save", part)).code, 0);
      assert.deepEqual(await runIn(part), await runIn(whole));
    }
  });
});

Deno.test("killed at any moment: what was saved is whole, and leads to the same end", async () => {
  await inFolder(async (folder) => {
    const whole = `${folder}/whole.h5`, part = `${folder}/part.h5`;
    assert.equal((await cli("train", ...RUN, "--save", whole, "--save-every", "50")).code, 0);
    const expected = await runIn(whole);
    for (let kill = 0; kill < 6; kill++) {
      const resume = await exists(part) ? ["--resume", part] : RUN;
      const child = await begin("train", ...resume, "--save", part, "--save-every", "20");
      const ended = child.output();
      await Promise.race([
        ended,
        new Promise((resolve) => setTimeout(resolve, 500 + 700 * Math.random())),
      ]);
      await killStarted(child.pid);
      assert.ok([0, 137].includes((await ended).code));
      if (!await exists(part)) continue;
      const { losslist } = await runIn(part);
      assert.deepEqual(losslist, expected.losslist!.subarray(0, losslist!.length));
      if (losslist!.length === STEPS) break;
    }
    const done = await exists(part) && (await runIn(part)).losslist!.length === STEPS;
    const last = await exists(part) ? ["--resume", part] : RUN;
    if (!done) assert.equal((await cli("train", ...last, "--save", part)).code, 0);
    assert.deepEqual(await runIn(part), expected);
  });
});

Deno.test("a run that cannot be saved is saved elsewhere, and says where", async () => {
  await inFolder(async (folder) => {
    const place = `${folder}/gone`, log = `${folder}/log.jsonl`;
    await Deno.mkdir(place);
    const child = await begin("train", ...[
      ...RUN,
      "--save",
      `${place}/run.h5`,
      "--save-every",
      "100",
      "--log",
      log,
    ]);
    await lines(log, 10);
    await Deno.remove(place, { recursive: true });
    const { code, stderr } = await child.output();
    assert.equal(code, 1);
    const said = new TextDecoder().decode(stderr);
    assert.match(said, /training goes on, and saves again later/);
    const [, rescue] = /saved as (\S+\.h5) instead/.exec(said)!;
    assert.equal((await runIn(rescue)).losslist!.length, STEPS);
    await Deno.remove(rescue);
  });
});
