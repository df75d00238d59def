/**
 * The models that ONNX's own project tests runtimes with: every one of operators that are read, from
 * numbers of 32 bits, through our forward pass on both backends, against what it is to give.
 */

import assert from "node:assert/strict";
import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { openEngine } from "../src/backend.ts";
import type { Samples } from "../src/data/samples.ts";
import type { Tensor, Tensors } from "../src/data/tensors.ts";
import { type OnnxModel, readOnnx, readTensorProto } from "../src/data/onnx.ts";
import { networkOfOnnx, type OnnxNetwork } from "../src/data/onnx_network.ts";
import { OPERATORS } from "../src/data/onnx_operators.ts";
import { engineOptions, gpuTest } from "./support.ts";
import { hasOnnxModels, ONNX_MODELS } from "./tools.ts";

/**
 * Relative to the largest output. Sums of up to 3,072 products and what they are compared with are
 * rounded in 32 bits: an error grows as the root of their number, 3072^(1/2) 2^-24 = 3.3e-6, and may
 * be three times that.
 */
const TOLERANCE = 1e-5;

/** One of the project's tests. */
interface Case {
  readonly name: string;
  readonly built: OnnxNetwork;
  readonly samples: Samples;
  readonly expected: Tensor;
}

/** Why models are left out, in the words of the refusals. */
const GROUPS: readonly (readonly [why: string, pattern: RegExp])[] = [
  ["other types than float32", /holds no floats|no tensor/],
  ["windows over three dimensions", /moves over 3/],
  ["numbers of an activation that are not ours", /here it is/],
  [
    "samples that are combined with one another, or the batch moved",
    /combines the samples|batch has to stay|beside the flattened|puts a dimension before|transA|moves values|adds \[.*not one number|makes \[.*\] of \[batch|multiplies \[batch|makes \[[^\]]*\] of \[[^\]]*\] a sample|takes away more|along axis|combines \[batch/,
  ],
  ["in training mode", /in training mode/],
  ["several outputs, or none", /gives \d+ outputs|second value/],
  ["no input, or several that are data", /takes \d+ inputs/],
  ["padding that counts", /counts its padding/],
  ["more outputs than a closing layer has", /ends in no dense layer/],
  ["products or differences of computed values", /two computed values/],
  ["a shape that is not known", /is \[\?|has no shape/],
  ["padding as large as the kernel", /as large as its kernel/],
  [
    "products of more than two dimensions, or of what is computed",
    /no matrix|computed from the data|folded when/,
  ],
  ["numbers beyond 32 bits", /not finite/],
  ["no values", /values a sample|no values/],
];

async function readCase(folder: string): Promise<Case | string | undefined> {
  const bytes = await Deno.readFile(`${folder}/model.onnx`);
  let model: OnnxModel;
  const { graph } = fromBinary(ModelProtoSchema, bytes);
  if (!graph!.node.every(({ opType }) => OPERATORS.includes(opType))) return undefined;
  try {
    model = readOnnx(bytes, "model.onnx");
  } catch (error) {
    assert.ok(error instanceof SyntaxError, `${folder}: ${error}`);
    return error.message;
  }
  try {
    const read = async (name: string) => {
      const path = `${folder}/test_data_set_0/${name}.pb`;
      return readTensorProto(await Deno.readFile(path), name);
    };
    // All inputs but the first are weights; that they are data, too, is the tests' way.
    const open = model.inputs.filter(({ name }) => !model.initializers.has(name));
    const initializers: Tensors = new Map(model.initializers);
    for (let i = 1; i < open.length; i++) initializers.set(open[i].name, await read(`input_${i}`));
    const built = networkOfOnnx({ ...model, initializers }, "model.onnx");
    const x = await read("input_0"), expected = await read("output_0");
    const count = x.shape[0], inputs = x.data.length / count;
    if (!x.data.every((value) => Number.isFinite(Math.fround(value)))) return "not finite";
    const samples: Samples = {
      count,
      inputs,
      x: Float32Array.from(x.data),
      labels: new Uint16Array(count),
    };
    return { name: folder.split("/").slice(-2).join("/"), built, samples, expected };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw new Error(`${folder}: ${error}`, { cause: error });
    return error.message;
  }
}

/** The file's last softmax, of each row. */
function softened(logits: Float64Array, width: number, softmax: OnnxNetwork["softmax"]) {
  if (!softmax) return logits;
  const result = new Float64Array(logits.length);
  for (let n = 0; n < logits.length; n += width) {
    const row = logits.subarray(n, n + width), top = row.reduce((a, b) => Math.max(a, b));
    const log = Math.log(row.reduce((sum, z) => sum + Math.exp(z - top), 0));
    row.forEach((z, k) => {
      const value = z - top - log;
      result[n + k] = softmax === "Softmax" ? Math.exp(value) : value;
    });
  }
  return result;
}

/** The largest difference over the largest output. */
async function worstOf({ name, built, samples, expected }: Case, backend: "cpu" | "webgpu") {
  const { network, parameters } = built;
  using engine = await openEngine(
    engineOptions(network, samples, 1, { method: "backprop" }),
    backend,
  );
  engine.setParameters(parameters);
  const ours = softened(await engine.logits(samples), network.classes, built.softmax);
  assert.equal(ours.length, expected.data.length, name);
  let largest = 0, at = 0, most = 0;
  ours.forEach((value, i) => {
    most = Math.max(most, Math.abs(expected.data[i]));
    const difference = Math.abs(value - expected.data[i]);
    if (!(difference <= largest)) [largest, at] = [difference, i];
  });
  const error = largest / (most || 1);
  assert.ok(
    error <= TOLERANCE,
    `${name} on ${backend}: at ${at} it is ${ours[at]}, not ${expected.data[at]} (${error})`,
  );
  return error;
}

const cases: Case[] = [], left = new Map<string, string[]>();

Deno.test("ONNX's own models: each is read, or left out for a reason", async () => {
  if (!hasOnnxModels()) return;
  for (const kind of ["node", "simple", "pytorch-converted", "pytorch-operator"]) {
    const names = [...Deno.readDirSync(`${ONNX_MODELS}/${kind}`)].map(({ name }) => name).sort();
    for (const name of names) {
      const result = await readCase(`${ONNX_MODELS}/${kind}/${name}`);
      if (result === undefined) continue;
      if (typeof result !== "string") {
        cases.push(result);
        continue;
      }
      const [why] = GROUPS.find(([, pattern]) => pattern.test(result)) ?? [result];
      left.set(why, [...left.get(why) ?? [], name.replace("test_", "")]);
    }
  }
  console.log(`${cases.length} models are compared. Left out:`);
  for (const [why, names] of left) console.log(`  ${why} (${names.length}): ${names.join(", ")}`);
  const reasons = GROUPS.map(([why]) => why);
  assert.deepEqual([...left.keys()].filter((why) => !reasons.includes(why)), []);
  // Of the models of version 1.12, which Debian 12 has; later ones have more.
  assert.ok(cases.length >= 151, `${cases.length} models are read`);
});

Deno.test("ONNX's own models on the CPU", async () => {
  let worst = 0;
  for (const one of cases) worst = Math.max(worst, await worstOf(one, "cpu"));
  console.log(`${cases.length} models on the CPU, largest error ${worst}`);
});

gpuTest("ONNX's own models on the GPU", async () => {
  let worst = 0;
  for (const one of cases) worst = Math.max(worst, await worstOf(one, "webgpu"));
  console.log(`${cases.length} models on the GPU, largest error ${worst}`);
});
