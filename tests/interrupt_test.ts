/** Runs that are interrupted, killed, or cannot be saved: nothing that was saved is lost. */

import assert from "node:assert/strict";
import { withDefaults } from "../src/cli/options.ts";
import { runTrain } from "../src/cli/train.ts";
import { releaseClaims } from "../src/cli/files.ts";
import { readTensors } from "../src/data/tensors.ts";
import { createNetwork } from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { Gpu } from "../src/gpu/device.ts";
import { train } from "../src/method/training.ts";
import {
  begin,
  cli,
  engineOptions,
  freshParameters,
  gpuTest,
  inFolder,
  randomSamples,
} from "./support.ts";

const STEPS = 600;
const RUN = [
  ...["--data", "digits", "--hidden", "8", "--batch", "10", "--steps", `${STEPS}`],
  ...["--optimizer", "adam", "--lr", "0.01", "--eval-every", "250"],
];

/** Everything of a saved run that its going on depends on. */
async function runIn(file: string) {
  const tensors = await readTensors(await Deno.readFile(file), file);
  const all = ["first", "second", "random", "step"].map((name) => `checkpoint/${name}`);
  all.push("W1", "b1", "W2", "b2", "losslist");
  return Object.fromEntries(all.map((name) => [name, tensors.get(name)?.data]));
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
      // As a terminal and `deno task` send it: more than once.
      child.kill(signal);
      await new Promise((resolve) => setTimeout(resolve, 20));
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

Deno.test("an engine in this thread leaves timers and signals their turn", async () => {
  const network = createNetwork({ inputs: 3, hidden: [2], classes: 2 });
  const samples = randomSamples(10, network);
  using engine = new CpuEngine(engineOptions(network, samples, 5));
  engine.setParameters(freshParameters(network));
  const data = { name: "test", inputs: 3, classes: 2, train: samples, test: samples };
  const stop = new AbortController();
  setTimeout(() => stop.abort());
  const run = { steps: 100_000, batch: 5, learningRate: 0.1, evalEvery: 100_000 };
  let steps = 0;
  const events = train(engine, data, new Xoshiro(1), {
    ...run,
    schedule: "constant",
    signal: stop.signal,
  });
  for await (const event of events) if (event.kind === "steps") steps += event.losses.length;
  assert.ok(steps < run.steps);
});

/** Times that a run is killed; more are for a campaign by hand. */
const KILLS = Number(Deno.env.get("KILLS") ?? 6);

Deno.test(`killed ${KILLS} times: what was saved is whole, and leads to the same end`, async () => {
  await inFolder(async (folder) => {
    const whole = `${folder}/whole.h5`, part = `${folder}/part.h5`, log = `${folder}/log.jsonl`;
    assert.equal((await cli("train", ...RUN, "--save", whole, "--save-every", "50")).code, 0);
    const expected = await runIn(whole);
    const args = async () => ["train", ...await exists(part) ? ["--resume", part] : RUN];
    let ends = 0, saved = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const outputs = ["--save", part, "--save-every", "20", "--log", log];
      await Deno.writeTextFile(log, ""); // which a run that is gone on with appends to
      const child = await begin(...await args(), ...outputs);
      const ended = child.output();
      const moment = async () => {
        await lines(log, 1 + 150 * Math.random());
        await new Promise((resolve) => setTimeout(resolve, 50 * Math.random()));
      };
      await Promise.race([ended, moment()]);
      try {
        child.kill("SIGKILL");
      } catch { /* it had ended */ }
      assert.ok([0, 137].includes((await ended).code));
      if (!await exists(part)) continue;
      saved++;
      const { losslist } = await runIn(part);
      assert.deepEqual(losslist, expected.losslist!.subarray(0, losslist!.length));
      if (losslist!.length < STEPS) continue;
      assert.deepEqual(await runIn(part), expected);
      ends++;
      await Deno.remove(part); // the next is a run anew
    }
    assert.equal((await cli(...await args(), "--save", part)).code, 0);
    assert.deepEqual(await runIn(part), expected);
    assert.ok(saved > 0, "every kill came before anything was saved");
    console.log(`${KILLS} kills: ${saved} left a saved run, ${ends + 1} runs came to their end`);
  });
});

/** What a function prints on standard error. */
async function printed(body: () => Promise<unknown>): Promise<string> {
  const { error, log } = console, lines: string[] = [];
  console.error = console.log = (line: string) => lines.push(line);
  try {
    await body();
  } finally {
    Object.assign(console, { error, log });
  }
  return lines.join("\n");
}

gpuTest("a device lost for good: the run is saved where it can be gone on with", async () => {
  await inFolder(async (folder) => {
    const whole = `${folder}/whole.h5`, part = `${folder}/part.h5`, log = `${folder}/log.jsonl`;
    assert.equal((await cli("train", ...RUN, "--save", whole)).code, 0);
    const options = withDefaults({
      ...{ data: "digits", hidden: [8], batch: 10, steps: STEPS, optimizer: "adam", lr: 0.01 },
      ...{ evalEvery: 250, save: part, log },
    });
    let code: number | undefined;
    const said = await printed(async () => {
      const run = runTrain(options, () => true);
      await lines(log, 100);
      const losing = setInterval(() => Gpu.live.forEach((gpu) => gpu.device.destroy()), 1);
      code = await run.finally(() => clearInterval(losing));
    });
    releaseClaims(); // the run was one of this process, which goes on
    assert.equal(code, 1, said);
    const [, step] = /lost .*twice in a row\); the run stands at step (\d+) of 600; go on/.exec(
      said,
    )!;
    const saved = await runIn(part);
    assert.deepEqual([saved["checkpoint/step"]![0], saved.losslist!.length], [+step, +step]);
    const seen = (await Deno.readTextFile(log)).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(
      seen.filter(({ loss }) => loss !== undefined).map(({ step }) => step),
      Array.from({ length: seen.filter(({ loss }) => loss !== undefined).length }, (_, i) => i + 1),
    );
    assert.equal((await cli("train", "--resume", part, "--save", part)).code, 0);
    assert.deepEqual(await runIn(part), await runIn(whole));
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
