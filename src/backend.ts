/** Chooses the engine: WebGPU where there is an adapter, the CPU elsewhere, never silently. */

import type { Engine, EngineOptions } from "./engine.ts";

/** Where to compute. */
export const BACKENDS = ["auto", "webgpu", "cpu"] as const;
export type Backend = (typeof BACKENDS)[number];

const INSTALL = "sudo apt-get install mesa-vulkan-drivers";

/**
 * Opens an engine on the backend asked for.
 * @param tell is given one line when `auto` falls back to the CPU.
 * @throws {TypeError} when `webgpu` is asked for and there is no adapter.
 * @throws {RangeError} when the network, the batch or the data do not fit the device.
 */
export async function openEngine(
  options: EngineOptions,
  backend: Backend = "auto",
  tell: (line: string) => void = console.warn,
): Promise<Engine> {
  // Each engine is loaded where it is used: a page that waits for one need not wait for both.
  const openCpu = async () => new (await import("./cpu/engine.ts")).CpuEngine(options);
  if (backend === "cpu") return await openCpu();
  const { Gpu, GpuEngine } = await import("./gpu/engine.ts");
  const gpu = await Gpu.open();
  if (gpu) return new GpuEngine(gpu, options);
  if (backend === "webgpu") {
    throw new TypeError(
      `Cannot use WebGPU: no adapter was found; install a Vulkan driver (${INSTALL}), ` +
        `or use --backend cpu`,
    );
  }
  tell(
    `No WebGPU adapter was found, so this runs on the CPU. A Vulkan driver mends it: ${INSTALL}`,
  );
  return await openCpu();
}
