/** HDF5 against itself, against Python's h5py, and against damaged and hostile files. */

import assert from "node:assert/strict";
import { TUTORIAL_WEIGHTS } from "./support.ts";
import { h5py, PYTHON, python } from "./tools.ts";
import fc from "fast-check";
import { readHdf5, writeHdf5 } from "../src/data/hdf5.ts";
import { readTensors, type Tensor, type Tensors, writeTensors } from "../src/data/tensors.ts";

// The readers must never print, and h5wasm keeps the console that it finds when it is loaded.
let printed = 0;
const say = console.log.bind(console);
for (const name of ["log", "info", "warn", "error", "debug"] as const) {
  const original = console[name];
  console[name] = (...args: unknown[]) => {
    printed++;
    original(...args);
  };
}

function skip(what: string, why: string): void {
  say(`\n******** SKIPPED: ${what}: ${why} ********\n`);
}

/** Numbers that Python and JavaScript compute alike: (i * 0.1 - 7) / 3. */
const numbers = (count: number) =>
  Float64Array.from({ length: count }, (_, i) => (i * 0.1 - 7) / 3);
const NUMBERS = "n = lambda *shape: ((np.arange(np.prod(shape)) * 0.1 - 7) / 3).reshape(shape)\n";

const tensor = (shape: number[], data: ArrayLike<number>): Tensor => ({
  shape,
  data: Float64Array.from(data),
});

/** Equal to the last bit: -0 is not 0. */
function assertSame(actual: Tensors, expected: Tensors): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [name, { shape, data }] of expected) {
    assert.deepEqual(actual.get(name)!.shape, shape, name);
    assert.deepEqual(
      new BigUint64Array(actual.get(name)!.data.buffer),
      new BigUint64Array(data.slice().buffer),
      name,
    );
  }
}

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });

/** Tensors of small shapes, some in groups, some without a number. */
const anyTensors = fc.dictionary(
  fc.stringMatching(/^[A-Za-z0-9_. é중]{1,6}$/).filter((name) => name !== "."),
  fc.array(fc.nat(4), { maxLength: 3 }).chain((shape) => {
    const count = shape.reduce((product, size) => product * size, 1);
    return fc.record({
      shape: fc.constant(shape),
      data: fc.array(finite, { minLength: count, maxLength: count }).map((data) =>
        Float64Array.from(data)
      ),
    });
  }),
  { minKeys: 1, maxKeys: 4, noNullPrototype: true },
).map((tensors) =>
  new Map(
    Object.entries(tensors).map(([name, value], i) => [i % 2 ? `group/${i}/${name}` : name, value]),
  )
);

Deno.test("HDF5: what is written is read back to the last bit", async () => {
  await fc.assert(
    fc.asyncProperty(anyTensors.filter((tensors) => !tensors.has("group")), async (tensors) => {
      assertSame(await readTensors(await writeTensors(tensors, "a.h5"), "a.h5"), tensors);
    }),
    { numRuns: 200, seed: 1 },
  );
});

Deno.test("HDF5: float32 is an option, and rounds as Math.fround does", async () => {
  const data = numbers(20);
  const bytes = await writeTensors(new Map([["a", tensor([4, 5], data)]]), "a.h5", {
    precision: 32,
  });
  assertSame(
    await readTensors(bytes, "a.h5"),
    new Map([["a", tensor([4, 5], data.map(Math.fround))]]),
  );
  await assert.rejects(
    writeTensors(new Map([["a", tensor([], [1e39])]]), "a.h5", { precision: 32 }),
    { name: "RangeError", message: /^Cannot write a.h5: tensor "a" holds 1e\+39, too large/ },
  );
});

Deno.test("HDF5: the tutorial's weights, stored by R", async () => {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(TUTORIAL_WEIGHTS);
  } catch {
    return skip("the tutorial's weights", `${TUTORIAL_WEIGHTS} is missing`);
  }
  const tensors = await readTensors(bytes, "weights_600.h5");
  assert.deepEqual(Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape])), {
    W1: [50, 784],
    b1: [50, 1],
    W2: [10, 50],
    b2: [10, 1],
    losslist: [1, 600],
  });
  if (!PYTHON) return skip("h5py's view of the tutorial's weights", "no python3 with h5py");
  assertSame(tensors, await readWithPython(bytes));
});

