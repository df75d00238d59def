/** What a command may touch: the paths that its arguments name, and nothing else. */

import assert from "node:assert/strict";
import { createCommands } from "../src/cli/commands.ts";
import { permissionsOf } from "../src/cli/launch.ts";
import { PlaceOption } from "../src/cli/options.ts";
import { browserProfile, recoveryOf } from "../src/cli/places.ts";
import { begin, beginIn, cli, ended, inFolder, ROOT, writeDigits } from "./support.ts";

const SMALL = ["--hidden", "3", "--batch", "5", "--steps", "3"];

/** Tries what its arguments say, and prints how each attempt ended. */
const PROBE = `
const attempts = {
  read: (path) => Deno.readFile(path),
  list: (path) => Array.fromAsync(Deno.readDir(path)),
  write: (path) => Deno.writeFile(path, new Uint8Array(1)),
  remove: (path) => Deno.remove(path),
  rename: (path) => Deno.rename(path, path + ".gone"),
  link: (path) => Deno.symlink("/etc/passwd", path),
  temporary: () => Deno.makeTempFile(),
  fetch: async (url) => (await fetch(url)).body.cancel(),
  connect: async (port) => (await Deno.connect({ port: Number(port) })).close(),
  import: (specifier) => import(specifier),
  run: (command) => new Deno.Command(command).output(),
  env: (name) => Deno.env.get(name),
  ffi: (path) => Deno.dlopen(path, {}),
  sys: () => Deno.hostname(),
};
const ends = [];
for (const [what, value] of JSON.parse(Deno.args[1])) {
  try {
    await attempts[what](value);
    ends.push("done");
  } catch (error) {
    ends.push(error.name === "NotCapable" || /--allow-|no-remote/.test(error.message) ? "denied" : error.name);
  }
}
console.log(JSON.stringify(ends));
postMessage("");
`;

/** Starts the attempts in a thread, as the launcher starts a command. */
const STARTER = `
const [permissions] = Deno.args;
const deno = { permissions: JSON.parse(permissions) };
const thread = new Worker(new URL("./probe.js", import.meta.url), { type: "module", deno });
thread.onmessage = () => thread.terminate();
`;

type Attempt = [what: string, value?: string];

/** How attempts end with the permissions that the launcher gives to a command. */
async function attempt(args: string[], cwd: string, attempts: Attempt[]): Promise<string[]> {
  const here = Deno.cwd();
  Deno.chdir(cwd); // as the launcher does
  const permissions = await permissionsOf(args).finally(() => Deno.chdir(here));
  const scripts = await Deno.makeTempDir();
  await Deno.writeTextFile(`${scripts}/probe.js`, PROBE);
  await Deno.writeTextFile(`${scripts}/starter.js`, STARTER);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--allow-all", "--config", `${ROOT}/deno.json`],
      ...[`${scripts}/starter.js`, JSON.stringify(permissions), JSON.stringify(attempts)],
    ],
    cwd,
  }).output();
  await Deno.remove(scripts, { recursive: true });
  const text = new TextDecoder().decode(stdout);
  assert.ok(text, new TextDecoder().decode(stderr));
  return JSON.parse(text);
}

/** Runs a command for a user who stands in some folder. */
const from = async (folder: string, ...args: string[]) =>
  await ended(await beginIn(folder, ...args));

Deno.test("train may touch the paths that it was given, and nothing else", async () => {
  await inFolder(async (folder) => {
    await writeDigits(`${folder}/small data`);
    await Deno.writeTextFile(`${folder}/other`, "");
    const own = ["small data/train-images-idx3-ubyte", "a run.h5", "log.jsonl", "fig.svg"];
    const args = ["train", "--data", "small data", `--save=${own[1]}`, "--log", own[2]];
    args.push("--plot", own[3], "--resume", own[1], ...SMALL);
    await Deno.writeTextFile(`${folder}/${own[1]}`, "");
    const server = Deno.serve({ port: 0, onListen() {} }, () => new Response(""));
    const { port } = server.addr as Deno.NetAddr;
    const denied: Attempt[] = [
      ["read", "other"],
      ["read", `${folder}/other`],
      ["read", "small data/other"],
      ["read", "/etc/passwd"],
      ["read", `${ROOT}/deno.json`],
      ["list", "."],
      ["list", "small data"],
      ["write", "other"],
      ["write", "new"],
      ["write", `${folder}/small data/train-images-idx3-ubyte`],
      ["write", "a"],
      ["write", "a run.h5.more"],
      ["write", "log.jsonl/../other"],
      ["remove", "other"],
      ["rename", "log.jsonl"],
      ["link", "new"],
      ["temporary"],
      ["fetch", `http://127.0.0.1:${port}/`],
      ["fetch", "https://example.com/"],
      ["connect", `${port}`],
      ["import", "https://deno.land/std/version.ts"],
      ["import", `${ROOT}/tests/support.ts`],
      ["run", "true"],
      ["run", Deno.execPath()],
      ["env", "PATH"],
      ["ffi", "libc.so.6"],
      ["sys"],
    ];
    const ends = await attempt(args, folder, denied);
    denied.forEach((what, i) => assert.equal(ends[i], "denied", `${what} ended as ${ends[i]}`));
    const allowed: Attempt[] = [
      ["read", own[0]],
      ["read", `${folder}/${own[0]}`],
      ["write", own[1]],
      ["write", `${own[1]}.part`],
      ["write", `${folder}/${own[2]}`],
      ["write", own[3]],
      ["write", recoveryOf(own[1])],
      ["remove", recoveryOf(own[1])],
      ["env", "MNIST_DIR"],
    ];
    assert.deepEqual(await attempt(args, folder, allowed), allowed.map(() => "done"));
    // The reach of the attempts themselves: what is denied above can be done without the flags.
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
    await server.shutdown();
  });
});

