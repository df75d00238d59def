/**
 * Every reader, given valid files that were damaged: each outcome is one clear line, or a value that
 * is itself valid. FUZZ_RUNS says how many inputs each reader gets (default 500), FUZZ_SEED which.
 */

import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { zipSync } from "fflate";
import { estimatorOf, trainingOf, withDefaults } from "../src/cli/options.ts";
import { parseLog } from "../src/cli/plot.ts";
import { loadRun } from "../src/cli/runs.ts";
import type { Loaded } from "../src/cli/weights.ts";
import { createRandom } from "../src/core/generators.ts";
import { initialParameters } from "../src/core/initialization.ts";
import { connect, createNetwork, skippedInput } from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import { checkpointTensors, runTensors } from "../src/data/checkpoint.ts";
import { idxDataSet, type IdxFiles, parseIdx, writeIdx } from "../src/data/idx.ts";
import { readOnnx } from "../src/data/onnx.ts";
import { networkOfOnnx } from "../src/data/onnx_network.ts";
import { onnxOf } from "../src/data/onnx_writer.ts";
import { readTensors, type Tensors, writeTensors } from "../src/data/tensors.ts";
import { checkTraining } from "../src/method/training.ts";
import {
  complaintAbout,
  fromQuery,
  NAMES,
  nodesOf,
  parseSettings,
  SETTINGS,
  toQuery,
} from "../web/way/settings.ts";
import { inFolder, randomMaps } from "./support.ts";
import { h5py, ONNX_MODELS, PYTHON, python } from "./tools.ts";

const RUNS = Number(Deno.env.get("FUZZ_RUNS") ?? 500);
const SEED = Number(Deno.env.get("FUZZ_SEED") ?? 1);
/** No reader of files this small may need more, in bytes; the HDF5 library alone takes 100 MB. */
const MEMORY = 512 * 2 ** 20;

/** One damage, at a place that is a share of the file. */
type Damage =
  | { kind: "flip"; at: number; bit: number }
  | { kind: "byte"; at: number; value: number }
  | { kind: "cut"; at: number }
  | { kind: "delete" | "repeat"; at: number; length: number }
  | { kind: "insert"; at: number; bytes: Uint8Array }
  | { kind: "number"; at: number; text: string }
  | { kind: "line"; at: number; to: number }
  | { kind: "integer"; at: number; value: bigint; size: 1 | 2 | 4 | 8; little: boolean };

/** Headers are short, and where damage does most: half of all damage is done near the start. */
const place = fc.oneof(
  fc.nat(2 ** 20 - 1).map((at) => at / 2 ** 20),
  fc.nat(96).map((at) => -at),
);
const length = fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 2000 }));
const extremes = [0n, 1n, 2n, 127n, 128n, 255n, 32767n, 65535n, 2n ** 24n, 2n ** 28n].concat([
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
  0x7ff0000000000000n, // infinity
]);
const texts = ["0", "1", "-1", "0.5", "1e999", "-1e999", "1e308", "9007199254740993", "null", "[]"];
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at: place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant("byte" as const), at: place, value: fc.nat(255) }),
  fc.record({ kind: fc.constant("cut" as const), at: place }),
  fc.record({ kind: fc.constantFrom("delete" as const, "repeat" as const), at: place, length }),
  fc.record({
    kind: fc.constant("insert" as const),
    at: place,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  }),
  fc.record({ kind: fc.constant("number" as const), at: place, text: fc.constantFrom(...texts) }),
  fc.record({ kind: fc.constant("line" as const), at: place, to: place }),
  fc.record({
    kind: fc.constant("integer" as const),
    at: place,
    value: fc.constantFrom(...extremes),
    size: fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const, 8 as const),
    little: fc.boolean(),
  }),
);

const NEWLINE = 10;

