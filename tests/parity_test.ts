/** Parity and the canary: right on every implementation at hand, and never right where it is not. */

import assert from "node:assert/strict";
import * as esbuild from "esbuild";
import { openEngine } from "../src/backend.ts";
import { createNetwork } from "../src/core/network.ts";
import { Gpu } from "../src/gpu/engine.ts";
import { CompileError } from "../src/gpu/kernel.ts";
import { type KernelName, KERNELS } from "../src/gpu/shaders.ts";
import { WrongNumbers } from "../src/method/errors.ts";
import { isRight, parity, type ParityRow } from "../src/method/parity.ts";
import { TWINS } from "../src/method/twins.ts";
import {
  engineOptions,
  freshParameters,
  gpuTest,
  inFolder,
  randomSamples,
  ROOT,
} from "./support.ts";
import { hasNode, hasSwiftShader, SWIFTSHADER } from "./tools.ts";

/** What has no twin: it counts submissions, or notes what is no number. */
const WITHOUT_TWIN = ["tally", "check"];

/** What only software adapters take: on hardware registers are too few for it. */
const FUSED = ["narrow", "narrow_series", "narrow_table"];

/** Fails with every row that is off, and where a kernel is missing. */
function assertParity(
  { adapter, rows }: { adapter: string; rows: ParityRow[] },
  without: string[] = [],
): void {
  console.log(`adapter: ${adapter}`);
  const off = rows.filter((row) => !isRight(row));
  assert.deepEqual(off, [], adapter);
  const named = new Set(rows.map(({ name }) => name.split(", ")[0]));
  for (const kernel of Object.keys(KERNELS)) {
    if (![...WITHOUT_TWIN, ...without].includes(kernel)) {
      assert.ok(named.has(kernel), `${kernel} on ${adapter}`);
    }
  }
  // Copies that are not tiny are left to other kernels.
  if (named.has("narrow")) {
    assert.ok(rows.some(({ name, worst }) => /^narrow, /.test(name) && worst > 0), adapter);
  }
}

Deno.test("every kernel has a twin, or is known not to", () => {
  const both = [...Object.keys(TWINS), ...WITHOUT_TWIN].sort();
  assert.deepEqual(both, Object.keys(KERNELS).sort());
});

/** Runs a program that ends with one JSON object. */
async function answerOf(command: string, args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    env: { NO_COLOR: "1", ...env },
    cwd: ROOT,
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.equal(code, 0, text + new TextDecoder().decode(stderr));
  return JSON.parse(text);
}

const TASK = ["task", "--quiet", "parity", "--json"];

gpuTest("parity on this adapter", async () => {
  const answer = await answerOf(Deno.execPath(), TASK);
  assert.deepEqual(Object.keys(answer), ["ok", "adapter", "rows"]);
  assert.equal(answer.ok, true);
  assertParity(answer);
});

// Work is cut up in other ways where threads are many, and other kernels are taken.
gpuTest("parity on this adapter, as if it were hardware", async () => {
  using gpu = Object.assign((await Gpu.open())!, { software: false, block: 32 });
  const rows = [];
  for await (const row of parity(gpu)) rows.push(row);
  assertParity({ adapter: gpu.adapter, rows }, FUSED);
  assert.ok(rows.some(({ name }) => /copies_dense.* tiles/.test(name)));
});

Deno.test("parity on SwiftShader, in Deno", async () => {
  if (!hasSwiftShader()) return;
  const answer = await answerOf(Deno.execPath(), TASK, { VK_ICD_FILENAMES: SWIFTSHADER! });
  assert.match(answer.adapter, /swiftshader/i);
  assertParity(answer);
});

Deno.test("parity on Dawn, in Node on SwiftShader", async () => {
  if (!hasSwiftShader() || !hasNode()) return;
  const dawn = `${ROOT}/tests/dawn`;
  const installed = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--quiet", "--config", `${dawn}/deno.json`],
    cwd: dawn,
  }).output();
  if (!installed.success) {
    assert.notEqual(Deno.env.get("GPU"), "required", new TextDecoder().decode(installed.stderr));
    return console.log("SKIPPED: the npm package webgpu could not be installed");
  }
  await inFolder(async (folder) => {
    const outfile = `${folder}/parity.mjs`;
    await esbuild.build({
      stdin: {
        contents: `export { Gpu } from "./src/gpu/engine.ts";
          export { isRight, parity } from "./src/method/parity.ts";`,
        resolveDir: ROOT,
      },
      absWorkingDir: ROOT,
      outfile,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "es2022",
      loader: { ".wgsl": "text" },
    });
    await esbuild.stop();
    const answer = await answerOf("node", [`${dawn}/parity.mjs`, outfile], {
      VK_ICD_FILENAMES: SWIFTSHADER!,
    });
    assertParity(answer);
  });
});

