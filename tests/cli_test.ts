import assert from "node:assert/strict";
import { writeTensors } from "../src/data/tensors.ts";
import { begin, cli, ended, hasMnist, inFolder, MNIST, ROOT, taskArguments } from "./support.ts";

const SMALL = ["--data", "digits", "--hidden", "8", "--batch", "10"];

Deno.test("train --json prints one object with what it promises", async () => {
  const { code, stdout, stderr } = await cli("train", ...SMALL, "--steps", "5", "--json");
  assert.equal(code, 0, stderr);
  const result = JSON.parse(stdout);
  const keys = ["steps", "loss", "accuracy", "seconds", "msPerStep", "lossEvaluations"];
  for (const key of [...keys, "backend", "adapter", "engine", "data", "seed"]) {
    assert.ok(key in result, key);
  }
  assert.equal(result.lossEvaluations, 5 * 2 * (785 * 8 + 9 * 10));
});

Deno.test("the log holds each step once, the same for any --eval-every and on every run", async () => {
  const folder = await Deno.makeTempDir();
  const losses = async (name: string, ...more: string[]) => {
    const log = `${folder}/${name}`;
    const { code, stderr } = await cli("train", ...SMALL, "--steps", "30", "--log", log, ...more);
    assert.equal(code, 0, stderr);
    const lines = (await Deno.readTextFile(log)).trim().split("\n").map((line) => JSON.parse(line));
    const steps = lines.filter((line) => "loss" in line);
    assert.deepEqual(steps.map((line) => line.step), steps.map((_, i) => i + 1));
    assert.equal(steps.length, 30);
    return steps.map((line) => line.loss);
  };
  const first = await losses("a.jsonl");
  assert.deepEqual(await losses("b.jsonl", "--eval-every", "7"), first);
  const cpu = await losses("c.jsonl", "--backend", "cpu");
  first.forEach((loss, i) => assert.ok(Math.abs(loss / cpu[i] - 1) < 1e-5, `step ${i + 1}`));
  assert.notDeepEqual(await losses("d.jsonl", "--seed", "2"), first);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("bad input: one clear line, exit code 2, no file touched", async () => {
  const folder = await Deno.makeTempDir();
  const log = `${folder}/log.jsonl`;
  const cases: [RegExp, ...string[]][] = [
    [/--stpes.*--steps/, "--stpes", "5"],
    [/zero|steps 0/, "--steps", "0"],
    [/steps -3/, "--steps=-3"],
    [/batch 0/, "--batch", "0"],
    [/only 10000 training samples/, "--batch", "20000"],
    [/h = 0/, "--h", "0"],
    [/give a number/, "--h", "NaN"],
    [/learning rate/, "--lr", "-1"],
    [/--weight-decay.*give 0 or more/, "--weight-decay", "-5"],
    [/--weight-decay.*give 0 or more/, "--weight-decay=-0.01"],
    [/--weight-decay.*give 0 or more/, "--weight-decay", "Infinity"],
    [/did you mean sigmoid/, "--activation", "sigmod"],
    [/did you mean adam/, "--optimizer", "adm"],
    [/2 activations/, "--activation", "relu,tanh"],
    [/has no train-images/, "--data", folder],
    [/seed/, "--seed", "1.5"],
    [/widths/, "--hidden", "5,x"],
    [/operation 3, "relo": there is no relo/, "--network", "dense 5, tanh, relo"],
    [/operation 2, "dense": dense takes a width/, "--network", "relu, dense"],
    [/operation 1, "sign 3": sign takes no 3/, "--network", "sign 3"],
    [/--network says all that --hidden does; leave/, "--network", "dense 5", "--hidden", "5"],
    [/--network says all that --activation does/, "--network", "none", "--activation", "relu"],
    [/needs .* GiB.* gives .*; 784-\d+-10 would fit/, "--hidden", "300000"],
  ];
  for (const [message, ...args] of cases) {
    const { code, stdout, stderr } = await cli("train", "--data", "digits", "--log", log, ...args);
    assert.equal(code, 2, `${args}: ${stdout}${stderr}`);
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    await assert.rejects(Deno.stat(log), `${args} touched the log`);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a loss that is no number stops the run at its step", async () => {
  const { code, stderr } = await cli("train", ...SMALL, "--loss", "squared-error", "--lr", "1e30");
  assert.equal(code, 2);
  assert.match(stderr, /Cannot go on at step \d+: the loss is/);
});

Deno.test("a result that cannot be printed: one line, exit code 1, and the run is done", async () => {
  await inFolder(async (folder) => {
    const [save, said] = [`${folder}/run.h5`, `${folder}/said`];
    const run = [...SMALL, "--steps", "2", "--save", save];
    for (
      const args of [["train", ...run, "--json"], ["train", ...run], ["example"], [
        "train",
        "--help",
      ]]
    ) {
      const { code } = await new Deno.Command("sh", {
        args: [
          ...["-c", `out=$1; shift; exec "$@" >/dev/full 2>"$out"`, "sh", said, Deno.execPath()],
          ...[...await taskArguments(args[0]), ...args.slice(1)],
        ],
        cwd: ROOT,
        env: { INIT_CWD: ROOT },
      }).output();
      assert.equal(code, 1, args.join(" "));
      const text = await Deno.readTextFile(said);
      assert.match(text, /^Cannot write to standard output: No space left on device; .+ is lost$/m);
      assert.doesNotMatch(text, /\n {4}at /);
      assert.equal(text.match(/Cannot/g)!.length, 1);
    }
    assert.ok((await Deno.stat(save)).isFile);
    await Deno.remove(save);
    // A reader that goes away, as `head` does.
    const child = await begin("train", ...run, "--json");
    await child.stdout.cancel();
    const reader = await new Response(child.stderr).text();
    assert.equal((await child.status).code, 1, reader);
    assert.match(reader, /^Cannot write to standard output: Broken pipe; .+ is lost$/m);
    assert.ok((await Deno.stat(save)).isFile);
  });
});

Deno.test("messages that nobody can read end nothing", async () => {
  const { code, stdout } = await new Deno.Command("sh", {
    args: [
      ...["-c", `exec "$@" 2>/dev/full`, "sh", Deno.execPath(), ...await taskArguments("train")],
      ...[...SMALL, "--steps", "2", "--json"],
    ],
    cwd: ROOT,
    env: { INIT_CWD: ROOT },
  }).output();
  assert.equal(code, 0);
  assert.equal(JSON.parse(new TextDecoder().decode(stdout)).steps, 2);
});

Deno.test("paths are meant from where the person stands, by every command", async () => {
  await inFolder(async (folder) => {
    const place = `${folder}/sub`;
    await Deno.mkdir(place);
    // `deno task` itself, which runs in the checkout and tells where it was called.
    const task = async (...args: string[]) => {
      const config = `${ROOT}/deno.json`;
      const child = new Deno.Command(Deno.execPath(), {
        args: ["task", "--quiet", "--config", config, ...args],
        cwd: place,
        clearEnv: true,
        env: {
          HOME: folder,
          DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
        },
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const end = await ended(child);
      assert.equal(end.code, 0, `${args}: ${end.stderr}`);
      return end.stdout;
    };
    const run = ["--save", "here.h5", "--log", "log.jsonl", "--plot", "../plot.svg"];
    assert.match(await task("train", ...SMALL, "--steps", "2", ...run), /^Wrote here\.h5\.$/m);
    assert.match(await task("train", "--resume", "here.h5", "--steps", "3"), /of here\.h5$/m);
    assert.match(
      await task("evaluate", "--weights", "./here.h5", "--data", "digits"),
      /^\.\/here\.h5, /,
    );
    await task("gradcheck", "--weights", "here.h5", ...SMALL, "--hidden", "8");
    assert.match(await task("plot", "log.jsonl", "--out", "loss.svg"), /^Wrote loss\.svg\.$/m);
    const batch = new Map([
      ["W1", { shape: [2, 3], data: new Float64Array(6).fill(0.1) }],
      ["b1", { shape: [3], data: new Float64Array(3) }],
      ["x", { shape: [1, 2], data: new Float64Array(2).fill(1) }],
      ["t", { shape: [1], data: new Float64Array(1) }],
    ]);
    await Deno.writeFile(`${place}/mine.h5`, await writeTensors(batch, "mine.h5"));
    assert.match(
      await task("gradient", "--input", "mine.h5", "--out", "out.h5"),
      /of mine\.h5: loss .*\nWrote out\.h5\.$/m,
    );
    for (const name of ["sub/here.h5", "sub/log.jsonl", "plot.svg", "sub/loss.svg", "sub/out.h5"]) {
      assert.ok((await Deno.stat(`${folder}/${name}`)).isFile, name);
    }
  });
});

Deno.test("MNIST that cannot be had: auto says why and goes on, mnist fails", async () => {
  // Where the mirrors can be reached, there is nothing to fall back from.
  const auto = await cli("train", "--steps", "1", "--hidden", "2", "--batch", "5");
  assert.equal(auto.code, 0, auto.stderr);
  if (/synthetic digits/.test(auto.stdout)) {
    assert.match(auto.stdout, /MNIST could not be had \(.*\), so this trains on synthetic digits/);
    const strict = await cli("train", "--steps", "1", "--data", "mnist");
    assert.equal(strict.code, 2);
    assert.match(strict.stderr, /^Cannot fetch/);
  }
});

Deno.test("gradcheck passes, and fails where the tolerance is out of reach", async () => {
  const json = async (...args: string[]) => {
    const { code, stdout } = await cli("gradcheck", ...SMALL, "--json", ...args);
    return { code, ...JSON.parse(stdout) };
  };
  const fine = await json();
  assert.equal(fine.code, 0);
  assert.deepEqual(fine.tensors.map((t: { name: string }) => t.name), ["W1", "b1", "W2", "b2"]);
  const strict = await json("--rtol", "1e-15", "--h", "0.1");
  assert.equal(strict.code, 1);
  assert.equal(strict.ok, false);
});

Deno.test("gradcheck passes behind relu, fresh and trained, deep and with pools", async () => {
  for (
    const [...network] of [
      ["--activation", "relu", "--hidden", "12,12,12,12"],
      ["--activation", "relu", "--hidden", "20", "--steps", "150"],
      ["--activation", "relu", "--hidden", "12,12,12", "--steps", "150", "--optimizer", "adam"],
      ["--network", "conv 3x5, relu, maxpool 2, dense 8, relu"], // fresh biases of 0, plain images
    ]
  ) {
    const size = ["--data", "digits", "--batch", "20", "--init", "he", "--lr", "0.01"];
    const { code, stdout } = await cli("gradcheck", ...network, ...size, "--json");
    const { ok, h, tensors } = JSON.parse(stdout);
    assert.equal(code, 0, stdout);
    assert.ok(ok && h === 1e-6);
    for (const { verdict, checked, shape, kinks } of tensors) {
      assert.notEqual(verdict, "off");
      assert.equal(checked, shape.reduce((size: number, length: number) => size * length, 1));
      assert.ok(kinks >= 0);
    }
  }
});

Deno.test("gradcheck --sweep shows what float32 leaves of either engine's gradient", async () => {
  const { code, stdout } = await cli("gradcheck", ...SMALL, "--hidden", "3", "--sweep", "--json");
  assert.equal(code, 0);
  const { sweep, backend } = JSON.parse(stdout);
  assert.deepEqual(
    sweep.map((row: { h: number }) => row.h),
    [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7],
  );
  for (const { h, differences, copies } of sweep) {
    assert.ok(differences.relativeError < 1e-6, `h = ${h}: ${differences.relativeError}`);
    if (backend === "cpu") continue; // float64 has digits to lose
    const noise = copies.relativeError;
    assert.ok(h < 1e-3 ? noise > 1e-2 : noise < 1, `copies at h = ${h}: ${noise}`);
  }
});

Deno.test("MNIST: 600 steps reach 75%", async () => {
  if (!hasMnist()) return;
  const { code, stdout, stderr } = await cli("train", "--data", MNIST, "--json");
  assert.equal(code, 0, stderr);
  const { accuracy } = JSON.parse(stdout);
  assert.ok(accuracy >= 0.75, `accuracy ${accuracy}`);
});