function apply(bytes: Uint8Array, change: Damage): Uint8Array {
  const index = (at: number) =>
    at < 0 ? Math.min(-at, bytes.length) : Math.floor(at * bytes.length);
  const at = index(change.at);
  const before = bytes.subarray(0, at), after = bytes.subarray(at);
  const join = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
  switch (change.kind) {
    case "flip":
      return bytes.map((byte, i) => i === at ? byte ^ (1 << change.bit) : byte);
    case "byte":
      return bytes.map((byte, i) => i === at ? change.value : byte);
    case "cut":
      return before.slice();
    case "delete":
      return join(before, after.subarray(change.length));
    case "repeat":
      return join(before, after.subarray(0, change.length), after);
    case "insert":
      return join(before, change.bytes, after);
    case "number": { // the next number that is written out
      const text = new TextDecoder("latin1").decode(after);
      const found = /-?\d[\d.e+-]*/.exec(text);
      if (!found) return bytes;
      const changed = new TextEncoder().encode(change.text);
      const end = found.index + found[0].length;
      return join(before, after.subarray(0, found.index), changed, after.subarray(end));
    }
    case "line": { // lines put elsewhere, again
      const start = bytes.indexOf(NEWLINE, at) + 1,
        to = bytes.indexOf(NEWLINE, index(change.to)) + 1;
      const end = bytes.indexOf(NEWLINE, start + 200) + 1;
      return join(bytes.subarray(0, to), bytes.subarray(start, end), bytes.subarray(to));
    }
    case "integer": { // where numbers are mostly kept, at a multiple of their size
      const at = index(change.at) & -change.size;
      const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
      const number = new Uint8Array(8);
      new DataView(number.buffer).setBigUint64(0, change.value, true);
      const part = number.slice(0, change.size);
      if (!change.little) part.reverse();
      return join(before, part, after.subarray(change.size));
    }
  }
}

const equal = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

/** One file for a reader: it is refused in one line, or read into something that holds. */
type Attempt<T> = (read: () => Promise<T> | T, check: (value: T) => unknown) => Promise<void>;

/** Runs many attempts, counts how they end, and watches the memory that they take. */
async function campaign<T, Input>(
  inputs: fc.Arbitrary<Input>,
  body: (input: Input, attempt: Attempt<T>) => Promise<void>,
): Promise<void> {
  const memory = Deno.memoryUsage().rss;
  let refused = 0, accepted = 0;
  const attempt: Attempt<T> = async (read, check) => {
    let value: T;
    try {
      value = await read();
    } catch (error) {
      const { name, message } = error as Error;
      assert.match(`${name}: ${message}`, /^(Syntax|Type|Range)Error: Cannot [^\n]*$/);
      refused++;
      return;
    }
    accepted++;
    await check(value);
  };
  await fc.assert(
    fc.asyncProperty(inputs, async (input) => {
      await body(input, attempt);
      assert.ok(Deno.memoryUsage().rss - memory < MEMORY, "it takes too much memory");
    }),
    { numRuns: RUNS, seed: SEED },
  );
  console.log(`${refused} refused, ${accepted} read`);
  assert.ok(refused > RUNS / 20, `only ${refused} of ${RUNS} were refused`);
}

/** Gives damaged files to a reader, and between them, at first and at last, the whole ones. */
async function fuzz<T>(
  files: readonly Uint8Array[],
  read: (bytes: Uint8Array) => Promise<T> | T,
  check: (value: T, bytes: Uint8Array, original: Uint8Array) => unknown,
): Promise<void> {
  const whole = async () => {
    for (const file of files) await check(await read(file), file, file);
  };
  const changes = fc.oneof(
    damage.map((change) => [change]),
    fc.array(damage, { minLength: 2, maxLength: 4 }),
  );
  await whole();
  await campaign<T, [number, Damage[]]>(
    fc.tuple(fc.nat(files.length - 1), changes),
    async ([which, changes], attempt) => {
      const bytes = changes.reduce(apply, files[which]);
      await attempt(() => read(bytes), (value) => check(value, bytes, files[which]));
    },
  );
  await whole();
}

const random = new Xoshiro(1);
const noise = (count: number) => Uint8Array.from({ length: count }, () => 256 * random.uniform());
/** Labels of 16 or 32 bits. */
const wide = (Numbers: typeof Int16Array | typeof Int32Array) =>
  writeIdx({ shape: [6], data: new Numbers([0, 300, 2, 1, 299, 5]) });
const idx = (...shape: number[]) =>
  writeIdx({ shape, data: noise(shape.reduce((product, length) => product * length, 1)) });

