/** Disks that fail, files that others use, clocks that go back: a run is not lost by any of them. */

import assert from "node:assert/strict";
import { writeWhole } from "../src/cli/files.ts";
import { parseLog } from "../src/cli/plot.ts";
import { readTensors } from "../src/data/tensors.ts";
import { begin, cli, ended, inFolder, ROOT } from "./support.ts";

const SMALL = ["--data", "digits", "--hidden", "8", "--batch", "10", "--eval-every", "100000"];
const FULL = "No space left on device";

/** Runs in a folder that is a disk of its own; skips loudly where none can be mounted. */
async function onDisk(
  options: string,
  body: (disk: string, remount: (options: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  await inFolder(async (folder) => {
    const run = async (command: string, ...args: string[]) => {
      const { success } = await new Deno.Command(command, { args, stderr: "null" }).output()
        .catch(() => ({ success: false }));
      return success;
    };
    if (!await run("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder)) {
      return console.log("SKIPPED: no disk can be mounted here; run this as root");
    }
    try {
      await body(folder, async (options) => {
        assert.ok(await run("mount", "-o", `remount,${options}`, folder));
      });
    } finally {
      assert.ok(await run("umount", folder));
    }
  });
}

/** Fills a disk to the last byte. */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  await assert.rejects(async () => {
    for (;;) await file.write(new Uint8Array(512));
  }, { message: new RegExp(FULL) });
}

const stepsIn = async (file: string) =>
  (await readTensors(await Deno.readFile(file), file)).get("losslist")!.data.length;

const parts = (folder: string) =>
  [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".part"));

Deno.test("disk full: the run goes on, what was saved stays, and the end is put elsewhere", async () => {
  await onDisk("size=512k", async (disk) => {
    const save = `${disk}/run.h5`, log = `${disk}/log.jsonl`, plot = `${disk}/plot.svg`;
    assert.equal((await cli("train", ...SMALL, "--steps", "20", "--save", save)).code, 0);
    const before = await Deno.readFile(save);
    await fill(`${disk}/filler`);
    const { code, stdout, stderr } = await cli(
      ...["train", "--resume", save, "--save", save, "--save-every", "100", "--steps", "300"],
      ...["--log", log, "--plot", plot, "--json"],
    );
    assert.equal(code, 1, stderr);
    assert.equal(JSON.parse(stdout).steps, 300); // the result itself is not lost
    const said = (what: string) =>
      stderr.split("\n").filter((line) => line.includes(FULL) && line.includes(what));
    assert.equal(
      said(`${save}: ${FULL}; give a path that can be written (training goes on`).length,
      2,
    );
    assert.equal(
      said(`${log}: ${FULL}; give a path that can be written (the run goes on`).length,
      1,
    );
    assert.equal(said("its last lines are missing").length, 1);
    assert.equal(said(`Cannot write ${plot}`).length, 1);
    const [, elsewhere] = /saved as (\S+\.h5) instead/.exec(said("instead")[0])!;
    assert.equal(await stepsIn(elsewhere), 300);
    await Deno.remove(elsewhere);
    assert.deepEqual(await Deno.readFile(save), before);
    assert.deepEqual(parts(disk), []);
    assert.doesNotMatch(stderr, /\n {4}at /);
  });
});

Deno.test("disk full for a while: the log has every line, and the next save is good", async () => {
  await onDisk("size=512k", async (disk) => {
    const save = `${disk}/run.h5`, log = `${disk}/log.jsonl`;
    await fill(`${disk}/filler`);
    const run = ["--steps", "4000", "--save", save, "--save-every", "50", "--log", log];
    const child = await begin("train", ...SMALL, ...run);
    const status = child.status, reader = child.stderr.getReader(), decoder = new TextDecoder();
    let stderr = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      stderr += decoder.decode(value, { stream: true });
      if (!stderr.includes("training goes on") || !stderr.includes("the run goes on")) continue;
      await Deno.remove(`${disk}/filler`).catch(() => {});
    }
    await child.stdout.cancel();
    assert.equal((await status).code, 0, stderr);
    const { losses } = parseLog(await Deno.readTextFile(log), log);
    assert.deepEqual(losses.map(([step]) => step), Array.from({ length: 4000 }, (_, i) => i + 1));
    assert.equal(await stepsIn(save), 4000);
    assert.deepEqual(parts(disk), []);
  });
});