/** Does something while a kernel is another: as a compiler that is wrong would have it. */
async function withFault(
  kernel: KernelName,
  [right, wrong]: [string, string],
  body: () => Promise<void>,
): Promise<void> {
  const kernels = KERNELS as Record<KernelName, string>, before = kernels[kernel];
  assert.ok(before.includes(right), `${kernel} has no ${right}`);
  kernels[kernel] = before.replace(right, wrong);
  try {
    await body();
  } finally {
    kernels[kernel] = before;
  }
}

const network = createNetwork({ inputs: 6, hidden: [5], classes: 3, activation: "tanh" });
const options = engineOptions(network, randomSamples(8, network), 4, { h: 1e-3 });

/** Kernels made wrong by a little, and the tensor that shows it. */
const FAULTS: [KernelName, [string, string], string][] = [
  ["output_gradient", ["sums += vec4f(", "sums += 1.0001 * vec4f("], "W3"],
  ["hidden_gradient", ["store_sums(slice", "sums_x[0] *= 1.0001; store_sums(slice"], "W2"],
  ["dense", ["let value = activate(z);", "let value = activate(1.0001 * z);"], "W1"],
  [
    "gather",
    ["labels[n] = sample_labels[index];", "labels[n] = min(sample_labels[index], 0u);"],
    "W1",
  ],
];

for (const [kernel, fault, tensor] of FAULTS) {
  gpuTest(`the canary: ${kernel} off by a little, and the CPU computes`, async () => {
    await withFault(kernel, fault, async () => {
      const told: string[] = [];
      using engine = await openEngine(options, "auto", (line) => told.push(line), { canary: true });
      assert.equal(engine.backend, "cpu");
      assert.equal(told.length, 1);
      assert.match(told[0], /^The GPU is not used, and this runs on the CPU: .* wrong numbers: /);
      assert.match(told[0], new RegExp(`${tensor} of a 5-4-3-3 .* kernel ${kernel}\\b`));
      await assert.rejects(
        openEngine(options, "webgpu", undefined, { canary: true }),
        (error) => error instanceof WrongNumbers && /^Cannot use WebGPU: /.test(error.message),
      );
      assert.equal(Gpu.live.size, 0);
      if (kernel !== "output_gradient") return; // once is enough: it takes its time
      const rows = [];
      using gpu = (await Gpu.open())!;
      for await (const row of parity(gpu)) if (!isRight(row)) rows.push(row.name.split(", ")[0]);
      assert.ok(rows.includes(kernel), `${rows}`);
    });
  });
}

gpuTest("the canary lets right numbers pass, and leaves nothing on the device", async () => {
  for (const method of ["differences", "copies", "backprop"] as const) {
    for (const estimator of ["central", "spsa"] as const) {
      const chosen = engineOptions(network, options.samples, 4, { method, estimator, h: 1e-3 });
      const buffers = [];
      for (const canary of [true, false]) {
        using engine = await openEngine(chosen, "webgpu", undefined, { canary });
        engine.setParameters(freshParameters(network));
        await engine.gradient(Uint32Array.of(0, 1, 2, 3));
        buffers.push([...Gpu.live][0].buffers);
      }
      assert.equal(buffers[0], buffers[1], `${method}, ${estimator}`);
    }
  }
});

gpuTest("a kernel that does not compile: the CPU, by name; or an error, by name", async () => {
  for (const wrong of ["let value = nothing(z);", "let value = vec3f(z);"]) {
    await withFault("dense", ["let value = activate(z);", wrong], async () => {
      const told: string[] = [];
      using engine = await openEngine(options, "auto", (line) => told.push(line));
      assert.equal(engine.backend, "cpu");
      assert.match(told.join(), /does not compile the kernel dense/);
      await assert.rejects(
        openEngine(options, "webgpu"),
        (error) => error instanceof CompileError && error.kernel === "dense",
      );
    });
  }
});
