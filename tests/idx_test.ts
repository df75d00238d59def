import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { loadDataSet } from "../src/cli/datasets.ts";
import { idxDataSet, parseIdx, writeIdx } from "../src/data/idx.ts";
import { hasMnist, MNIST } from "./support.ts";

const idx = (shape: number[], data: number[]) => writeIdx({ shape, data: Uint8Array.from(data) });
const named = (bytes: Uint8Array) => ({ name: "file", bytes });
const files = (changes: Record<string, Uint8Array> = {}) => {
  const whole = {
    trainImages: idx([3, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    trainLabels: idx([3], [0, 1, 2]),
    testImages: idx([1, 2, 2], [1, 2, 3, 4]),
    testLabels: idx([1], [1]),
    ...changes,
  };
  return Object.fromEntries(
    Object.entries(whole).map(([name, bytes]) => [name, { name, bytes }]),
  ) as unknown as Parameters<typeof idxDataSet>[0];
};

Deno.test("IDX: raw and gzipped, any shape", async () => {
  const bytes = idx([2, 3], [1, 2, 3, 4, 5, 6]);
  for (const form of [bytes, new Uint8Array(gzipSync(bytes))]) {
    const { shape, data } = await parseIdx(named(form));
    assert.deepEqual(shape, [2, 3]);
    assert.deepEqual([...data], [1, 2, 3, 4, 5, 6]);
  }
  const data = await idxDataSet(files(), "small");
  assert.deepEqual([data.inputs, data.classes, data.image], [4, 3, [1, 2, 2]]);
});

Deno.test("IDX: gzip of several members, whatever they look like inside", async () => {
  // Bytes that look like the header of a member, and lie in the file as they are.
  const header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
  const data = Array.from({ length: 6000 }, (_, i) => i < 500 ? header[i % 10] : (i * i) % 251);
  const bytes = idx([60, 100], data);
  const zip = (level: number) => (part: Uint8Array) => new Uint8Array(gzipSync(part, { level }));
  const join = (members: Uint8Array[]) => Uint8Array.from(members.flatMap((part) => [...part]));
  const cut = (...ends: number[]) =>
    [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
  const files = [
    join(cut(3000).map(zip(9))),
    join(cut(2, 7, 12, 100).map(zip(9))), // the header itself is cut
    join(cut(0, 0, 5000, 6008).map(zip(9))), // members with nothing in them, as bgzip ends files
    join(cut(400, 5000).map(zip(0))), // 40 that look like headers, and are none
    join([zip(0)(bytes.subarray(0, 450)), zip(9)(bytes.subarray(450))]),
    join(cut(...Array.from({ length: 300 }, (_, i) => 20 * i)).map(zip(6))),
  ];
  for (const file of files) {
    const { shape, data: read } = await parseIdx(named(file));
    assert.deepEqual(shape, [60, 100]);
    assert.deepEqual([...read], data);
    for (const at of [file.length - 1, file.length - 6, Math.floor(file.length / 2)]) {
      const damaged = file.slice();
      damaged[at] ^= 0x55;
      await assert.rejects(parseIdx(named(damaged)), SyntaxError);
    }
    await assert.rejects(parseIdx(named(file.subarray(0, -3))), /gzip data is corrupt|follow/);
    await assert.rejects(parseIdx(named(join([file, Uint8Array.of(1, 2, 3)]))), /gzip/);
  }
  // A file that is all headers is given up, rather than tried again and again.
  const hostile = zip(0)(idx([50_000], Array.from({ length: 50_000 }, (_, i) => header[i % 10])));
  hostile[hostile.length - 5] ^= 1;
  await assert.rejects(parseIdx(named(hostile)), /gzip data is corrupt/);
});

Deno.test("IDX: every damage is named", async () => {
  const bytes = idx([2, 3], [1, 2, 3, 4, 5, 6]);
  const zipped = new Uint8Array(gzipSync(bytes));
  const corrupt = zipped.slice();
  corrupt[14] ^= 0xff;
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(0), /magic/],
    [Uint8Array.of(0, 0, 9, 1, 0, 0, 0, 0), /magic/],
    [bytes.subarray(0, 7), /header is cut off/],
    [bytes.subarray(0, 14), /only 2 follow/],
    [Uint8Array.from([...bytes, 0]), /more follow/],
    [zipped.subarray(0, 20), /gzip|follow/],
    [corrupt, /gzip/],
    [idx([65536, 65536], []), /more than 2 GiB/],
    [new Uint8Array(gzipSync(Uint8Array.from([...bytes, ...new Uint8Array(1e6)]))), /more follow/],
  ];
  for (const [damaged, message] of cases) {
    await assert.rejects(parseIdx(named(damaged)), (error: Error) => {
      assert.ok(error instanceof SyntaxError);
      assert.match(error.message, /^Cannot read file: /);
      assert.match(error.message, message);
      return true;
    });
  }
  for (let length = 0; length < zipped.length; length++) {
    await assert.rejects(parseIdx(named(zipped.subarray(0, length))), SyntaxError);
  }
});

Deno.test("IDX: files that do not belong together are refused", async () => {
  const cases: [Record<string, Uint8Array>, RegExp][] = [
    [{ trainLabels: idx([2], [0, 1]) }, /3 samples and 2 labels/],
    [{ testLabels: idx([1], [3]) }, /label 3 of sample 0 is out of range/],
    [{ testImages: idx([1, 3, 1], [1, 2, 3]) }, /4 and 3 values/],
    [{ trainImages: idx([0, 2, 2], []), trainLabels: idx([0], []) }, /holds no samples/],
  ];
  for (const [changes, message] of cases) {
    await assert.rejects(idxDataSet(files(changes), "x"), message);
  }
});

Deno.test("downloads: the second mirror, a stall, a wrong sum, the cache", async () => {
  const folder = await Deno.makeTempDir();
  const contents: Record<string, Uint8Array> = {
    "train-images-idx3-ubyte": idx([3, 2], [1, 2, 3, 4, 5, 6]),
    "train-labels-idx1-ubyte": idx([3], [0, 1, 1]),
    "t10k-images-idx3-ubyte": idx([1, 2], [1, 2]),
    "t10k-labels-idx1-ubyte": idx([1], [1]),
  };
  const sum = async (bytes: Uint8Array) => {
    const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
    return [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join("");
  };
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all(
    Object.values(contents).map(sum),
  );
  let served = 0;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const [, mirror, name] = new URL(request.url).pathname.split("/");
    const bytes = new Uint8Array(gzipSync(contents[name.replace(".gz", "")]));
    if (mirror === "wrong") return new Response(new Uint8Array(gzipSync(idx([1], [9]))));
    if (mirror === "missing") return new Response("", { status: 404 });
    if (mirror === "stalls") {
      return new Response(new ReadableStream({ pull: () => new Promise(() => {}) }));
    }
    served++;
    return new Response(bytes);
  });
  const base = `http://127.0.0.1:${server.addr.port}`;
  const sources = (mirrors: string[], cache = folder) => ({
    mirrors: mirrors.map((mirror) => `${base}/${mirror}/`),
    cache,
    sums: { trainImages, trainLabels, testImages, testLabels },
    stallSeconds: 0.3,
  });
  const lines: string[] = [];
  const tell = (line: string) => lines.push(line);
  const saved = Deno.env.get("MNIST_DIR");
  Deno.env.delete("MNIST_DIR");
  try {
    for (const bad of ["wrong", "missing", "stalls"]) {
      await assert.rejects(
        loadDataSet("mnist", { seed: 1, tell, sources: sources([bad]) }),
        /Cannot fetch train-images/,
      );
    }
    const data = await loadDataSet("mnist", { seed: 1, tell, sources: sources(["wrong", "good"]) });
    assert.equal(data.train.count, 3);
    assert.equal(served, 4);
    await loadDataSet("mnist", { seed: 1, tell, sources: sources([]) }); // from the cache alone
    await Deno.writeFile(`${folder}/t10k-labels-idx1-ubyte.gz`, Uint8Array.of(1, 2, 3));
    await loadDataSet("mnist", { seed: 1, tell, sources: sources(["good"]) });
    assert.match(lines.join(), /damaged/);
    assert.equal([...Deno.readDirSync(folder)].length, 4); // no temporary file is left
    const digits = await loadDataSet("auto", {
      seed: 1,
      tell,
      sources: sources([], "/nonexistent"),
    });
    assert.equal(digits.name, "synthetic digits");
    assert.match(lines.at(-1)!, /could not be had/);
  } finally {
    if (saved) Deno.env.set("MNIST_DIR", saved);
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("MNIST itself", async () => {
  if (!hasMnist()) return;
  const data = await loadDataSet(MNIST, { seed: 1, tell: () => {} });
  assert.deepEqual([data.train.count, data.test.count, data.inputs, data.classes], [
    60000,
    10000,
    784,
    10,
  ]);
});