Deno.test("a log that fills its disk ends with a whole line", async () => {
  await onDisk("size=16k", async (disk) => {
    const log = `${disk}/log.jsonl`;
    const { code, stderr } = await cli("train", ...SMALL, "--steps", "600", "--log", log);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /Cannot write .*log\.jsonl: .*: its last lines are missing/);
    const { losses } = parseLog(await Deno.readTextFile(log), log);
    assert.ok(losses.length > 50 && losses.length < 600, `${losses.length}`);
  });
});

Deno.test("a disk that is read only is refused before anything is computed", async () => {
  await onDisk("size=512k", async (disk, remount) => {
    assert.equal((await cli("train", ...SMALL, "--steps", "2", "--save", `${disk}/a.h5`)).code, 0);
    await remount("ro");
    for (
      const option of [["--save", "a.h5"], ["--save", "b.h5"], ["--log", "l"], ["--plot", "p.svg"]]
    ) {
      const { code, stdout, stderr } = await cli(
        ...["train", ...SMALL, option[0], `${disk}/${option[1]}`],
      );
      assert.deepEqual([code, stdout], [2, ""], stderr);
      assert.match(
        stderr,
        /^Cannot write \S+: Read-only file system; give a path that can be written\n$/,
      );
    }
    await remount("rw");
  });
});

Deno.test("a file in use: the second run says so at once, and the first is whole", async () => {
  await inFolder(async (folder) => {
    const save = `${folder}/run.h5`, log = `${folder}/log.jsonl`, plot = `${folder}/a.svg`;
    const first = await begin(
      ...["train", ...SMALL, "--steps", "100000", "--save", save, "--save-every", "20"],
      ...["--log", log, "--plot", plot],
    );
    const end = first.output();
    while (!await Deno.stat(save).catch(() => false)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    for (const option of [["--save", save], ["--log", log], ["--plot", plot]]) {
      const { code, stderr } = await cli("train", ...SMALL, "--steps", "2", ...option);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /^Cannot write \S+: it is in use by another run; [^\n]*\n$/);
    }
    first.kill("SIGINT");
    assert.equal((await end).code, 130);
    const { losses } = parseLog(await Deno.readTextFile(log), log);
    assert.equal(await stepsIn(save), losses.length);
    assert.deepEqual(parts(folder), []);
    // Nobody uses it any more; what a run that was killed has left is no hindrance.
    await Deno.writeTextFile(`${save}.part`, "left behind, and longer than nothing");
    assert.equal((await cli("train", ...SMALL, "--steps", "2", "--save", save)).code, 0);
    assert.equal(await stepsIn(save), 2);
  });
});

Deno.test("a file that is claimed and written over and over: no other run gets hold of it", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/file`, files = `file://${ROOT}/src/cli/files.ts`;
    const program = `import { claim, releaseClaims, writeWhole } from ${JSON.stringify(files)};
      await claim(${JSON.stringify(path)});
      for (let i = 0; i < 300; i++) await writeWhole(${JSON.stringify(path)}, "mine " + i);
      releaseClaims();`;
    const options = { args: ["eval", program], stdout: "piped", stderr: "piped" };
    const end = ended(new Deno.Command(Deno.execPath(), options as Deno.CommandOptions).spawn());
    while (!await Deno.stat(path).catch(() => false)) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    let isOver = false;
    const over = end.then(() => isOver = true);
    for (let i = 0; !isOver; i++) {
      const written = await writeWhole(path, `theirs ${i}`).then(() => true, (error) => {
        assert.match(error.message, /in use by another run/);
        return false;
      });
      if (written) {
        await over;
        break;
      }
    }
    const { code, stderr } = await end;
    assert.equal(code, 0, stderr);
    assert.match(await Deno.readTextFile(path), /^(mine 299|theirs \d+)$/);
  });
});

