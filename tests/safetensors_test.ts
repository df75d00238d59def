/** safetensors against hand-made bytes, and against damaged and hostile files. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Tensor, Tensors } from "../src/data/tensors.ts";
import { readTensors, writeTensors } from "../src/data/tensors.ts";
import { readSafetensors, writeSafetensors } from "../src/data/safetensors.ts";

const tensor = (shape: number[], data: ArrayLike<number>): Tensor => ({
  shape,
  data: Float64Array.from(data),
});

/** A file by hand: a header (an object, or the literal text) and its data. */
function file(header: unknown, data: ArrayBufferView | number = 0): Uint8Array {
  const text = typeof header === "string" ? header : JSON.stringify(header);
  const json = new TextEncoder().encode(text);
  const tail = typeof data === "number"
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bytes = new Uint8Array(8 + json.length + tail.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(tail, 8 + json.length);
  return bytes;
}

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

/** One line that names the file and says what is wrong. */
function refused(bytes: Uint8Array, message: RegExp, name = "SyntaxError"): void {
  assert.throws(() => readSafetensors(bytes, "a.safetensors"), (error: Error) => {
    assert.equal(error.name, name);
    assert.match(error.message, /^Cannot read a\.safetensors[^\n]*$/);
    assert.match(error.message, message);
    return true;
  });
}

const anyName = fc.string({ unit: "grapheme", maxLength: 8 })
  .filter((name) => name !== "__metadata__");
const anyTensors: fc.Arbitrary<Tensors> = fc.uniqueArray(
  fc.tuple(
    fc.oneof(anyName, fc.constantFrom("__proto__", "constructor", "0", "W1")),
    fc.array(fc.nat(4), { maxLength: 3 }).chain((shape) => {
      const count = shape.reduce((product, size) => product * size, 1);
      const numbers = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), {
        minLength: count,
        maxLength: count,
      });
      return numbers.map((data) => tensor(shape, data));
    }),
  ),
  { selector: ([name]) => name, maxLength: 4 },
).map((entries) => new Map(entries));

Deno.test("safetensors: what is written is read back to the last bit, with its metadata", async () => {
  const anyMetadata = fc.array(
    fc.tuple(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" })),
  ).map((entries) => new Map(entries));
  await fc.assert(
    fc.asyncProperty(anyTensors, anyMetadata, async (tensors, metadata) => {
      const bytes = writeSafetensors(tensors, "a.safetensors", { metadata });
      const read = readSafetensors(bytes, "a.safetensors");
      assertSame(read.tensors, tensors);
      assert.deepEqual(
        new Map([...read.metadata].sort()),
        new Map([...metadata].sort()),
      );
      // Through a view that starts at an odd byte, as a slice of a larger file may.
      const shifted = new Uint8Array(bytes.length + 1);
      shifted.set(bytes, 1);
      assertSame(await readTensors(shifted.subarray(1), "a.safetensors"), tensors);
    }),
    { numRuns: 500, seed: 1 },
  );
});

Deno.test("safetensors: float32 is an option, and rounds as Math.fround does", async () => {
  const data = Float64Array.from({ length: 20 }, (_, i) => (i * 0.1 - 7) / 3);
  const tensors: Tensors = new Map([["a", tensor([4, 5], data)]]);
  const bytes = await writeTensors(tensors, "a.safetensors", { precision: 32 });
  assertSame(
    await readTensors(bytes, "a.safetensors"),
    new Map([["a", tensor([4, 5], data.map(Math.fround))]]),
  );
  assert.throws(
    () => writeSafetensors(new Map([["a", tensor([], [1e39])]]), "a", { precision: 32 }),
    { name: "RangeError", message: /^Cannot write a: tensor "a" holds 1e\+39, too large/ },
  );
});

Deno.test("safetensors: the bytes are those of the format", () => {
  const header = `{"__metadata__":{"k":"v"},"W":{"dtype":"F64","shape":[1,2],` +
    `"data_offsets":[0,16]}}`;
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
  assert.deepEqual(
    writeSafetensors(new Map([["W", tensor([1, 2], [1, -2])]]), "a", {
      metadata: new Map([["k", "v"]]),
    }),
    file(padded, new Float64Array([1, -2])),
  );
});

Deno.test("safetensors: every dtype is read as float64", () => {
  const cases: [string, ArrayBufferView, number[]][] = [
    ["F64", new Float64Array([0.1, -0, 5e-324]), [0.1, -0, 5e-324]],
    ["F32", new Float32Array([0.1, -1e-45]), [Math.fround(0.1), Math.fround(-1e-45)]],
    ["BF16", new Uint16Array([0x3f80, 0xc040, 0x0001]), [1, -3, 2 ** -133]],
    ["I64", new BigInt64Array([-(2n ** 53n), 7n, 2n ** 62n]), [-(2 ** 53), 7, 2 ** 62]],
    ["U64", new BigUint64Array([0n, 2n ** 63n]), [0, 2 ** 63]],
    ["I32", new Int32Array([-(2 ** 31), 2 ** 31 - 1]), [-(2 ** 31), 2 ** 31 - 1]],
    ["U32", new Uint32Array([2 ** 32 - 1]), [2 ** 32 - 1]],
    ["I16", new Int16Array([-32768, 32767]), [-32768, 32767]],
    ["U16", new Uint16Array([65535]), [65535]],
    ["I8", new Int8Array([-128, 127]), [-128, 127]],
    ["U8", new Uint8Array([255, 0]), [255, 0]],
  ];
  for (const [dtype, data, expected] of cases) {
    const entry = { dtype, shape: [expected.length], data_offsets: [0, data.byteLength] };
    assertSame(
      readSafetensors(file({ x: entry }, data), "a").tensors,
      new Map([["x", tensor([expected.length], expected)]]),
    );
  }
});

Deno.test("safetensors: all 65,536 half-precision numbers", () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const entry = { dtype: "F16", shape: [65536], data_offsets: [0, 131072] };
  const { data } = readSafetensors(file({ x: entry }, bits), "a", { allowNonFinite: true })
    .tensors.get("x")!;
  const expected = new Float16Array(bits.buffer);
  for (let i = 0; i < 65536; i++) assert.ok(Object.is(data[i], expected[i]), `bits ${i}`);
});

