/** Chooses the engine: WebGPU where there is an adapter, the CPU elsewhere, never silently. */

import type { Engine, EngineOptions } from "./engine.ts";
import { RecoveringEngine } from "./method/recovery.ts";

/** Where to compute. */
export const BACKENDS = ["auto", "webgpu", "cpu"] as const;
export type Backend = (typeof BACKENDS)[number];

const INSTALL = "sudo apt-get install mesa-vulkan-drivers";

/** Where there is no adapter. */
class NoAdapter extends TypeError {}

/** Opens an engine on the GPU, once. */
async function openGpu(options: EngineOptions): Promise<Engine> {
  const { GpuEngine } = await import("./gpu/engine.ts");
  const engine = await GpuEngine.open(options);
  if (engine) return engine;
  throw new NoAdapter(
    `Cannot use WebGPU: no adapter was found; install a Vulkan driver (${INSTALL}), ` +
      `or use --backend cpu`,
  );
}

/**
 * Opens an engine on the backend asked for. On WebGPU it is opened again where its device is lost.
 * @param tell is given one line when `auto` falls back to the CPU, and when a device was lost.
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
  try {
    return await RecoveringEngine.open(() => openGpu(options), tell);
  } catch (error) {
    if (backend === "webgpu" || !(error instanceof NoAdapter)) throw error;
  }
  tell(
    `No WebGPU adapter was found, so this runs on the CPU. A Vulkan driver mends it: ${INSTALL}`,
  );
  return await openCpu();
}