Deno.test("many writers of one file: it is what one of them wrote, from first to last", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/file`;
    for (let round = 0; round < 20; round++) {
      const ends = await Promise.allSettled(
        Array.from({ length: 8 }, (_, i) => writeWhole(path, new Uint8Array(100_000 + i).fill(i))),
      );
      const bytes = await Deno.readFile(path), [writer] = bytes;
      assert.ok(bytes.every((byte) => byte === writer));
      assert.equal(bytes.length, 100_000 + writer);
      assert.equal(ends[writer].status, "fulfilled");
      for (const end of ends) {
        if (end.status === "rejected") assert.match(end.reason.message, /in use by another run/);
      }
    }
    assert.deepEqual(parts(folder), []);
  });
});

Deno.test("what is no file is neither waited for nor replaced", async () => {
  await inFolder(async (folder) => {
    for (const [option, name] of [["--save", "a.h5"], ["--log", "a.l"], ["--plot", "a.svg"]]) {
      const pipe = `${folder}/${name}`;
      assert.ok((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
      const { code, stdout, stderr } = await cli(
        ...["train", ...SMALL, "--steps", "1", option, pipe],
      );
      assert.deepEqual([code, stdout], [2, ""], stderr);
      assert.match(stderr, /^Cannot write \S+: it is a pipe or a device, and no file; [^\n]+\n$/);
      assert.ok((await Deno.stat(pipe)).isFifo);
    }
    assert.equal((await cli("train", ...SMALL, "--steps", "1", "--log", "/dev/null")).code, 2);
    assert.deepEqual(parts(folder), []);
    assert.deepEqual(parts("/dev"), []);
  });
});

Deno.test("a symbolic link stays, and what it leads to is written", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/there`);
    const names = ["run.h5", "log.jsonl", "plot.svg"];
    for (const name of names) {
      // From link to link, to a file that is not there yet; relative to the links' own folders.
      await Deno.symlink(`there/${name}.link`, `${folder}/${name}`);
      await Deno.symlink(name, `${folder}/there/${name}.link`);
    }
    const [save, log, plot] = names.map((name) => `${folder}/${name}`);
    const run = ["--steps", "6", "--save", save, "--save-every", "2", "--log", log, "--plot", plot];
    for (let times = 0; times < 2; times++) { // the second time the files are there
      const { code, stderr } = await cli("train", ...SMALL, ...run);
      assert.equal(code, 0, stderr);
    }
    for (const name of names) {
      assert.ok((await Deno.lstat(`${folder}/${name}`)).isSymlink, name);
      assert.ok((await Deno.lstat(`${folder}/there/${name}`)).isFile, name);
    }
    assert.equal(await stepsIn(`${folder}/there/run.h5`), 6);
    assert.deepEqual([...parts(folder), ...parts(`${folder}/there`)], []);
    await Deno.symlink("loop.h5", `${folder}/loop.h5`);
    const loop = await cli("train", ...SMALL, "--steps", "1", "--save", `${folder}/loop.h5`);
    assert.equal(loop.code, 2, loop.stderr);
    assert.match(loop.stderr, /^Cannot write \S+loop\.h5: [^\n]+\n$/);
  });
});

Deno.test("two outputs in one file are refused, whatever it is called", async () => {
  await inFolder(async (folder) => {
    await Deno.symlink("a.h5", `${folder}/b.h5`);
    for (const other of ["a.h5", "./a.h5", "b.h5"]) {
      const { code, stderr } = await cli(
        ...["train", ...SMALL, "--steps", "1", "--save", `${folder}/a.h5`],
        ...["--log", `${folder}/${other}`],
      );
      assert.equal(code, 2, stderr);
      assert.match(stderr, /^Cannot write \S+: this run writes something else there; [^\n]+\n$/);
    }
    assert.deepEqual(parts(folder), []);
  });
});

