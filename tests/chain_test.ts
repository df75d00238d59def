/**
 * Commands as users start them, through npx, its shell and `deno task`: whatever ends one of these
 * ends the command, with its run saved where a process still can, and what leaves it alone on purpose
 * does not.
 */

import assert from "node:assert/strict";
import { claim, releaseClaims } from "../src/cli/files.ts";
import { readTensors } from "../src/data/tensors.ts";
import { inFolder, ROOT } from "./support.ts";

const NPX = ["npx", "-y", `deno@${Deno.version.deno}`, "task", "--quiet"];
const ENDLESS = [
  ...["train", "--data", "digits", "--hidden", "2", "--batch", "5", "--backend", "cpu"],
  ...["--steps", "1000000", "--eval-every", "1000000"],
];

/** Whether npx can start this Deno; where it cannot, a loud skip. */
const hasNpx = (() => {
  try {
    const [npx, ...args] = NPX;
    const { success } = new Deno.Command(npx, {
      args: [...args.slice(0, 2), "--version"],
      cwd: ROOT,
    }).outputSync();
    if (success) return true;
  } catch { /* said below */ }
  console.log("SKIPPED: npx cannot start Deno; install Node to run these tests");
  return false;
})() && Deno.build.os === "linux"; // where processes can be looked up

const delay = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits for something, for a minute at most. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + 60_000;
  while (!holds()) {
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
    await delay(20);
  }
}

const read = (path: string) => {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
};

/** The only child of a process. */
const childOf = (pid: number) => Number(read(`/proc/${pid}/task/${pid}/children`).split(" ")[0]);

/** Whether a process lives, and is not just waiting for someone to take note of its end. */
const lives = (pid: number) => /^State:\t[^Z]/m.test(read(`/proc/${pid}/status`));

const groupOf = (pid: number) =>
  Number(read(`/proc/${pid}/stat`).replace(/^.*\) . \d+ /, "").split(" ")[0]);

/** The processes of a command, from npx to the one that computes. */
type Chain = Record<"npx" | "shell" | "task" | "run", number>;

/** Begins to train in a group of its own, and waits until it does. */
async function begin(folder: string, name: string) {
  const [save, log] = ["h5", "jsonl"].map((ending) => `${folder}/${name}.${ending}`);
  const [program, ...args] = NPX;
  const child = new Deno.Command(program, {
    args: [...args, ...ENDLESS, "--save", save, "--log", log],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    detached: true,
  }).spawn();
  const output = child.output();
  await until(`${log} grows`, () => read(log).length > 0);
  const npx = child.pid, shell = childOf(npx), task = childOf(shell), run = childOf(task);
  const chain: Chain = { npx, shell, task, run };
  assert.ok(Object.values(chain).every((pid) => pid > 0), JSON.stringify(chain));
  return { chain, output, save, log };
}

/** What is ended, by which signal, and whether the process that computes can save. */
const ENDS: [signal: Deno.Signal, who: keyof Chain | "group", saves: boolean][] = [
  ["SIGTERM", "npx", true],
  ["SIGTERM", "task", true],
  ["SIGTERM", "group", true],
  ["SIGHUP", "shell", true],
  ["SIGHUP", "group", true],
  ["SIGINT", "task", true],
  ["SIGINT", "group", true],
  ["SIGKILL", "npx", true],
  ["SIGKILL", "shell", true],
  ["SIGKILL", "task", true],
  ["SIGKILL", "run", false],
  ["SIGKILL", "group", false],
];

const CODES: Record<string, number> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143, SIGKILL: 137 };

/** Ends one of the processes, and sees what is left. */
async function endOne(folder: string, [signal, who, saves]: typeof ENDS[number]): Promise<void> {
  const what = `${signal} to ${who}`;
  const { chain, output, save } = await begin(folder, `${signal}-${who}`);
  const processes = Object.values(chain);
  try {
    Deno.kill(who === "group" ? -groupOf(chain.npx) : chain[who], signal);
    await until(`${what} ends all`, () => !processes.some(lives));
  } finally {
    processes.filter(lives).forEach((pid) => Deno.kill(pid, "SIGKILL"));
  }
  const { code } = await output;
  assert.equal(code, CODES[signal], what);
  if (saves) assert.ok(await stepsIn(save) > 0, what);
  else assert.equal(read(save), "", what);
  await claim(save); // nobody holds it any more
  releaseClaims();
}