Deno.test("each command is given what its own arguments name", async () => {
  await inFolder(async (folder) => {
    for (const name of ["w.h5", "in.h5", "a.jsonl", "b.jsonl", "c.svg"]) {
      await Deno.writeTextFile(`${folder}/${name}`, "");
    }
    const cases: [args: string[], allowed: Attempt[], denied: Attempt[]][] = [
      [["evaluate", "--weights", "w.h5", "--data", "digits"], [["read", "w.h5"]], [
        ["write", "w.h5"],
        ["read", "in.h5"],
        ["fetch", "https://storage.googleapis.com/"],
      ]],
      [
        ["gradient", "--input", "in.h5", "--out", "c.svg"],
        [["read", "in.h5"], ["write", "c.svg"]],
        [
          ["write", "in.h5"],
          ["read", "w.h5"],
        ],
      ],
      [["gradcheck", "--weights=w.h5", "--data", "."], [["read", "w.h5"]], [
        ["write", "w.h5"],
        ["read", "in.h5"],
        ["list", "."],
      ]],
      [["plot", "a.jsonl", "b.jsonl", "--out", "c.svg"], [
        ["read", "a.jsonl"],
        ["read", "b.jsonl"],
        ["write", "c.svg"],
      ], [["write", "a.jsonl"], ["read", "w.h5"]]],
      [["example"], [], [["read", "w.h5"], ["write", "w.h5"]]],
      [["bench", "a.jsonl", "--data=digits", "--plot", "c.svg"], [["write", "c.svg"]], [
        ["read", "a.jsonl"],
        ["run", "true"],
        ["temporary"],
        ["sys"],
        ["read", "/proc/self/stat"],
        ["fetch", "http://127.0.0.1/"],
        ["read", browserProfile()],
      ]],
      [["bench", "--browser", "--data=digits"], [
        ["write", browserProfile()],
        ["remove", browserProfile()],
      ], [
        ["run", "true"],
        ["temporary"],
        ["fetch", "http://localhost/"],
        ["fetch", "https://example.com/"],
      ]],
      [["web", "--port=0", "--host=127.0.0.1"], [["read", `${ROOT}/web/index.html`]], [
        ["read", "in.h5"],
        ["read", `${ROOT}/deno.json`],
        ["write", `${ROOT}/dist/main.js`],
        ["write", "w.h5"],
        ["fetch", "https://example.com/"],
        ["fetch", "http://localhost/"],
        ["ffi", "libc.so.6"],
      ]],
      [["build"], [["read", `${ROOT}/web/index.html`]], [
        ["read", "in.h5"],
        ["write", `${ROOT}/web/index.html`],
        ["write", "w.h5"],
        ["fetch", "http://127.0.0.1/"],
      ]],
      // A name that stands for all elsewhere is a name.
      [["train", "--save", "*.h5", "--log", "*", "--data=digits"], [["write", "*"]], [
        ["write", "w.h5"],
        ["read", "in.h5"],
      ]],
      // What is no command line opens nothing, whatever it names.
      [["train", "--no-such-option", "--log", "a.jsonl"], [], [["read", "a.jsonl"]]],
      [["train", "--log", "a.jsonl", "--help"], [], [["write", "a.jsonl"]]],
    ];
    for (const [args, allowed, denied] of cases) {
      const ends = await attempt(args, folder, [...allowed, ...denied]);
      const expected = [...allowed.map(() => "done"), ...denied.map(() => "denied")];
      assert.deepEqual(ends, expected, args.join(" "));
    }
  });
});

