/** Runs that are shared out, over a real server: the same bits as alone, whatever happens. */

import assert from "node:assert/strict";
import { deadline } from "@std/async/deadline";
import { drawDigits } from "../src/data/digits.ts";
import type { SlicedEngine } from "../src/engine.ts";
import { parseAddress } from "../src/nats/address.ts";
import { configure } from "../src/nats/config.ts";
import { GIGABIT, type StepCosts, stepTime, WIFI, worthwhile } from "../src/nats/forecast.ts";
import { readAnswer, readHello, readJob, readWelcome, type Run } from "../src/nats/messages.ts";
import { Scheduler } from "../src/nats/scheduler.ts";
import { connectTo, type NatsConnection, type Role } from "../src/nats/server.ts";
import { differs } from "../src/nats/trust.ts";
import {
  alone,
  assertSameRun,
  hasNats,
  type Helper,
  Server,
  shared,
  TOKEN,
  trial,
} from "./nats.ts";
import { beginIn, ended, inFolder } from "./support.ts";

/** Worker kills and server restarts in one run; the long campaign has 30 and 5. */
const KILLS = Number(Deno.env.get("KILLS") ?? 5), RESTARTS = Math.ceil(KILLS / 6);

/** What waits for ever fails: ten times what a test takes on a busy machine. */
const MOST_MILLISECONDS = 150_000 * Math.max(1, KILLS / 5);

const has = hasNats();
const natsTest = (name: string, body: () => Promise<void>) =>
  Deno.test({ name, ignore: !has, fn: () => deadline(body(), MOST_MILLISECONDS) });