const stepsIn = async (file: string) =>
  (await readTensors(await Deno.readFile(file), file)).get("losslist")!.data.length;

Deno.test({
  name: "a signal to any process of the chain, or to all: nothing trains on, and the run is saved",
  ignore: !hasNpx,
  async fn() {
    await inFolder(async (folder) => {
      for (let at = 0; at < ENDS.length; at += 4) {
        await Promise.all(ENDS.slice(at, at + 4).map((end) => endOne(folder, end)));
      }
    });
  },
});

Deno.test({
  name: "a shell that ends and leaves a run behind, with nohup or setsid: it goes on",
  ignore: !hasNpx,
  async fn() {
    await inFolder(async (folder) => {
      const words = (name: string) =>
        [...NPX, ...ENDLESS, "--save", `${folder}/${name}.h5`, "--log", `${folder}/${name}.jsonl`]
          .map((word) => `'${word}'`).join(" ");
      const quiet = "</dev/null >/dev/null 2>&1";
      const { success } = await new Deno.Command("sh", {
        args: ["-c", `nohup ${words("a")} ${quiet} & setsid ${words("b")} ${quiet} &`],
        cwd: ROOT,
      }).output();
      assert.ok(success);
      const logs = ["a", "b"].map((name) => `${folder}/${name}.jsonl`);
      const runs = () =>
        [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
          const line = pid > 0 ? read(`/proc/${pid}/cmdline`) : "";
          return line.includes(folder) && line.includes("launch.ts");
        });
      try {
        for (const log of logs) await until(`${log} grows`, () => read(log).length > 0);
        await delay(3000); // some looks at the chain
        for (const log of logs) {
          const before = read(log).length;
          await until(`${log} grows on`, () => read(log).length > before);
        }
        assert.equal(runs().length, 2);
      } finally {
        runs().forEach((pid) => Deno.kill(pid, "SIGTERM"));
        await until("both have ended", () => runs().length === 0);
      }
      for (const name of ["a", "b"]) assert.ok(await stepsIn(`${folder}/${name}.h5`) > 0);
    });
  },
});

const hasScript = (() => {
  try {
    return new Deno.Command("script", { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    console.log("SKIPPED: no script(1), which opens a terminal");
    return false;
  }
})();

/** Begins to train on a terminal, with the progress bar that belongs to one. */
async function onTerminal(folder: string, name: string) {
  const [save, log] = ["h5", "jsonl"].map((ending) => `${folder}/${name}.${ending}`);
  const command = [...NPX, ...ENDLESS, "--save", save, "--log", log].join(" ");
  const terminal = new Deno.Command("script", {
    args: ["--quiet", "--return", "--flush", "--command", command, "/dev/null"],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = new Response(terminal.stdout).text().catch(() => "");
  const writer = terminal.stdin.getWriter();
  await until(`${log} grows`, () => read(log).length > 0);
  await delay(500); // the bar moves
  const held = () =>
    [...Deno.readDirSync("/proc")].some(({ name }) =>
      Number(name) > 0 && read(`/proc/${name}/cmdline`).includes(save)
    );
  return {
    terminal,
    output,
    type: (text: string) => writer.write(new TextEncoder().encode(text)),
    save,
    held,
  };
}

Deno.test({
  name: "a terminal: Ctrl-C saves, and so does one that is closed",
  ignore: !hasNpx || !hasScript,
  async fn() {
    await inFolder(async (folder) => {
      const once = await onTerminal(folder, "once");
      await once.type("\x03");
      await until("Ctrl-C ends it", () => !once.held());
      assert.equal((await once.terminal.status).code, 130);
      const shown = await once.output;
      assert.match(shown, /step \d+\/1000000, loss/);
      assert.match(shown, /Interrupted at step \d+ of 1000000; go on with --resume/);
      assert.ok(await stepsIn(once.save) > 0);

      const closed = await onTerminal(folder, "closed");
      closed.terminal.kill("SIGKILL");
      await closed.output;
      await until("a closed terminal ends it", () => !closed.held());
      assert.ok(await stepsIn(closed.save) > 0);
    });
  },
});