Deno.test("commands work with spaces, commas, links and relative paths", async () => {
  await inFolder(async (folder) => {
    await writeDigits(`${folder}/real, data`);
    await Deno.mkdir(`${folder}/real runs`);
    await Deno.symlink(`${folder}/real, data`, `${folder}/linked data`);
    await Deno.symlink(`${folder}/real runs`, `${folder}/runs`);
    const train = await from(
      folder,
      ...["train", "--data", "linked data", "--save", "runs/a, b.h5", "--log", "./runs/a, b.jsonl"],
      ...["--plot", `${folder}/real runs/../a b.svg`, ...SMALL],
    );
    assert.equal(train.code, 0, train.stderr);
    assert.equal((await Deno.readTextFile(`${folder}/real runs/a, b.jsonl`)).split("\n").length, 5);
    assert.ok((await Deno.stat(`${folder}/a b.svg`)).size > 1000);
    // The data that a run was trained on are kept with it, and found again without being named.
    const more = ["train", "--resume", "runs/a, b.h5", "--steps", "5", "--save", "runs/a, b.h5"];
    const resumed = await from(folder, ...more);
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.match(resumed.stdout, /on linked data .* going on from step 3/);
    await Deno.symlink("real runs/a, b.h5", `${folder}/weights.h5`);
    const evaluated = await from(
      folder,
      "evaluate",
      "--weights",
      "weights.h5",
      "--data",
      "real, data",
    );
    assert.equal(evaluated.code, 0, evaluated.stderr);
    const drawn = await from(folder, "plot", "runs/a, b.jsonl", "--out", "c.svg");
    assert.equal(drawn.code, 0, drawn.stderr);
    const left = [...Deno.readDirSync(folder), ...Deno.readDirSync(`${folder}/real runs`)];
    assert.deepEqual(left.filter(({ name }) => name.endsWith(".part")), []);
  });
});

Deno.test("what is missing or closed is said in one line, as ever", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/empty`);
    await Deno.writeTextFile(`${folder}/file`, "");
    const cases: [RegExp, ...string[]][] = [
      [/Cannot load data from none: it has no train-images/, "train", "--data", "none"],
      [/Cannot load data from empty: it has no train-images/, "train", "--data", "empty"],
      [
        /Cannot load data from file: it has no train-images/,
        "evaluate",
        "--weights",
        "w.h5",
        "--data",
        "file",
      ],
      [/Cannot read none\.h5: there is no such file/, "train", "--resume", "none.h5"],
      [/Cannot read empty: /, "train", "--resume", "empty"],
      [/Cannot read none\.h5: there is no such file/, "gradient", "--input", "none.h5"],
      [/Cannot write none\/a\.h5: there is no such/, "train", "--save", "none/a.h5"],
      [/Cannot write file\/a\.h5: [Nn]ot a directory/, "train", "--save", "file/a.h5"],
      [/Cannot write empty: it is a folder/, "train", "--log", "empty"],
      [/Cannot write \/proc\/a\.jsonl: /, "train", "--log", "/proc/a.jsonl"],
      [/Cannot write : /, "train", "--log", ""],
      [/Cannot read none\.jsonl: there is no such/, "plot", "none.jsonl", "--out", "a.svg"],
      [/missing required argument 'log'/, "plot", "--out", "a.svg"],
    ];
    for (const [message, ...args] of cases) {
      if (args.includes("--weights")) {
        await from(folder, "train", "--data", "digits", ...SMALL, "--save", "w.h5");
      }
      const { code, stderr } = await from(folder, ...args);
      assert.equal(code, 2, `${args}: ${stderr}`);
      assert.match(stderr, message);
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
      assert.doesNotMatch(stderr, /--allow|NotCapable|Requires/);
    }
  });
});

Deno.test("every option that is a path, or opens one, is known as such", () => {
  const { program: _, ...commands } = createCommands();
  let paths = 0;
  for (const command of Object.values(commands)) {
    for (const option of command.options) {
      const isPath = /<(file|set|folder)|--browser|--host|--nats/.test(option.flags);
      assert.equal(option instanceof PlaceOption, isPath, option.flags);
      if (isPath) paths++;
    }
  }
  assert.ok(paths >= 11);
});

Deno.test("every command goes through the launcher, and the lock file is frozen", async () => {
  const { tasks, lock } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  assert.equal(lock.frozen, true);
  const { program: _, ...commands } = createCommands();
  for (const name of Object.keys(commands)) {
    assert.equal(tasks[name], `deno run --no-prompt --allow-all src/cli/launch.ts ${name}`);
  }
  for (const [name, task] of Object.entries<string | object>(tasks)) {
    if (name in commands || typeof task !== "string") continue;
    assert.doesNotMatch(task, / -A\b|--allow-all|--allow-(read|write|net|sys)(?!=)/, name);
  }
});

Deno.test("the exit code and both streams are the command's", async () => {
  const wrong = await cli("gradient", "--input", "/nonexistent.h5");
  assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
  assert.match(wrong.stderr, /^Cannot read \/nonexistent\.h5: /);
  const strict = await cli(
    ...["gradcheck", "--data", "digits", ...SMALL, "--steps", "0", "--rtol", "1e-15"] as const,
  );
  assert.equal(strict.code, 1, strict.stderr);
});

Deno.test("a second signal ends the command at once", async () => {
  await inFolder(async (folder) => {
    const log = `${folder}/log.jsonl`;
    const endless = ["--steps", "1000000", "--batch", "5000", "--backend", "cpu", "--log", log];
    const child = await begin("train", "--data", "digits", ...endless);
    const output = child.output();
    while (!await Deno.stat(log).catch(() => false)) {
      await Promise.race([output.then(() => assert.fail("it ended by itself")), delay(20)]);
    }
    child.kill("SIGINT");
    child.kill("SIGTERM");
    assert.ok([130, 143].includes((await output).code));
  });
});

const delay = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
