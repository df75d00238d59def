/** What people can look at: shaders as the device gets them, what commands are called, profiles. */

import assert from "node:assert/strict";
import { sharesOf } from "../src/bench/profile.ts";
import { connect, layerName, type Network, parseNodes } from "../src/core/network.ts";
import { permissionsOf } from "../src/cli/launch.ts";
import { SHADERS } from "../src/cli/places.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import { inspection } from "../src/gpu/kernel.ts";
import { compose, KERNELS } from "../src/gpu/shaders.ts";
import {
  cli,
  engineOptions,
  freshParameters,
  gpuTest,
  inFolder,
  randomSamples,
  withVariable,
} from "./support.ts";

Deno.test("composed shaders say where each piece begins and ends", () => {
  const code = compose(KERNELS.hop, { activation: "tanh", rows: "listed", effect: "exact" });
  const open: string[] = [], seen: string[] = [];
  for (const [, mark, title] of code.matchAll(/^\/\/ (<<<|>>>) (.*)$/gm)) {
    if (mark === "<<<") open.push(title);
    else assert.equal(open.pop(), title, "a piece ends where none began");
    if (mark === "<<<") seen.push(title);
  }
  assert.deepEqual(open, []);
  assert.equal(new Set(seen).size, seen.length, `twice: ${seen}`);
  for (const title of ["activation: tanh", "rows: listed", "effect: exact", "special"]) {
    assert.ok(seen.includes(title), `${title} is not among ${seen}`);
  }
  const begin = code.indexOf("// <<< activation: tanh"),
    end = code.indexOf("// >>> activation: tanh");
  assert.match(code.slice(begin, end), /Hyperbolic tangent/i);
});

const DEEP: Network = connect({
  inputs: 7,
  classes: 3,
  nodes: parseNodes("dense 6, relu, dense 5, tanh, dense 4, relu, dense 3, relu, dense 4, step"),
});

for (const method of ["differences", "copies", "backprop"] as const) {
  gpuTest(`labels of ${method} say kernel, layer and shapes`, async (open) => {
    const gpu = await open();
    const compiled = new Set<string>();
    inspection.composed = ({ name, code, constants }) => {
      compiled.add(name);
      assert.doesNotMatch(code, /^#import/m);
      for (const constant of Object.keys(constants)) assert.ok(code.includes(`${constant}:`));
    };
    const samples = randomSamples(8, DEEP);
    using engine = new GpuEngine(gpu, engineOptions(DEEP, samples, 4, { method }));
    delete inspection.composed;
    engine.setParameters(freshParameters(DEEP));
    const commands = engine.gradientCommands(Uint32Array.of(0, 1, 2, 3));
    const names = DEEP.layers.map((_, l) => layerName(DEEP, l));
    for (const { kernel, label, source } of commands) {
      assert.ok(kernel in KERNELS && compiled.has(kernel), kernel);
      assert.ok(label === kernel || label.startsWith(`${kernel}, `), label);
      const name = names.find((name) => label.includes(name));
      const { OUTPUTS, INPUTS } = source!.constants;
      if (OUTPUTS === undefined || INPUTS === undefined) continue;
      assert.ok(name?.includes(`${INPUTS} to ${OUTPUTS}`), `${label}: ${INPUTS} to ${OUTPUTS}`);
    }
    const labels = commands.map(({ label }) => label);
    for (const name of names) assert.ok(labels.some((label) => label.includes(name)), name);
    if (method !== "differences") return;
    assert.ok(labels.includes("hop, dense 2: 6 to 5, tanh, for W1"), labels.join("\n"));
    assert.ok(labels.includes("rows_dense, dense 3: 5 to 4, relu, for W1"), labels.join("\n"));
  });
}

Deno.test("a profile groups by label, medians over steps, what takes longest first", () => {
  const step = (a: number[], b: number) => [
    ...a.map((nanoseconds) => ({ label: "a", nanoseconds })),
    { label: "b", nanoseconds: b },
  ];
  assert.deepEqual(sharesOf([step([1e6, 2e6], 9e6), step([4e6, 1e6], 2e6), step([0, 4e6], 8e6)]), [
    { label: "b", dispatches: 1, milliseconds: 8 },
    { label: "a", dispatches: 2, milliseconds: 4 },
  ]);
});

const SMALL = ["--data", "digits", "--hidden", "6,5", "--batch", "5"];

gpuTest("train --profile says what a step's time goes to, and trains nothing", async (open) => {
  const gpu = await open(), hasClock = gpu.device.features.has("timestamp-query");
  await inFolder(async (folder) => {
    const save = ["--save", `${folder}/run.h5`, "--steps", "3"];
    const people = await cli("train", ...SMALL, "--profile", ...save);
    if (!hasClock) {
      assert.equal(people.code, 2);
      assert.match(people.stderr, /has no timestamps/);
      return;
    }
    assert.equal(people.code, 0, people.stderr);
    assert.match(people.stdout, /^A step of 784-6-5-10 over 5 samples by differences/m);
    assert.match(people.stdout, /% .* 1 +dense, dense 1: 784 to 6, sigmoid$/m);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    const { stdout } = await cli("train", ...SMALL, "--profile", "--steps", "2", "--json");
    const { steps, shares, milliseconds, loss } = JSON.parse(stdout);
    assert.equal(steps, 2);
    assert.ok(milliseconds > 0 && loss > 0 && loss < 3, stdout);
    assert.ok(shares.some(({ label }: { label: string }) => label === "update"), stdout);
  });
});

Deno.test("train --profile refuses the CPU, which has no dispatches", async () => {
  const { code, stderr } = await cli("train", "--profile", "--backend", "cpu", "--data", "digits");
  assert.equal(code, 2);
  assert.match(stderr, /^Cannot profile a step on the CPU: /m);
});

gpuTest("a variable names a folder for every shader, and it alone may be written", async (open) => {
  (await open())[Symbol.dispose]();
  await inFolder(async (folder) => {
    const shaders = `${folder}/some/shaders`;
    const train = ["train", ...SMALL, "--steps", "1", "--backend", "webgpu"];
    await withVariable(SHADERS, shaders, async () => {
      const { write } = await permissionsOf(train) as { write: string[] };
      assert.deepEqual(write, [shaders]);
      const { code, stderr } = await cli(...train);
      assert.equal(code, 0, stderr);
    });
    const names = [...Deno.readDirSync(shaders)].map(({ name }) => name);
    for (const name of ["gather", "dense", "dense-2", "update", "output_gradient"]) {
      assert.ok(names.includes(`${name}.wgsl`), names.join(" "));
    }
    const text = await Deno.readTextFile(`${shaders}/update.wgsl`);
    assert.match(text, /^\/\/ update, compiled with\n(\/\/ \w+ = .*\n)+\n/);
    assert.match(text, /^\/\/ <<< optimizer: sgd$/m);
    await Deno.writeTextFile(`${folder}/file`, "");
    await withVariable(SHADERS, `${folder}/file`, async () => {
      const { code, stderr } = await cli(...train);
      assert.equal(code, 2);
      assert.match(stderr, /^Cannot write shaders to .*name another folder$/m);
    });
    const { write } = await permissionsOf(train) as { write: string[] };
    assert.deepEqual(write, []);
  });
});
