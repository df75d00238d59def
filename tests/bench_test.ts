/** The benchmark: everything runs, wrong results fail, and nothing here depends on a time. */

import assert from "node:assert/strict";
import { measure, median, type Row, WrongResult } from "../src/bench/measurement.ts";
import { checkEngine, createProblem, open } from "../src/bench/problem.ts";
import { Product } from "../src/bench/product.ts";
import { drawDigits } from "../src/data/digits.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import { createNetwork } from "../src/core/network.ts";
import {
  cli,
  engineOptions,
  freshParameters,
  gpuTest,
  inFolder,
  randomSamples,
} from "./support.ts";
import { hasChromium, hasR } from "./tools.ts";

/** Runs the benchmark at small sizes; gives its rows by measurement. */
async function smoke(...args: string[]): Promise<Map<string, Row[]>> {
  const { code, stdout, stderr } = await cli("bench", "--smoke", "--json", ...args);
  assert.equal(code, 0, stdout + stderr);
  const { ok, rows, checks, machine } = JSON.parse(stdout);
  assert.equal(ok, true);
  for (const key of ["adapter", "cpu", "runtime", "date", "data"]) assert.ok(machine[key], key);
  for (const { measurement, skipped } of checks) {
    if (skipped) console.log(`SKIPPED: ${measurement}, ${skipped}`);
  }
  for (const { name, value, low, high } of rows as Row[]) {
    assert.ok(value > 0 && low <= value && value <= high && high < Infinity, `${name}: ${value}`);
  }
  return Map.groupBy(rows as Row[], ({ measurement }) => measurement);
}

gpuTest("bench --smoke takes every measurement, and every result is right", async (open) => {
  (await open())[Symbol.dispose]();
  await inFolder(async (folder) => {
    const rows = await smoke("--plot", `${folder}/growth.svg`);
    assert.deepEqual(
      [...rows.keys()],
      ["step", "backprop", ...hasR() ? ["tutorial"] : [], "cpu", "copies", "general"]
        .concat("growth", "convolution", "compile", "start", "memory"),
    );
    assert.match(await Deno.readTextFile(`${folder}/growth.svg`), /<svg[^]*hidden width/);
  });
});

Deno.test("bench --browser --smoke: the libraries see our losses, the products their sums", async () => {
  if (!hasChromium()) return;
  const rows = await smoke("--browser", "jax", "--only", "tensorflow", "--only", "copies");
  assert.deepEqual([...rows.keys()], ["jax", "tensorflow", "copies"]);
});

Deno.test("bench: a name that is not known, a plot of nothing, no runs", async () => {
  for (
    const [message, ...args] of [
      [/did you mean growth/, "grwth"],
      [/add growth/, "step", "--plot", "growth.svg"],
      [/0 runs/, "--runs", "0"],
    ] as [RegExp, ...string[]][]
  ) {
    const { code, stdout, stderr } = await cli("bench", "--data", "digits", ...args);
    assert.equal(code, 2, stdout);
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }
});

const SETTING = { data: drawDigits({ train: 50, test: 10 }), smoke: false };

Deno.test("contenders take turns behind an uncounted one; ratios are those of each turn", async () => {
  const taken: string[] = [];
  const contender = (name: string, values: number[]) => ({
    name,
    unit: "ms",
    sample() {
      taken.push(name);
      return Promise.resolve(values.shift()!);
    },
  });
  const { rows } = await measure(
    {
      name: "turns",
      what: "",
      prepare: () =>
        Promise.resolve({
          contenders: [contender("a", [100, 1, 2, 12]), contender("b", [100, 2, 1, 3])],
          ratios: [{ name: "a over b", of: 0, to: 1, target: { most: 1.5 } }],
          check: () => Promise.resolve("right"),
        }),
    },
    SETTING,
    3,
  );
  assert.deepEqual(taken, ["a", "b", "a", "b", "a", "b", "a", "b"]);
  assert.deepEqual(rows.map(({ value, low, high, runs }) => [value, low, high, runs]), [
    [2, 1, 12, 3],
    [2, 1, 3, 3],
    [2, 0.5, 4, 3],
  ]);
  assert.equal(rows[2].ok, false);
  assert.equal(rows[2].target, "<= 1.5 times");
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

Deno.test("what computes something wrong is not timed", async () => {
  const problem = createProblem({ ...SETTING, smoke: true });
  let timed = false;
  const outcome = await measure(
    {
      name: "wrong",
      what: "",
      async prepare() {
        const engine = await open(problem, "backprop", "cpu");
        engine.setParameters(problem.parameters.with(-1, 0.1));
        return {
          contenders: [{
            name: "wrong",
            unit: "ms",
            sample() {
              timed = true;
              return Promise.resolve(1);
            },
          }],
          check: () => checkEngine(engine, problem, { who: "one weight off" }),
        };
      },
    },
    SETTING,
    1,
  );
  assert.equal(timed, false);
  assert.deepEqual(outcome.rows, []);
  assert.match(outcome.failed!, /gradient of one weight off is wrong: \w\d has/);
});

gpuTest("a product with one number off is found", async (open) => {
  using gpu = await open();
  const product = new Product(gpu, 10, 33, true);
  await product.check();
  gpu.write(product.b, Float32Array.of(99));
  await assert.rejects(product.check(), WrongResult);
});

gpuTest("commands are timed one by one, and compute the same", async (open) => {
  const network = createNetwork({ inputs: 7, hidden: [5], classes: 3 });
  const samples = randomSamples(20, network);
  using engine = new GpuEngine(await open(), engineOptions(network, samples, 10));
  engine.setParameters(freshParameters(network));
  const indices = Uint32Array.from({ length: 10 }, (_, n) => n);
  const expected = await engine.gradient(indices);
  const timings = await engine.gpu.timed(async () => {
    assert.deepEqual(await engine.gradient(indices), expected);
  });
  if (!timings) {
    console.log("SKIPPED: the adapter has no timestamps");
    return;
  }
  const labels = timings.map(({ label }) => label);
  assert.deepEqual([labels[0], labels.at(-1)], ["gather", "finish"]);
  for (const { label, nanoseconds } of timings) {
    assert.ok(nanoseconds >= 0 && nanoseconds < 60e9, `${label}: ${nanoseconds} ns`);
  }
  assert.ok(timings.some(({ nanoseconds }) => nanoseconds > 0));
  const again = await engine.gpu.timed(() => engine.gradient(indices));
  assert.deepEqual(again!.map(({ label }) => label), labels);
});
