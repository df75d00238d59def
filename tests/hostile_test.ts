/**
 * Hostile arithmetic: the kernels rewritten as a compiler may that does not calculate as written, and
 * right all the same. WGSL allows a * b + c for fma(a, b, c), divisions that are 2.5 units off, sums
 * in another order, and compilers that take for granted that there is no NaN.
 */

import assert from "node:assert/strict";
import { createNetwork } from "../src/core/network.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import { KERNELS, rewriting, ROLES } from "../src/gpu/shaders.ts";
import { BY_INPUT, checkGpuActivation, checkGpuLoss, LOSS_NETWORKS } from "./changes.ts";
import {
  assertGradient,
  engineOptions,
  freshParameters,
  gpuTest,
  randomSamples,
} from "./support.ts";

/** Replaces text that must be there wherever `special.wgsl` is. */
function replaced(code: string, text: string, other: string): string {
  if (!code.includes("fn quotient(")) return code;
  assert.ok(code.includes(text), `nothing to rewrite: ${text}`);
  return code.replaceAll(text, other);
}

/** The arguments of a call whose parenthesis opens at `open`, and where it closes. */
function argumentsAt(code: string, open: number): { parts: string[]; close: number } {
  const parts: string[] = [];
  let depth = 0, start = open + 1;
  for (let i = open;; i++) {
    if (code[i] === "(" || code[i] === "[") depth++;
    else if (code[i] === ")" || code[i] === "]") depth--;
    if (depth === 0 || (depth === 1 && code[i] === ",")) {
      parts.push(code.slice(start, i).trim());
      start = i + 1;
    }
    if (depth === 0) return { parts: parts.filter((part) => part !== ""), close: i };
  }
}