/** Every dataset as h5py sees it, converted to float64 by NumPy. */
async function readWithPython(bytes: Uint8Array): Promise<Tensors> {
  const text = await python(
    `found = {}
def visit(name, item):
    if isinstance(item, h5py.Dataset):
        found[name] = [list(item.shape), item.dtype.str, item[()].astype("<f8").tobytes().hex()]
h5py.File(io.BytesIO(sys.stdin.buffer.read()), "r").visititems(visit)
print(json.dumps(found))`,
    bytes,
  );
  const found: Record<string, [number[], string, string]> = JSON.parse(
    new TextDecoder().decode(text),
  );
  return new Map(
    Object.entries(found).map(([name, [shape, , hex]]) => [
      name,
      { shape, data: new Float64Array(Uint8Array.fromHex(hex).buffer) },
    ]),
  );
}

Deno.test("HDF5: h5py reads our files to the last bit", async () => {
  if (!PYTHON) return skip("h5py reading our files", "no python3 with h5py");
  const tensors: Tensors = new Map([
    ["W1", tensor([784, 50], numbers(784 * 50))],
    ["b1", tensor([50], numbers(50))],
    ["losslist", tensor([1, 600], numbers(600))],
    ["deep/er/x", tensor([2, 1, 2], [-0, 5e-324, 1.7976931348623157e308, 0.1])],
    ["scalar", tensor([], [Math.PI])],
    ["none", tensor([0, 3], [])],
    ["가중치 1", tensor([1], [1])],
  ]);
  assertSame(await readWithPython(await writeTensors(tensors, "a.hdf5")), tensors);
  tensors.delete("deep/er/x"); // 1.8e308 is no float32
  const short = await readWithPython(await writeTensors(tensors, "a.h5", { precision: 32 }));
  assert.equal(short.get("W1")!.data[1], Math.fround(numbers(2)[1]));
});

for (const layout of ["", `, libver="earliest"`, `, libver="latest"`, ", userblock_size=1024"]) {
  Deno.test(`HDF5: files by h5py, every layout and type${layout}`, async () => {
    if (!PYTHON) return skip("files by h5py", "no python3 with h5py");
    const bytes = await h5py(
      NUMBERS +
        `f["contiguous"] = n(30, 20)
f.create_dataset("chunked", data=n(30, 20), chunks=(7, 6), compression="gzip")
f.create_dataset("shuffled", data=n(30, 20), chunks=(30, 3), compression="gzip", shuffle=True, fletcher32=True)
f["single"] = n(4, 5).astype("f4")
f.create_dataset("group/chunked single", data=n(4, 5).astype("f4"), chunks=(3, 3), compression=9)
f["group/deeper/scalar"] = 2.5
f["big endian"] = n(6).astype(">f8")
f["big endian single"] = n(6).astype(">f4")
for type in ("i1", "i2", "i4", "i8"): f[type] = np.array([[-128, 0], [1, 127]], type)
for type in ("u1", "u2", "u4", "u8"): f[type] = np.array([0, 255], type)
f["text"] = "no numbers"
f["texts"] = np.array([b"a", b"b"])
f["truth"] = np.array([True])
f["pair"] = np.zeros(2, [("a", "f8"), ("b", "i4")])
f["nothing"] = h5py.Empty("f8")
f["alias"] = h5py.SoftLink("/single")
f["dangling"] = h5py.SoftLink("/nowhere")
f["elsewhere"] = h5py.ExternalLink("other.h5", "/a")
f["group/circle"] = f["/"]
f["attributed"] = 1.0
f["attributed"].attrs["unit"] = "none"`,
      layout,
    );
    const single = tensor([4, 5], numbers(20).map(Math.fround));
    const expected: Tensors = new Map([
      ["contiguous", tensor([30, 20], numbers(600))],
      ["chunked", tensor([30, 20], numbers(600))],
      ["shuffled", tensor([30, 20], numbers(600))],
      ["single", single],
      ["alias", single],
      ["group/chunked single", single],
      ["group/deeper/scalar", tensor([], [2.5])],
      ["big endian", tensor([6], numbers(6))],
      ["big endian single", tensor([6], numbers(6).map(Math.fround))],
      ["attributed", tensor([], [1])],
    ]);
    for (const type of ["i1", "i2", "i4", "i8"]) {
      expected.set(type, tensor([2, 2], [-128, 0, 1, 127]));
    }
    for (const type of ["u1", "u2", "u4", "u8"]) expected.set(type, tensor([2], [0, 255]));
    assertSame(await readTensors(bytes, "a.h5"), expected);
    assert.equal(printed, 0);
  });
}