Deno.test("safetensors: hostile headers are refused, naming file and tensor", () => {
  const f64 = (begin: unknown, end: unknown, shape: unknown = [1]) => ({
    dtype: "F64",
    shape,
    data_offsets: [begin, end],
  });
  refused(new Uint8Array(), /0 bytes cannot hold/);
  refused(new Uint8Array(7), /7 bytes cannot hold/);
  refused(new Uint8Array(8), /not JSON/);
  refused(Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d), /3 bytes runs beyond the file's end/);
  refused(new Uint8Array(16).fill(255), /18446744073709551615 bytes is larger than .* 100 MB/);
  refused(file("{"), /not JSON/);
  refused(file("\ufeff{}"), /not JSON/);
  refused(Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0, 0x22, 0xff, 0xfe, 0x22), /not JSON/);
  refused(file("[".repeat(100_000)), /not JSON/);
  for (const header of ["[]", "null", "1", '"x"']) refused(file(header), /no JSON object/);
  refused(file({ __metadata__: [] }), /__metadata__ is no JSON object/);
  refused(file({ __metadata__: { k: 1 } }), /__metadata__ entry "k" is no string/);
  for (const entry of [null, 1, [], "F64"]) refused(file({ W1: entry }), /"W1" is described by no/);
  for (const dtype of ["F8_E4M3", "BOOL", "f64", "toString", 64, undefined]) {
    refused(file({ W1: { ...f64(0, 8), dtype } }, 8), /tensor "W1" has the unknown dtype/);
  }
  const shapes = [
    [-1],
    [0.5],
    ["1"],
    [null],
    [2 ** 28 + 1],
    [2 ** 14, 2 ** 14 + 1],
    [0, 1e300],
    [[1]],
    new Array(33).fill(1),
    1,
    null,
    undefined,
    { length: 1 },
  ];
  for (const shape of shapes) {
    refused(file({ W1: { ...f64(0, 8), shape } }, 8), /tensor "W1" has no shape/);
  }
  for (const range of [[0], [0, 8, 8], [8, 0], [-8, 0], [0.5, 8.5], ["0", "8"], [0, 1e300], 8]) {
    refused(file({ W1: { ...f64(0, 8), data_offsets: range } }, 8), /"W1" has no valid data_off/);
  }
  refused(file({ W1: f64(0, 16) }, 16), /"W1" has 16 bytes, but its shape and dtype need 8/);
  refused(file({ W1: f64(0, 16, [2]) }, 8), /tensor "W1" runs beyond the file's end/);
  refused(file({ W1: f64(8, 16) }, 16), /a gap before tensor "W1"/);
  refused(file({ a: f64(0, 8), b: f64(4, 12) }, 12), /tensor "b" overlaps/);
  refused(file({ a: f64(0, 8), b: f64(0, 8) }, 8), /tensor "b" overlaps/);
  refused(file({ a: f64(0, 8), b: f64(16, 24) }, 24), /a gap before tensor "b"/);
  refused(file({ W1: f64(0, 8) }, 9), /1 bytes at its end belong to no tensor/);
  const entry = JSON.stringify(f64(0, 8));
  refused(file(`{"W1":${entry},"b":{},"W1":${entry}}`, 8), /names "W1" twice/);
  refused(file(`{"W1":${entry},"\\u00571" :${entry}}`, 8), /names "W1" twice/);
  refused(file(`{"W1":{"dtype":"F32",${entry.slice(1)}}`, 8), /names "dtype" twice/);
  refused(file(`{"a\\nb":1}`), /tensor "a\\nb"/); // still one line
  refused(file({ ["x".repeat(1e5)]: 1 }), /^.{0,250}$/);
  // What only looks like a name given twice.
  const tricky = `{"__metadata__":{"\\"W1\\":":"{\\"W1\\":","dtype":"W1"},"W1":${entry}}`;
  assert.equal(readSafetensors(file(tricky, 8), "a").tensors.size, 1);
});