/** An engine that is another in some of its calls. */
const altered = (engine: SlicedEngine, calls: Partial<SlicedEngine>): SlicedEngine =>
  new Proxy(engine, {
    get(target, name) {
      if (name in calls) return calls[name as keyof SlicedEngine];
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

/** A connection whose answers are others. */
const saying = (change: (data: Uint8Array) => Uint8Array) => (connection: NatsConnection) =>
  new Proxy(connection, {
    get(target, name) {
      if (name === "publish") {
        return (subject: string, data: Uint8Array, ...rest: []) =>
          target.publish(subject, subject.includes("answers") ? change(data) : data, ...rest);
      }
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

/** An answer with another head. */
function withHead(data: Uint8Array, change: (head: { step: number }) => void): Uint8Array {
  const length = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(data.subarray(4, 4 + length)));
  change(head);
  const json = new TextEncoder().encode(JSON.stringify(head));
  const made = new Uint8Array(4 + json.length + data.length - 4 - length);
  new DataView(made.buffer).setUint32(0, json.length, true);
  made.set(json, 4);
  made.set(data.subarray(4 + length), 4 + json.length);
  return made;
}

const NETWORKS = [
  "dense 12, relu",
  "conv 3x5, relu, maxpool 2, dense 6, relu",
  "dense 40, step, dense 9, tanh",
];

natsTest("two workers and a coordinator that computes too make the bits of one alone", async () => {
  await using server = await Server.start();
  for (const network of NETWORKS) {
    const run = trial({ network, steps: 6 });
    const made = await shared(server, run, [{ name: "a" }, { name: "b" }], true);
    assertSameRun(made, await alone(run));
  }
});

natsTest("workers alone do as well, and take part", async () => {
  await using server = await Server.start();
  const run = trial();
  const made = await shared(server, run, [{ name: "a" }, { name: "b" }]);
  assertSameRun(made, await alone(run));
  assert.ok((made.counts.get("a") ?? 0) > 0 && (made.counts.get("b") ?? 0) > 0);
});

natsTest("random directions are shared out, too", async () => {
  await using server = await Server.start();
  const run = trial({ estimator: "spsa" });
  assertSameRun(await shared(server, run, [{ name: "a" }, { name: "b" }]), await alone(run));
});

natsTest(
  "workers that answer wrongly are shut out and named, and the end is the same",
  async () => {
    await using server = await Server.start();
    const run = trial();
    const expected = await alone(run);
    const wrong: Record<string, { helper: Omit<Helper, "name">; reason: RegExp }> = {
      "wrong-weights": {
        helper: {
          engine: (engine) =>
            altered(engine, {
              setParameters: (parameters, state) =>
                engine.setParameters(parameters.map((weight) => 1.01 * weight), state),
            }),
        },
        reason: /wrong|its loss is/,
      },
      "one-in-ten": {
        helper: {
          engine: (engine) =>
            altered(engine, {
              async slice(indices, first, end) {
                const { loss, values } = await engine.slice(indices, first, end);
                return { loss, values: values.map((value, i) => i % 10 ? value : value + 0.01) };
              },
            }),
        },
        reason: /numbers are wrong/,
      },
      "old-step": {
        helper: { connection: saying((data) => withHead(data, (head) => head.step--)) },
        reason: /which it was not asked for|no answer of this run/,
      },
      "too-long": {
        helper: { connection: saying((data) => Uint8Array.of(...data, ...new Uint8Array(8))) },
        reason: /bytes of numbers instead of/,
      },
      "not-a-number": {
        helper: {
          engine: (engine) =>
            altered(engine, {
              async slice(indices, first, end) {
                const { loss, values } = await engine.slice(indices, first, end);
                return { loss, values: values.fill(NaN, 0, 1) };
              },
            }),
        },
        reason: /wrong, the first NaN/,
      },
      "no-answer": {
        helper: { connection: saying(() => Uint8Array.of(1, 2, 3)) },
        reason: /no answer of this run/,
      },
    };
    for (const [name, { helper, reason }] of Object.entries(wrong)) {
      const made = await shared(server, run, [{ name, ...helper }, { name: "right" }]);
      assertSameRun(made, expected);
      const told = made.lines.find((line) => line.includes(name) && line.includes("shut out"));
      assert.ok(told, `${name}: ${made.lines}`);
      assert.match(told, reason);
      assert.ok((made.counts.get("right") ?? 0) > 0);
    }
  },
);

natsTest("a worker that goes wrong later is found by what is evaluated again", async () => {
  await using server = await Server.start();
  const run = trial({ steps: 60 });
  let calls = 0;
  const engine = (engine: SlicedEngine) =>
    altered(engine, {
      async slice(indices, first, end) {
        const { loss, values } = await engine.slice(indices, first, end);
        return { loss, values: calls++ < 5 ? values : values.map((value) => 1.5 * value) };
      },
    });
  // Of some 14 pieces a step one in a hundred is checked, of those that come from it. How many do is a
  // matter of who is how fast: with half of them, that none of a run's is checked has a chance of
  // 0.99^400, a fiftieth; with a tenth, a half, and in 20 runs a millionth.
  const helpers = [{ name: "later", engine }]
    .concat([{ name: "right", engine: (engine) => engine }]);
  const lines: string[] = [];
  const isFound = () => lines.some((line) => /later.*shut out/.test(line));
  for (let round = 0; round < 20 && !isFound(); round++) {
    calls = 0;
    lines.push(...(await shared(server, run, helpers)).lines);
  }
  assert.ok(isFound(), `${lines}`);
});

natsTest("a worker with other data takes no part, and says why", async () => {
  await using server = await Server.start();
  const run = trial({ steps: 4 });
  const data = drawDigits({ seed: 9, train: 60, test: 20 });
  const made = await shared(server, run, [{ name: "other", data }, { name: "right" }]);
  assertSameRun(made, await alone(run));
  assert.ok(
    made.lines.some((line) => /^other: Cannot take part.*data/.test(line)),
    `${made.lines}`,
  );
});

/** A worker of its own process, on the CPU. */
const startWorker = (server: Server, folder: string, name: string, backend = "cpu") =>
  beginIn(
    folder,
    "worker",
    "--nats",
    server.url,
    "--token",
    TOKEN,
    "--name",
    name,
    "--backend",
    backend,
  );

/** Steps that a log has. */
async function stepsIn(path: string): Promise<number[]> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return text.split("\n").filter(Boolean).flatMap((line) => {
    const { step, loss } = JSON.parse(line);
    return loss === undefined ? [] : [step];
  });
}

const RUN = ["--data", "digits", "--hidden", "40", "--activation", "tanh", "--init", "xavier"];
const ON_CPU = [...RUN, "--backend", "cpu", "--batch", "20", "--json"];

/** Ends a process at once, and waits until it is gone. */
async function kill(child: Deno.ChildProcess) {
  try {
    child.kill("SIGKILL");
  } catch { /* it has ended already */ }
  await ended(child);
}

natsTest(
  "workers and server are killed again and again, and the run ends with its bits",
  async () => {
    await using server = await Server.start();
    await inFolder(async (folder) => {
      const steps = 30 + 12 * KILLS, args = ["train", ...ON_CPU, "--steps", `${steps}`];
      const expected = JSON.parse((await ended(await beginIn(folder, ...args))).stdout);
      const log = `${folder}/log.jsonl`;
      const workers = await Promise.all(
        ["a", "b"].map((name) => startWorker(server, folder, name)),
      );
      const names = ["a", "b"];
      const run = await beginIn(
        folder,
        ...args,
        ...["--nats", server.url, "--token", TOKEN, "--no-own", "--log", log],
      );
      let over = false;
      const result = ended(run).finally(() => over = true);
      let kills = 0, restarts = 0;
      // Each at a random moment of a step, but so many steps apart that all find the run at work.
      for (let next = 4; kills < KILLS && !over; next += 12) {
        while (!over && ((await stepsIn(log)).at(-1) ?? 0) < next) {
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        await new Promise((resolve) => setTimeout(resolve, 200 * Math.random()));
        if (kills % 6 === 2 && restarts < RESTARTS) {
          await server.kill();
          await new Promise((resolve) => setTimeout(resolve, 500 * Math.random()));
          await server.start();
          restarts++;
        }
        const one = kills % 2;
        await kill(workers[one]);
        names[one] = `${names[one][0]}${kills}`;
        workers[one] = await startWorker(server, folder, names[one]);
        kills++;
      }
      const { code, stdout, stderr } = await result;
      await Promise.all(workers.map(kill));
      assert.equal(code, 0, stderr);
      assert.equal(kills, KILLS, "the run ended before all were killed");
      assert.equal(restarts, RESTARTS);
      assert.equal(JSON.parse(stdout).weights, expected.weights);
      assert.deepEqual(await stepsIn(log), Array.from({ length: steps }, (_, i) => i + 1));
    });
  },
);

natsTest(
  "the coordinator is killed and goes on from what was saved, with its workers",
  async () => {
    await using server = await Server.start();
    await inFolder(async (folder) => {
      const args = ["train", ...ON_CPU, "--steps", "30"];
      const expected = JSON.parse((await ended(await beginIn(folder, ...args))).stdout);
      const worker = await startWorker(server, folder, "a");
      const nats = ["--nats", server.url, "--token", TOKEN, "--no-own", "--save", "run.h5"];
      const log = `${folder}/log.jsonl`;
      const first = await beginIn(folder, ...args, ...nats, "--save-every", "5", "--log", log);
      while (((await stepsIn(log)).at(-1) ?? 0) < 12) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await kill(first);
      const second = ["train", "--resume", "run.h5", "--steps", "30", "--backend", "cpu", "--json"];
      const { code, stdout, stderr } = await ended(await beginIn(folder, ...second, ...nats));
      await kill(worker);
      assert.equal(code, 0, stderr);
      assert.equal(JSON.parse(stdout).weights, expected.weights);
    });
  },
);

natsTest(
  "GPU: 50 steps of a convolutional network with two workers have the bits of one",
  async () => {
    await using server = await Server.start();
    await inFolder(async (folder) => {
      const network = "conv 6x5, relu, maxpool 2, dense 20, relu";
      const args = ["train", "--data", "digits", "--network", network, "--init", "he"]
        .concat(["--steps", "50", "--batch", "20", "--json"]);
      const expected = JSON.parse((await ended(await beginIn(folder, ...args))).stdout);
      const workers = await Promise.all(
        ["a", "b"].map((name) => startWorker(server, folder, name, "auto")),
      );
      const nats = ["--nats", server.url, "--token", TOKEN, "--no-own"];
      const { code, stdout, stderr } = await ended(await beginIn(folder, ...args, ...nats));
      for (const worker of workers) worker.kill("SIGTERM");
      const ends = await Promise.all(workers.map(ended));
      assert.equal(code, 0, stderr);
      assert.equal(JSON.parse(stdout).weights, expected.weights);
      assert.deepEqual(ends.map(({ code }) => code), [143, 143], "workers end in good order");
      assert.match(ends[0].stdout, /Ready for run/);
    });
  },
);

natsTest("without a server the commands say what one needs, and end with 2", async () => {
  await inFolder(async (folder) => {
    for (const command of [["worker"], ["train", ...ON_CPU]]) {
      const { code, stderr } = await ended(
        await beginIn(folder, ...command, "--nats", "ws://127.0.0.1:9"),
      );
      assert.equal(code, 2, stderr);
      assert.match(stderr, /websocket \{ listen: "127\.0\.0\.1:8081"/);
      assert.match(stderr, /Cannot reach ws:\/\/127\.0\.0\.1:9/);
    }
    const { code, stderr } = await ended(await beginIn(folder, "worker"));
    assert.equal(code, 2);
    assert.match(stderr, /give --nats/);
  });
});

natsTest("each role may do its part and nothing else, by token or nkey", async () => {
  const run = trial({ steps: 4 }), expected = await alone(run);
  for (const workers of [[], ["one"]]) {
    const secrets = new Map<string, string>();
    await using server = await Server.start((port) => {
      const made = configure({ host: "127.0.0.1", port, workers });
      for (const { who, secret } of made.secrets) secrets.set(who.split(/[ ,]/)[0], secret);
      return made.text;
    });
    const { url } = server;
    const connect = (role: Role) => {
      const secret = secrets.get(role), isSeed = role === "worker" && workers.length > 0;
      return connectTo({ url, role, ...isSeed ? { nkey: secret } : { token: secret } });
    };
    await assert.rejects(connectTo({ url, role: "coordinator", token: "no" }), /does not let/);
    await assert.rejects(
      connectTo({ url, role: "coordinator", token: secrets.get("worker") }),
      /does not let/,
    );
    await assert.rejects(connectTo({ url, role: "worker" }), /does not let/);
    // A whole run goes by these rights.
    server.connect = connect;
    assertSameRun(await shared(server, run, [{ name: "one" }]), expected);
    const worker = await connect("worker"), refused: string[] = [];
    const watching = (async () => {
      for await (const status of worker.status()) {
        if (status.type === "error") refused.push(status.error.message);
      }
    })();
    const foreign = ["gradients.jobs.one", "$KV.gradients-weights.a", "$JS.API.STREAM.DELETE.x"]
      .concat(workers.length > 0 ? ["gradients.answers.two"] : []);
    for (const subject of foreign) worker.publish(subject, "x");
    for (let wait = 0; wait < 100 && refused.length < foreign.length; wait++) {
      await worker.flush();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await worker.close();
    await watching;
    assert.equal(refused.length, foreign.length, `${refused}`);
  }
});

Deno.test("messages that are none are undefined, whatever they hold", () => {
  const run = { id: "run", batch: 2, bytes: 4 } as Run;
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const job = { run: "run", step: 1, task: 0, attempt: 0, first: 0, end: 2, parts: 1 };
  const weights = "0".repeat(64);
  assert.ok(readJob(bytes({ ...job, weights, indices: [0, 9] }), run, 10));
  for (
    const other of [
      { weights: "../../etc", indices: [0, 1] },
      { weights, indices: [0, 10] },
      { weights, indices: [0] },
      { weights, indices: [0, 1.5] },
      { weights, indices: [0, 1], end: -1 },
      { weights, indices: [0, 1], run: "other" },
      { weights, indices: [0, 1], parts: 1e9 },
    ]
  ) assert.equal(readJob(bytes({ ...job, ...other }), run, 10), undefined);
  const hello = { worker: "a", adapter: "CPU", idle: true };
  assert.ok(readHello(bytes(hello)));
  assert.equal(readHello(bytes({ ...hello, adapter: "\x1b[2J" }))?.adapter, "?[2J");
  for (const worker of ["", "a.b", "*", ">", "a".repeat(65), 7]) {
    assert.equal(readHello(bytes({ ...hello, worker })), undefined);
  }
  const random = new Uint8Array(300);
  for (let i = 0; i < 2000; i++) {
    crypto.getRandomValues(random);
    const data = random.subarray(0, i % 300);
    assert.equal(readHello(data), undefined);
    assert.equal(readWelcome(data), undefined);
    assert.throws(() => readAnswer(data, run, () => 1));
  }
  assert.equal(
    readWelcome(bytes({ accepted: true, run: { version: 1, network: "x" } })),
    undefined,
  );
});

Deno.test("addresses of a server", () => {
  assert.deepEqual(parseAddress("ws://host:1"), { url: "ws://host:1", token: undefined });
  assert.deepEqual(parseAddress("host:1"), { url: "ws://host:1", token: undefined });
  assert.deepEqual(parseAddress("wss://t@host"), { url: "wss://host", token: "t" });
  assert.deepEqual(parseAddress("wss://worker:t@host/"), { url: "wss://host", token: "t" });
  for (const bad of ["nats://host", "http://host", "ws://", ""]) {
    assert.throws(() => parseAddress(bad), /^TypeError: Cannot reach/);
  }
});

Deno.test("what is wrong is told from what a kink moved", () => {
  const right = Float64Array.from({ length: 200 }, (_, i) => Math.sin(i));
  assert.equal(differs(right.map((value) => value * (1 + 1e-6)), right), undefined);
  assert.equal(differs(right.with(7, 3), right), undefined); // one of two hundred
  assert.match(
    differs(right.map((value, i) => i % 10 ? value : value + 0.01), right)!,
    /^20 of 200/,
  );
  assert.match(differs(right.with(7, NaN).with(8, 5).with(9, 5), right)!, /the first NaN/);
  assert.equal(differs(right.fill(NaN), right.slice()), undefined); // both: the run diverges
});

/** A step of 300 ms by three layers. */
function costs(scale = 1): StepCosts {
  const pieces = Float64Array.from({ length: 100 }, (_, i) => scale * (i < 30 ? 4 : 2));
  const sizes = new Uint32Array(100).fill(4000);
  const alone = 280 * scale + 40;
  const rest = { alone, start: 30, handing: 14, update: 20, bytes: 4 as const, weights: 1.6e6 };
  return { pieces, sizes, starts: [0, 30, 98], ...rest };
}

Deno.test("rules: more machines are faster, a slow one costs little, a short step gains nothing", () => {
  const time = (speeds: number[], scale = 1) => stepTime(costs(scale), speeds, GIGABIT, false);
  const large = 20;
  assert.ok(time([1], large) / time([1, 1], large) > 1.9);
  assert.ok(time([1], large) / time(new Array(8).fill(1), large) > 6);
  // One ten times slower than the rest, from the first step on that it is known in.
  for (const scale of [1, 5, large]) {
    const without = time([1, 1, 1], scale), beside = time([1, 1, 1, 0.1], scale);
    assert.ok(beside <= 1.5 * without, `${beside} instead of ${without}`);
  }
  const short = { ...costs(0.01), alone: 4, start: 1, update: 1 };
  assert.ok(stepTime(short, [1], WIFI) > short.alone);
  const needed = worthwhile(short, WIFI);
  assert.ok(needed > 100 && needed < Infinity, `${needed}`);
});

Deno.test("rules: every piece is given out once, and again where its worker is lost", () => {
  const all = costs(), scheduler = new Scheduler(all, 20_000);
  for (const name of ["a", "b", "c"]) scheduler.join(name, 0);
  let now = 0;
  for (let step = 0; step < 20; step++) {
    scheduler.begin(now);
    const done = new Set<number>(), held: { worker: string; task: number }[] = [];
    for (let turn = 0; !scheduler.isDone; turn++) {
      assert.ok(turn < 10_000, "it does not end");
      for (const { worker, task, first, end } of scheduler.next(now)) {
        assert.ok(end > first && 4000 * (end - first) <= 20_000);
        held.push({ worker, task });
      }
      now += 5;
      if (turn === 3) scheduler.leave("c"); // with all that it has
      if (turn === 40) scheduler.join("c", now);
      const at = held.findIndex(({ worker }) => worker !== "c" && (worker !== "b" || step % 3));
      if (at >= 0) {
        const [{ worker, task }] = held.splice(at, 1);
        if (!scheduler.answered(worker, task, now)) continue;
        const { first, end } = scheduler.rangeOf(task);
        for (let piece = first; piece < end; piece++) {
          assert.ok(!done.has(piece), `piece ${piece} twice`);
          done.add(piece);
        }
      } else now = Math.max(now, Math.min(now + 1000, scheduler.alarm));
    }
    assert.equal(done.size, 100);
    assert.deepEqual(scheduler.expel("b").length > 0, step % 3 > 0);
    scheduler.join("b", now);
    while (!scheduler.isDone) {
      for (const { worker, task } of scheduler.next(now)) {
        scheduler.answered(worker, task, now += 9);
      }
    }
  }
});
