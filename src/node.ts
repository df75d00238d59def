/**
 * The library under Node, which has no WebGPU of its own: it is taken from the package webgpu, which
 * is Dawn, where that is installed; elsewhere engines compute on the CPU, and say so.
 */

import { usePlatform } from "./gpu/platform.ts";

export * from "./mod.ts";

/** Dawn's entry, which has to be kept as long as anything of it is. */
let entry: GPU | undefined;

usePlatform({
  async gpu() {
    if (entry) return entry;
    const name = "webgpu"; // no bundler is to look for it
    const dawn = await import(name).catch(() => undefined);
    if (!dawn) return undefined;
    Object.assign(globalThis, dawn.globals);
    return entry = dawn.create([]) as GPU;
  },
  mend: "install the package webgpu (npm install webgpu) and a Vulkan driver " +
    "(sudo apt-get install mesa-vulkan-drivers)",
});

// A library lists the type, which older versions of Node do not have; nothing here uses it.
(globalThis as { Float16Array?: unknown }).Float16Array ??= class extends Uint16Array {};