// IDX has no checksum, but no slack either: what was read, written again, must be the file.
Deno.test("fuzz: IDX", () =>
  fuzz(
    [idx(7), idx(3, 4), idx(5, 6, 7), idx(2, 3, 4, 5), ...[Int16Array, Int32Array].map(wide)],
    (bytes) => parseIdx({ name: "file", bytes }),
    (array, bytes) => {
      const raw = bytes[0] === 0x1f ? gunzipSync(bytes) : bytes;
      assert.equal(array.data.length, array.shape.reduce((product, length) => product * length, 1));
      assert.ok(equal(writeIdx(array), raw));
    },
  ));

// gzip has a checksum over its content: what is read at all must be what was packed.
Deno.test("fuzz: gzip", () =>
  fuzz(
    [idx(7), idx(30, 40), writeIdx({ shape: [50, 60], data: new Uint8Array(3000) })].map((file) =>
      new Uint8Array(gzipSync(file))
    ),
    (bytes) => parseIdx({ name: "file", bytes }),
    (array, _, original) => assert.ok(equal(writeIdx(array), gunzipSync(original))),
  ));

// Four files that must belong together.
Deno.test("fuzz: data sets", () => {
  const files: Uint8Array[] = [
    idx(6, 4, 4),
    writeIdx({ shape: [6], data: Uint8Array.of(0, 1, 2, 0, 1, 2) }),
    idx(3, 4, 4),
    writeIdx({ shape: [3], data: Uint8Array.of(2, 1, 0) }),
  ];
  const roles = ["trainImages", "trainLabels", "testImages", "testLabels"] as const;
  let which = 0;
  return fuzz(
    files,
    (bytes) => {
      which = (which + 1) % 4;
      const at = files.indexOf(bytes) >= 0 ? files.indexOf(bytes) : which;
      const four = roles.map((
        role,
        i,
      ) => [role, { name: role, bytes: i === at ? bytes : files[i] }]);
      return idxDataSet(Object.fromEntries(four) as unknown as IdxFiles, "data");
    },
    ({ inputs, classes, train, test }) => {
      for (const { count, x, labels } of [train, test]) {
        assert.ok(count > 0 && inputs > 0 && x.length === count * inputs);
        assert.ok(labels.length === count && labels.every((label) => label < classes));
      }
    },
  );
});

const NETWORK = createNetwork({ inputs: 6, hidden: [5, 4], classes: 3, activation: "tanh" });

/** A saved run of the network. */
function run(rng: "xoshiro" | "r", layout: "numpy" | "r"): Tensors {
  const parameters = initialParameters(NETWORK, 1, new Xoshiro(1));
  const moments = parameters.map((value) => value * value);
  const settings = {
    ...{ activation: "tanh", loss: "cross-entropy", epsilon: "1e-7", batch: "10", lr: "0.1" },
    ...{ optimizer: "adam", weightDecay: "0", schedule: "constant", estimator: "central" },
    ...{ queries: "1", h: "0.0001", engine: "differences", seed: "1", rng, steps: "20" },
    ...{ data: "digits", hidden: "5,4" },
  };
  return checkpointTensors(NETWORK, parameters, {
    state: { first: parameters, second: moments, steps: 12 },
    random: createRandom(rng, 1).state,
    losses: Float64Array.from({ length: 12 }, (_, i) => 2 / (i + 1)),
    settings,
  }, layout);
}
const runs = [run("xoshiro", "numpy"), run("xoshiro", "r"), run("r", "numpy")];

/** Reads a run as `train --resume` does, up to where it would open an engine. */
async function resume(path: string, bytes: Uint8Array) {
  await Deno.writeFile(path, bytes);
  const loaded = await loadRun(path, withDefaults({}), () => false, () => {
    throw new Error("weights of dense layers need no data to be read");
  });
  checkTraining({ ...trainingOf(loaded.options), steps: Number.MAX_SAFE_INTEGER }, Infinity);
  estimatorOf(loaded.options);
  return loaded;
}