/** fma(a, b, c) as a * b + c, two roundings instead of one. */
function unfused(code: string): string {
  for (let at; (at = code.search(/\bfma\(/)) >= 0;) {
    const { parts: [a, b, c], close } = argumentsAt(code, at + 3);
    code = `${code.slice(0, at)}((${a}) * (${b}) + (${c}))${code.slice(close + 1)}`;
  }
  return code;
}

/** Divisions off by so many units of rounding: an expression of the bits of the exact quotient. */
const divided = (units: string) => (code: string) =>
  replaced(
    code,
    "let inverse = 1.0 / b;",
    `let exact = bitcast<vec4i>(1.0 / b);
     let inverse = bitcast<vec4f>(exact + ${units});`,
  );

/** Other orders of sums that keep digits where they are written. */
function reassociated(code: string): string {
  code = replaced(code, "fma(power, series, power - 1.0)", "(power * (1.0 + series) - 1.0)");
  code = replaced(
    code,
    "let low = fma(2.0 * t, series, k * LN2_LOW);",
    "let low = 2.0 * t * series;",
  );
  code = replaced(
    code,
    "return fma(k, vec4f(LN2_HIGH), low);",
    "return k * (LN2_HIGH + LN2_LOW) + low;",
  );
  code = replaced(
    code,
    "rectified_change(y, dy) + (softplus_rest(y + dy) - softplus_rest(y))",
    "(rectified_change(y, dy) - softplus_rest(y)) + softplus_rest(y + dy)",
  );
  return code.replaceAll("(sum.x + sum.y) + (sum.z + sum.w)", "((sum.w + sum.z) + sum.y) + sum.x");
}

const HASHED = "(vec4i((vec4u(exact) * 2654435761u) >> vec4u(8u)) % vec4i(5) - 2)";
const MODES: Record<string, (code: string) => string> = {
  "a * b + c for fma": unfused,
  "divisions 2 units below": divided("vec4i(-2)"),
  "divisions 2 units above": divided("vec4i(2)"),
  "divisions off by chance": divided(HASHED),
  "sums in another order": reassociated,
  "all at once": (code) => unfused(reassociated(divided(HASHED)(code))),
};

/** Runs with every shader rewritten, and makes sure that some were. */
async function rewritten(rewrite: (code: string) => string, body: () => Promise<void>) {
  let changed = 0;
  rewriting.rewrite = (code) => {
    const other = rewrite(code);
    if (other !== code) changed++;
    return other;
  };
  try {
    await body();
  } finally {
    delete rewriting.rewrite;
  }
  assert.ok(changed > 0);
}

for (const [mode, rewrite] of Object.entries(MODES)) {
  gpuTest(`hostile, ${mode}: changes are exact`, async (open) => {
    await rewritten(rewrite, async () => {
      for (const activation of BY_INPUT) {
        using gpu = await open();
        await checkGpuActivation(gpu, activation);
      }
      for (const network of LOSS_NETWORKS) {
        using gpu = await open();
        await checkGpuLoss(gpu, network);
      }
    });
  });

  gpuTest(`hostile, ${mode}: gradients against float64`, async (open) => {
    const all = mode === "all at once";
    const cases = [
      { hidden: [7, 6], h: 1e-2, activation: "sigmoid" } as const, // general forms, every stage
      ...(all
        ? [
          { hidden: [9], h: 1e-4, activation: "tanh" } as const, // short series
          { hidden: [9], h: 100, activation: "relu" } as const, // sums of logarithms
        ]
        : []),
    ];
    await rewritten(rewrite, async () => {
      for (const { hidden, h, activation } of cases) {
        const network = createNetwork({ inputs: 12, hidden, classes: 4, activation });
        const samples = randomSamples(9, network, true);
        const parameters = freshParameters(network);
        const options = engineOptions(network, samples, 9, { h });
        using gpu = new GpuEngine(await open(), options);
        using cpu = new CpuEngine(options);
        const gradients = [];
        for (const engine of [gpu, cpu]) {
          engine.setParameters(parameters);
          const { gradient } = await engine.gradient(Uint32Array.from({ length: 9 }, (_, n) => n));
          gradients.push(gradient);
        }
        assertGradient(network, gradients[0], gradients[1], 1e-6);
      }
    });
  });
}

gpuTest("hostile, all at once: what stops being finite is named by its step", async (open) => {
  await rewritten(MODES["all at once"], async () => {
    const network = createNetwork({ inputs: 2, hidden: [], classes: 2 });
    const samples = {
      count: 2,
      inputs: 2,
      x: Float32Array.of(0, 1, 1, 1),
      labels: new Uint8Array(2),
    };
    const options = {
      ...engineOptions(network, samples, 1),
      optimizer: { name: "sgd", weightDecay: 1 },
    } as const;
    using engine = new GpuEngine(await open(), options);
    const train = (rows: number[], rates: number[]) =>
      engine.train(Uint32Array.from(rows), Float64Array.from(rates));
    // Behind an input of 0 lies a weight that only its decay moves: by -1e10 w at step 2.
    engine.setParameters(Float64Array.of(0, 1e30, 0, 0, 0, 0));
    await assert.rejects(
      train([0, 0, 0], [0, 1e10, 0]),
      /^RangeError: Cannot go on at step 2: its update makes W1\[0,1\] no finite number/,
    );
    // Logits of infinity and of NaN make losses that the step is known by.
    engine.setParameters(Float64Array.of(3e38, 0, 3e38, 0, 0, 0));
    await assert.rejects(
      train([0, 0, 1], [0, 0, 0]),
      /^RangeError: Cannot go on at step 3: the loss is (NaN|Infinity)/,
    );
  });
});

// What no rewriting can show: that nothing is written in a way that compilers may take for granted,
// and that no other division than the one that is mended decides over digits.
/** What whole numbers are divided by; of others, quotient() alone divides. */
const COUNTS = new RegExp(
  "^(\\(?\\d+u|vec4u\\(|[A-Z][A-Z_]+|(part|window|pooled|maps)\\.\\w+|responses_of_channel\\(|" +
    "(runs|quads|filter_quads|cells|area|positions|along)\\b)",
);

Deno.test("no shader compares a number with itself, and only quotient() divides", () => {
  const pieces = Object.values(ROLES).flatMap((role) => Object.entries(role));
  for (const [name, code] of [...Object.entries(KERNELS), ...pieces]) {
    const text = code.replaceAll(/\/\/.*$/gm, "");
    assert.doesNotMatch(text, /\b([\w.]+) [!=]= \1\b(?!\()/, name);
    for (const [, divisor] of text.matchAll(/ \/ ([^;,)]+)/g)) {
      assert.match(divisor, COUNTS, name);
    }
  }
});