Deno.test("HDF5: a matrix that R stored comes as it lies in the file, transposed", async () => {
  if (!PYTHON) return skip("R's layout", "no python3 with h5py");
  // R hands its column-major memory to HDF5 with the dimensions reversed.
  const bytes = await h5py(
    NUMBERS +
      `W1 = n(784, 50)
stored = np.frombuffer(W1.tobytes(order="F")).reshape(50, 784)
f.create_dataset("W1", data=stored, chunks=(50, 784), compression=6)
f.create_dataset("b1", data=n(50, 1))`,
  );
  const { W1, b1 } = Object.fromEntries(await readTensors(bytes, "r.h5"));
  assert.deepEqual(W1.shape, [50, 784]);
  assert.deepEqual(b1.shape, [50, 1]);
  const original = numbers(784 * 50); // [784, 50]
  for (let i = 0; i < 784; i++) {
    for (let j = 0; j < 50; j++) assert.equal(W1.data[j * 784 + i], original[i * 50 + j]);
  }
});

Deno.test("HDF5: what cannot be read is refused in one line that says what", async () => {
  const refused = async (bytes: Uint8Array, message: RegExp, name = "SyntaxError") => {
    await assert.rejects(readTensors(bytes, "a.h5"), (error: Error) => {
      assert.equal(error.name, name);
      assert.match(error.message, /^Cannot read a\.h5: [^\n]*$/);
      assert.match(error.message, message);
      return true;
    });
  };
  await refused(new Uint8Array(), /is no HDF5 file/);
  await refused(new TextEncoder().encode("W1,b1\n1,2\n"), /is no HDF5 file/);
  await refused(await writeHdf5(new Map(), "a.h5"), /holds no dataset of numbers/);
  const bytes = await writeHdf5(new Map([["W1", tensor([2, 2], [1, 2, 3, NaN])]]), "a.h5");
  await refused(bytes, /tensor "W1" holds NaN at \[1,1\]/, "RangeError");
  assert.ok((await readHdf5(bytes, "a.h5", { allowNonFinite: true })).get("W1")!.data[3] !== 0);
  await refused(bytes.subarray(0, -1), /truncated file/);

  if (!PYTHON) return skip("h5py's unreadable files", "no python3 with h5py");
  const made = async (body: string, message: RegExp) => await refused(await h5py(body), message);
  await made(`f["text"] = "no numbers"`, /holds no dataset of numbers/);
  await made(
    `f.create_dataset("W1", shape=(2**14 + 1, 2**14), dtype="f8", chunks=(64, 64))`,
    /dataset "W1": its shape \[16385,16384\] claims more than the 2\^28 numbers/,
  );
  await made(
    `f.create_dataset("W1", shape=(2**12, 2**12), dtype="f8", chunks=(64, 64))`,
    /dataset "W1": its shape \[4096,4096\] claims more numbers than lie in \d+ bytes/,
  );
  await made(
    `f.create_dataset("W1", shape=(1,), maxshape=(None,), dtype="f8", chunks=(2**24,))`,
    /dataset "W1": its shape \[1\] claims more numbers than lie in \d+ bytes/,
  );
  await made(
    `f.create_dataset("W1", data=np.zeros(2000), compression="lzf")`,
    /dataset "W1": .*required filter 'lzf' is not registered/,
  );
  await made(`f["half"] = np.zeros(2, "f2")`, /dataset "half": 2-byte numbers/);
  await made(`f["long"] = np.zeros(2, "g")`, /dataset "long": 16-byte numbers/);
  await made(`f["id"] = np.array([2**53 + 1])`, /dataset "id": .* 9007199254740993, which float64/);
  await made(`f["a\\nb"] = np.zeros(2, "f2")`, /dataset "a\\nb": /);
  await made(
    `layout = h5py.VirtualLayout(shape=(3,), dtype="f8")
layout[:] = h5py.VirtualSource("other.h5", "d", shape=(3,))
f.create_virtual_dataset("W1", layout)`,
    /dataset "W1": it is virtual/,
  );
  assert.equal(printed, 0);
});

Deno.test("HDF5: names and shapes that cannot be stored are refused", async () => {
  const one = tensor([], [1]);
  for (const name of ["", "/W1", "W1/", "a//b", "a/./b", "a\0b", "\ud800"]) {
    await assert.rejects(writeHdf5(new Map([[name, one]]), "a.h5"), {
      name: "TypeError",
      message: /^Cannot write a\.h5: HDF5 cannot hold a tensor named /,
    });
  }
  await assert.rejects(writeHdf5(new Map([["a", one], ["a/b", one]]), "a.h5"), TypeError);
  await assert.rejects(writeHdf5(new Map([["W1", tensor([2, 2], [1, 2, 3])]]), "a.h5"), {
    name: "RangeError",
    message: /^Cannot write a\.h5: tensor "W1" has shape \[2,2\] but 3 numbers/,
  });
  await assert.rejects(writeTensors(new Map([["W1", one]]), "a.csv"), {
    name: "TypeError",
    message: "Cannot write a.csv: its ending names no known format; " +
      "use .h5, .hdf5 or .safetensors",
  });
});

