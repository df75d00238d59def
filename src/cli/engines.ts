/** Chooses the engine: WebGPU where there is an adapter, the CPU elsewhere, never silently. */

import { CpuEngine } from "../cpu/engine.ts";
import type { Engine, EngineOptions } from "../engine.ts";
import { Gpu } from "../gpu/device.ts";
import { GpuEngine } from "../gpu/engine.ts";
import type { Backend } from "./options.ts";

const INSTALL = "sudo apt-get install mesa-vulkan-drivers";

/**
 * Opens an engine on the backend asked for.
 * @param tell is given one line when `auto` falls back to the CPU.
 * @throws {TypeError} when `webgpu` is asked for and there is no adapter.
 */
export async function openEngine(
  backend: Backend,
  options: EngineOptions,
  tell: (line: string) => void,
): Promise<Engine> {
  if (backend === "cpu") return new CpuEngine(options);
  // The windowing library behind some drivers complains where this is not set.
  if (!Deno.env.get("XDG_RUNTIME_DIR")) Deno.env.set("XDG_RUNTIME_DIR", "/tmp");
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
  return new CpuEngine(options);
}