Deno.test("safetensors: numbers that are no finite float64 are refused, naming the place", () => {
  const bytes = writeSafetensors(
    new Map([["b1", tensor([1], [0])], ["W1", tensor([2, 3], [1, 2, 3, 4, -Infinity, NaN])]]),
    "a",
  );
  refused(bytes, /tensor "W1" holds -Infinity at \[1,1\]/, "RangeError");
  const { tensors } = readSafetensors(bytes, "a", { allowNonFinite: true });
  assert.deepEqual([...tensors.get("W1")!.data], [1, 2, 3, 4, -Infinity, NaN]);
  const entry = { dtype: "I64", shape: [1], data_offsets: [0, 8] };
  refused(
    file({ id: entry }, new BigInt64Array([2n ** 53n + 1n])),
    /tensor "id": it holds the integer 9007199254740993, which float64 cannot/,
    "RangeError",
  );
});

Deno.test("safetensors: names and shapes that cannot be stored are refused", () => {
  for (const name of ["__metadata__", "\ud800"]) {
    assert.throws(() => writeSafetensors(new Map([[name, tensor([], [1])]]), "a"), {
      name: "TypeError",
      message: /^Cannot write a: safetensors has no tensor named /,
    });
  }
  assert.throws(() => writeSafetensors(new Map([["W1", tensor([2, 2], [1, 2, 3])]]), "a"), {
    name: "RangeError",
    message: /^Cannot write a: tensor "W1" has shape \[2,2\] but 3 numbers/,
  });
});

/** Reads damaged bytes: either one clear line, or tensors that use up just the file's data. */
async function survives(bytes: Uint8Array): Promise<boolean> {
  try {
    for (const { shape, data } of (await readTensors(bytes, "a.safetensors")).values()) {
      assert.equal(data.length, shape.reduce((product, size) => product * size, 1));
      assert.ok(data.every(Number.isFinite));
    }
    return true;
  } catch (error) {
    assert.ok(error instanceof SyntaxError || error instanceof RangeError, `${error}`);
    assert.match(error.message, /^Cannot read a\.safetensors[^\n]+$/);
    return false;
  }
}

const known: Tensors = new Map([
  ["W1", tensor([8, 5], Array.from({ length: 40 }, (_, i) => i / 7))],
  ["b1", tensor([5], [1, 2, 3, 4, 5])],
]);

Deno.test("safetensors: 2,000 files of random bytes are all refused", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 2000 }),
      fc.boolean(),
      async (noise, plausible) => {
        const bytes = plausible ? file(`{"W1":{`, noise) : noise;
        if (plausible) new DataView(bytes.buffer).setUint32(0, noise.length >> 1, true);
        assert.equal(await survives(bytes), false);
      },
    ),
    { numRuns: 2000, seed: 1 },
  );
});

Deno.test("safetensors: 2,000 truncated files are all refused", async () => {
  const bytes = writeSafetensors(known, "a");
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), async (length) => {
      assert.equal(await survives(bytes.subarray(0, length)), false);
    }),
    { numRuns: 2000, seed: 1 },
  );
});

Deno.test("safetensors: 2,000 mutated files are refused, or right where they are untouched", async () => {
  const bytes = writeSafetensors(known, "a");
  const headerEnd = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const change = fc.tuple(fc.nat(headerEnd - 1), fc.nat(255));
  let refusals = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const mutated = bytes.slice();
      for (const [at, value] of changes) mutated[at] = value;
      if (!await survives(mutated)) return void refusals++;
      // A header may legally call things otherwise; the numbers of an F64 tensor stay.
      const stored = [...known.values()].flatMap(({ data }) => [...data]);
      const header = new TextDecoder().decode(mutated.subarray(8, headerEnd));
      if (header.match(/"dtype":"F64"/g)?.length !== 2) return;
      const read = [...(await readTensors(mutated, "a.safetensors")).values()]
        .flatMap(({ data }) => [...data]);
      assert.deepEqual(read.sort(), stored.sort());
    }),
    { numRuns: 2000, seed: 1 },
  );
  assert.ok(refusals > 1000, `only ${refusals} refused`);
});