Deno.test("HDF5: 2,000 files that trap the library leave it whole", async () => {
  if (!PYTHON) return skip("files that trap the library", "no python3 with h5py");
  const bytes = await h5py(
    `f["be"] = n(3).astype(">f4")`.replace(/^/, NUMBERS),
    `, libver="earliest"`,
  );
  // The datatype of a big-endian float32; its bit offset (0) is moved far outside of the number.
  const float32 = [0x11, 0x21, 0x1f, 0, 4, 0, 0, 0, 0, 0, 32, 0];
  const at = bytes.findIndex((_, i) => float32.every((byte, k) => bytes[i + k] === byte));
  assert.ok(at > 0);
  const hostile = bytes.slice();
  hostile[at + 9] = 191;
  for (let i = 0; i < 2000; i++) {
    await assert.rejects(readTensors(hostile, "a.h5"), {
      name: "SyntaxError",
      message: /^Cannot read a\.h5: .*dataset "be": (memory access out of bounds|null function)/,
    });
  }
  const expected: Tensors = new Map([["be", tensor([3], numbers(3).map(Math.fround))]]);
  assertSame(await readTensors(bytes, "a.h5"), expected);
  assertSame(await readTensors(await writeTensors(expected, "a.h5"), "a.h5"), expected);
  assert.equal(printed, 0);
});

/** Reads damaged bytes: either one clear line, or tensors that are consistent in themselves. */
async function survives(bytes: Uint8Array): Promise<boolean> {
  try {
    const tensors = await readTensors(bytes, "a.h5");
    for (const { shape, data } of tensors.values()) {
      assert.equal(data.length, shape.reduce((product, size) => product * size, 1));
      assert.ok(data.every(Number.isFinite));
    }
    return true;
  } catch (error) {
    assert.ok(error instanceof SyntaxError || error instanceof RangeError, `${error}`);
    assert.match(error.message, /^Cannot read a\.h5: [^\n]+$/);
    return false;
  }
}

const known: Tensors = new Map([
  ["W1", tensor([8, 5], numbers(40))],
  ["group/b1", tensor([5], numbers(5))],
]);

/** Files to damage: ours (with checksums), and h5py's of both formats where there is a Python. */
async function samples(): Promise<Uint8Array[]> {
  const files = [await writeHdf5(known, "a.h5")];
  if (!PYTHON) skip("damaging h5py's files", "no python3 with h5py");
  else {
    for (const version of ["earliest", "latest"]) {
      files.push(
        await h5py(
          NUMBERS + `f["W1"] = n(8, 5)
f.create_dataset("group/z", data=n(20, 10).astype(">f4"), chunks=(7, 4), compression="gzip", fletcher32=True)
f["i"] = np.arange(6, dtype="i2")
f["text"] = "text"`,
          `, libver="${version}"`,
        ),
      );
    }
  }
  return files;
}

Deno.test("HDF5: 2,000 files of random bytes are all refused", async () => {
  const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.uint8Array({ maxLength: 4000 }), async (signed, noise) => {
      const bytes = signed ? Uint8Array.of(...signature, ...noise) : noise;
      assert.equal(await survives(bytes), false);
    }),
    { numRuns: 2000, seed: 1 },
  );
  assert.equal(printed, 0);
});

Deno.test("HDF5: 2,000 truncated files are all refused", async () => {
  const files = await samples();
  await fc.assert(
    fc.asyncProperty(fc.nat(files.length - 1), fc.double({ min: 0, max: 1, noNaN: true }), async (
      which,
      part,
    ) => {
      const length = Math.min(Math.floor(part * files[which].length), files[which].length - 1);
      assert.equal(await survives(files[which].subarray(0, length)), false);
    }),
    { numRuns: 2000, seed: 1 },
  );
  assert.equal(printed, 0);
});

Deno.test("HDF5: 2,000 mutated files are refused or consistent, and the next file is read", async () => {
  const files = await samples();
  const change = fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 127, 128, 255)));
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(files.length - 1),
      fc.array(change, { minLength: 1, maxLength: 8 }),
      async (which, changes) => {
        const bytes = files[which].slice();
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        if (!await survives(bytes)) refused++;
      },
    ),
    { numRuns: 2000, seed: 1 },
  );
  assert.ok(refused > 200, `only ${refused} refused`);
  assertSame(await readTensors(files[0], "a.h5"), known);
  assert.equal(printed, 0);
});