Deno.test("names as long as the system takes them, and no longer", async () => {
  await inFolder(async (folder) => {
    const named = (bytes: number, ending: string) =>
      `${folder}/${"é".repeat(120)}${"n".repeat(bytes - 240 - ending.length)}${ending}`;
    for (const bytes of [250, 251, 255]) {
      const [save, log] = [named(bytes, ".h5"), named(bytes, ".jsonl")];
      const { code, stderr } = await cli(
        ...["train", ...SMALL, "--steps", "2", "--save", save, "--log", log],
      );
      assert.equal(code, 0, stderr);
      assert.equal(await stepsIn(save), 2);
    }
    const { code, stderr } = await cli(
      ...["train", ...SMALL, "--steps", "2", "--save", named(256, ".h5")],
    );
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^Cannot write [^\n]+: File name too long; [^\n]+\n$/);
    assert.deepEqual(parts(folder), []);
  });
});

Deno.test("a checkout and a home that may not be written into: commands work, build says why", async () => {
  await inFolder(async (folder) => {
    const [checkout, home] = [`${folder}/checkout`, `${folder}/home`];
    const mount = async (...args: string[]) => {
      const { success } = await new Deno.Command("mount", { args, stderr: "null" }).output()
        .catch(() => ({ success: false }));
      return success;
    };
    await Deno.mkdir(checkout);
    await Deno.mkdir(home);
    if (!await mount("--bind", ROOT, checkout)) {
      return console.log("SKIPPED: nothing can be mounted here; run this as root");
    }
    try {
      assert.ok(await mount("-o", "remount,ro,bind", checkout));
      assert.ok(await mount("-t", "tmpfs", "-o", "ro", "tmpfs", home));
      const task = async (...args: string[]) =>
        await ended(
          new Deno.Command(Deno.execPath(), {
            args: ["task", "--quiet", "--config", `${checkout}/deno.json`, ...args],
            cwd: folder,
            env: { INIT_CWD: folder, HOME: home, NO_COLOR: "1" },
            stdout: "piped",
            stderr: "piped",
          }).spawn(),
        );
      const trained = await task("train", ...SMALL, "--steps", "1", "--save", "a.h5");
      assert.equal(trained.code, 0, trained.stderr);
      assert.equal(await stepsIn(`${folder}/a.h5`), 1);
      const built = await task("build");
      assert.equal(built.code, 2, built.stderr);
      assert.match(built.stderr, /^Cannot write \S+\/dist: Read-only file system; [^\n]+\n$/m);
      assert.doesNotMatch(built.stderr, /\n {4}at /);
    } finally {
      for (const path of [checkout, home]) {
        await new Deno.Command("umount", { args: [path], stderr: "null" }).output();
      }
    }
  });
});

Deno.test("a clock that goes back changes nothing: time is measured, not read off", async () => {
  await inFolder(async (folder) => {
    const clock = `${folder}/clock.js`, log = `${folder}/log.jsonl`;
    // An hour back with every look at it.
    await Deno.writeTextFile(
      clock,
      `const RealDate = Date; let now = RealDate.now();
       globalThis.Date = class extends RealDate {
         constructor(...args) { super(...(args.length ? args : [Date.now()])); }
         static now() { return now -= 3_600_000; }
       };`,
    );
    await Deno.writeTextFile(
      `${folder}/thread.js`,
      `import "./clock.js"; await import("${import.meta.resolve("../src/cli/main.ts")}");`,
    );
    await Deno.writeTextFile(
      `${folder}/starter.js`,
      `const thread = new Worker(new URL("./thread.js", import.meta.url), { type: "module" });
       thread.onmessage = ({ data }) => "code" in data && Deno.exit(data.code);`,
    );
    const args = ["train", ...SMALL, "--steps", "50", "--log", log, "--json", "--save"];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--allow-all", "--config", `${ROOT}/deno.json`, `${folder}/starter.js`],
        ...[...args, `${folder}/a.h5`],
      ],
      cwd: ROOT,
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const { seconds, msPerStep } = JSON.parse(new TextDecoder().decode(stdout));
    assert.ok(seconds > 0 && msPerStep > 0, `${seconds} ${msPerStep}`);
    for (const line of (await Deno.readTextFile(log)).trim().split("\n")) {
      const { ms } = JSON.parse(line);
      assert.ok(ms === undefined || ms > 0, line);
    }
  });
});
