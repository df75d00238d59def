/** Parity on Dawn in Node: `node parity.mjs BUNDLE`, the bundle being that of src/method/parity.ts. */

import process from "node:process";

const library = "webgpu"; // of this folder's own, which the others know nothing of
const { create, globals } = await import(library);
const gpu = create([]);
Object.assign(globalThis, globals);
Object.defineProperty(globalThis, "navigator", { value: { gpu, userAgent: "Node.js" } });
// A library lists the type, which older versions of Node do not have; nothing here uses it.
globalThis.Float16Array ??= class extends Uint16Array {};

const { Gpu, isRight, parity } = await import(process.argv[2]);
const device = await Gpu.open();
const rows = [];
if (device) { for await (const row of parity(device)) rows.push(row); }
const ok = rows.length > 0 && rows.every(isRight);
console.log(JSON.stringify({ ok, adapter: device?.adapter, rows }));
process.exit(0); // Dawn keeps it alive