/** Weights that chain, and a state that goes on. */
function checkRun({ network, parameters, checkpoint, options }: Loaded): void {
  assert.equal(parameters.length, network.parameters);
  assert.ok(parameters.every(Number.isFinite));
  network.layers.slice(1).forEach((layer, l) =>
    assert.equal(layer.inputs, network.layers[l].outputs)
  );
  if (!checkpoint) return; // weights alone, and that is what is said of them
  const { state, losses } = checkpoint;
  assert.ok(Number.isSafeInteger(state.steps) && state.steps >= 0);
  assert.equal(losses.length, state.steps);
  assert.equal(state.first.length, parameters.length);
  assert.equal(state.second.length, parameters.length);
  assert.ok(state.first.every(Number.isFinite));
  assert.ok(state.second.every((value) => value >= 0 && value < Infinity));
  const random = createRandom(options.rng, 1);
  random.state = checkpoint.random;
  const drawn = [...random.sample(1000, 10)];
  assert.equal(new Set(drawn).size, 10);
  assert.ok(drawn.every((index) => Number.isInteger(index) && index >= 0 && index < 1000));
}

/** HDF5 files of others, of both formats of the library, with chunks, gzip and checksums. */
const others = () =>
  PYTHON
    ? Promise.all(["earliest", "latest"].map((version) =>
      h5py(
        `f["W1"] = np.arange(40.).reshape(8, 5)
f.create_dataset("group/z", data=np.ones((20, 10), ">f4"), chunks=(7, 4), compression="gzip", fletcher32=True)
f["i"] = np.arange(6, dtype="i2")
f["text"] = "text"`,
        `, libver="${version}"`,
      )
    ))
    : [];

/** An array as NumPy writes it, of zeros. */
function npy(shape: number[], bytes: number): Uint8Array {
  const header = `{'descr': '<f8', 'fortran_order': False, 'shape': (${shape.join(", ")}), }\n`;
  const start = Uint8Array.of(0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, header.length, 0);
  return Uint8Array.of(...start, ...new TextEncoder().encode(header), ...new Uint8Array(bytes));
}

/** Files of ONNX: of our own networks and, where they are, of its own tests, old ones among them. */
function models(): Uint8Array[] {
  const ours = [randomMaps(3), randomMaps(11), NETWORK].map((network) =>
    onnxOf(network, initialParameters(network, 1, new Xoshiro(1)), "a.onnx")
  );
  if (!ONNX_MODELS) return ours;
  const theirs = [
    ...["node/test_relu", "pytorch-converted/test_Conv2d_groups", "pytorch-converted/test_Linear"],
    ...["pytorch-converted/test_BatchNorm2d_eval", "pytorch-converted/test_AvgPool1d"],
    ...["pytorch-converted/test_PixelShuffle", "node/test_celu_expanded"],
    ...["pytorch-converted/test_MaxPool2d", "pytorch-converted/test_LogSoftmax"],
  ].map((name) => Deno.readFileSync(`${ONNX_MODELS}/${name}/model.onnx`));
  return [...ours, ...theirs];
}

/** A network is what its parts say, or there is none. */
const readModel = (bytes: Uint8Array) => {
  const model = readOnnx(bytes, "a.onnx");
  try {
    return networkOfOnnx(model, "a.onnx");
  } catch (error) {
    // Some of the files are no network of one input to begin with.
    assert.match(`${error}`, /^SyntaxError: Cannot [^\n]*$/);
    return undefined;
  }
};

// Protocol buffers have no checksum: what is read has to be a network whose weights are its own.
Deno.test("fuzz: ONNX", () =>
  fuzz(models(), readModel, (read) => {
    if (!read) return;
    const { network, parameters, names } = read;
    assert.equal(parameters.length, network.parameters);
    assert.ok(parameters.every(Number.isFinite));
    const all = [...names.values()].map(({ name }) => name);
    assert.equal(new Set(all).size, all.length);
    skippedInput(network);
  }));

Deno.test("fuzz: runs in .onnx", () =>
  inFolder(async (folder) => {
    const network = randomMaps(3, { epsilon: 0 });
    const parameters = initialParameters(network, 1, new Xoshiro(1));
    const whole = checkpointTensors(network, parameters, {
      state: { first: parameters, second: parameters.map((value) => value * value), steps: 12 },
      random: createRandom("xoshiro", 1).state,
      losses: Float64Array.from({ length: 12 }, (_, i) => 2 / (i + 1)),
      settings: { loss: "cross-entropy", epsilon: "0", steps: "20", optimizer: "adam" },
    }, "numpy");
    const file = onnxOf(network, parameters, "a.onnx", { run: runTensors(parameters, whole) });
    await fuzz([file], (bytes) => resume(`${folder}/a.onnx`, bytes), (loaded) => {
      checkRun({ ...loaded, network: { ...loaded.network, layers: [] } });
      assert.equal(loaded.parameters.length, loaded.network.parameters);
    });
  }));

// A zip archive has checksums, which the library leaves unread: numbers fill their shapes.
Deno.test("fuzz: .npz", async () => {
  const files = await Promise.all(["savez", "savez_compressed"].map((save) =>
    PYTHON
      ? python(`
file = io.BytesIO()
np.${save}(file, a=np.arange(24.).reshape(2, 3, 4), b=np.asfortranarray(np.ones((5, 4), ">f4")),
  c=np.arange(7), d=np.zeros(300))
sys.stdout.buffer.write(file.getvalue())`)
      : zipSync({ "a.npy": npy([2, 3], 48) })
  ));
  await fuzz(files, (bytes) => readTensors(bytes, "a.npz"), (tensors) => {
    for (const { shape, data } of tensors.values()) {
      assert.equal(data.length, shape.reduce((product, length) => product * length, 1));
      assert.ok(data.every(Number.isFinite));
    }
  });
});

// Tensors have no checksum in either format (HDF5 has them for its own tables, and for data only
// where the writer asked): their numbers must be finite and fill their shapes, and all of the data
// of a safetensors file must belong to them.
for (const ending of ["h5", "safetensors"]) {
  Deno.test(`fuzz: tensors in .${ending}`, async () => {
    const files = await Promise.all(runs.map((run) => writeTensors(run, `run.${ending}`)));
    await fuzz(
      ending === "h5" ? [...files, ...await others()] : files,
      (bytes) => readTensors(bytes, `file.${ending}`),
      (tensors, bytes) => {
        assert.ok(tensors.size > 0 || ending === "safetensors");
        let numbers = 0;
        for (const { shape, data } of tensors.values()) {
          assert.equal(data.length, shape.reduce((product, size) => product * size, 1));
          assert.ok(data.every(Number.isFinite));
          numbers += data.length;
        }
        assert.ok(numbers <= 1032 * bytes.length);
      },
    );
  });

  Deno.test(`fuzz: runs in .${ending}`, () =>
    inFolder(async (folder) => {
      const path = `${folder}/run.${ending}`;
      const files = await Promise.all(runs.map((run) => writeTensors(run, path)));
      await fuzz(files, (bytes) => resume(path, bytes), checkRun);
    }));
}

// The formats are whole here, and what they hold is not.
Deno.test("fuzz: runs whose tensors are others", () =>
  inFolder(async (folder) => {
    const path = `${folder}/run.safetensors`;
    const values = fc.constantFrom(
      0,
      -0,
      -1,
      0.5,
      1,
      13,
      255,
      256,
      2 ** 32,
      2 ** 53,
      -1e308,
      1e308,
    );
    const change = fc.record({
      tensor: fc.nat(),
      kind: fc.constantFrom(
        "set" as const,
        "fill" as const,
        "cut" as const,
        "grow" as const,
        "drop" as const,
      ),
      at: fc.nat(),
      value: values,
    });
    await campaign<Loaded, [number, { tensor: number; kind: string; at: number; value: number }[]]>(
      fc.tuple(fc.nat(runs.length - 1), fc.array(change, { minLength: 1, maxLength: 3 })),
      async ([which, changes], attempt) => {
        const tensors: Tensors = new Map(runs[which]);
        for (const { tensor, kind, at, value } of changes) {
          const name = [...tensors.keys()][tensor % tensors.size];
          const { shape, data } = tensors.get(name)!;
          const vector = (data: Float64Array) => tensors.set(name, { shape: [data.length], data });
          if (kind === "drop") tensors.delete(name);
          else if (kind === "cut") vector(data.slice(0, -1));
          else if (kind === "grow") vector(Float64Array.of(...data, value));
          else if (kind === "fill") tensors.set(name, { shape, data: data.map(() => value) });
          else if (data.length > 0) {
            tensors.set(name, { shape, data: data.with(at % data.length, value) });
          }
        }
        const bytes = await writeTensors(tensors, path);
        await attempt(() => resume(path, bytes), checkRun);
      },
    );
  }));

// A log is text: steps that count up, and numbers that can be drawn.
Deno.test("fuzz: logs", () => {
  const lines = Array.from({ length: 40 }, (_, i) => [
    { step: i + 1, loss: 2.3 / (i + 1), ms: 12.5 },
    ...(i % 10 === 9 ? [{ step: i + 1, accuracy: i / 50 }] : []),
  ]).flat().map((entry) => JSON.stringify(entry) + "\n");
  return fuzz(
    [new TextEncoder().encode(lines.join(""))],
    (bytes) => parseLog(new TextDecoder().decode(bytes), "file"),
    ({ losses, accuracies }) => {
      assert.ok(losses.length > 0);
      for (const points of [losses, accuracies]) {
        points.forEach(([step, value], i) => {
          assert.ok(Number.isSafeInteger(step) && step >= 1 && Number.isFinite(value));
          assert.ok(i === 0 || step > points[i - 1][0], `${points[i - 1]} before ${step}`);
        });
      }
      assert.ok(accuracies.every(([, accuracy]) => accuracy <= 1));
    },
  );
});

// An address is never refused: what makes no sense is named, and has its default.
Deno.test("fuzz: the page's address", async () => {
  const query = "?data=mnist&hidden=100,50&activation=tanh&optimizer=adam&lr=0.01&batch=200" +
    "&h=0.001&engine=copies&seed=42&steps=1000" +
    "&network=conv 4x5 stride 2, relu, maxpool 2, dense 20, step";
  const part = fc.oneof(
    fc.constantFrom(
      ...query.slice(1).split(/[&=]/),
      "%",
      "%00",
      "%ff",
      "=",
      "&",
      ";",
      "1e999",
      "-1",
    ),
    fc.constantFrom(
      "0x10",
      "Infinity",
      "NaN",
      " 5",
      "5\n",
      "&lr=Infinity",
      "&h=1e999",
      "&lr=",
      "__proto__=1",
      "\ud800",
    ),
    fc.string({ unit: "binary", maxLength: 20 }),
  );
  let named = 0;
  await fc.assert(
    fc.property(
      fc.array(damage, { maxLength: 4 }),
      fc.array(part),
      fc.boolean(),
      (changes, parts, own) => {
        const bytes = changes.reduce(apply, new TextEncoder().encode(query));
        const text = own ? "?" + parts.join("") : new TextDecoder().decode(bytes);
        const { texts, wrong } = fromQuery(text);
        named += Object.keys(wrong).length;
        assert.deepEqual(Object.keys(texts), NAMES);
        const given = new URLSearchParams(text);
        for (const name of NAMES) {
          assert.equal(complaintAbout(name, texts[name]), undefined, `${name}=${texts[name]}`);
          const taken = given.get(name) ?? SETTINGS[name].standard;
          assert.equal(wrong[name] ?? taken, taken);
          assert.equal(texts[name], name in wrong ? SETTINGS[name].standard : taken);
        }
        const settings = parseSettings(texts);
        for (const value of Object.values(settings)) {
          assert.ok(typeof value === "string" || Number.isFinite(value));
        }
        const inputShape = [1, 28, 28] as const;
        connect({ inputs: 784, inputShape, classes: 10, nodes: nodesOf(settings) });
        assert.deepEqual(fromQuery(toQuery(texts)), { texts, wrong: {} });
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
  assert.ok(named > RUNS / 20, `only ${named} were named`);
});

// A gzip file may hold a thousand times its size: no more of it is unpacked than its header says.
Deno.test("fuzz: a gzip bomb is not unpacked", async () => {
  const zeros = new Uint8Array(2 ** 26);
  zeros.set(idx(10, 10));
  const bytes = new Uint8Array(gzipSync(zeros));
  assert.ok(bytes.length < 2 ** 17);
  const before = Deno.memoryUsage().rss;
  await assert.rejects(
    parseIdx({ name: "file", bytes }),
    /^SyntaxError: Cannot read file: .* more follow/,
  );
  assert.ok(Deno.memoryUsage().rss - before < 2 ** 25);
  // And a header may claim no more than its file can hold.
  const claim = gzipSync(writeIdx({ shape: [2 ** 15, 2 ** 15], data: new Uint8Array(1000) }));
  await assert.rejects(
    parseIdx({ name: "file", bytes: new Uint8Array(claim) }),
    /^SyntaxError: Cannot read file: its header/,
  );
});
