/** Chooses the engine: WebGPU where there is an adapter, the CPU elsewhere, never silently. */

import type { EngineOptions, SlicedEngine } from "./engine.ts";
import { platform } from "./gpu/platform.ts";
import { RecoveringEngine } from "./method/recovery.ts";

/** Where to compute. */
export const BACKENDS = ["auto", "webgpu", "cpu"] as const;
export type Backend = (typeof BACKENDS)[number];

/** Where there is no adapter. */
class NoAdapter extends TypeError {}

/** Milliseconds in which an adapter that was there a moment ago is asked for again. */
const RESTART_MILLISECONDS = 10_000;
/** The same for a browser's first: it may give none while the process for its GPU starts. */
const START_MILLISECONDS = 2_000;

/** How an engine on the GPU is opened. */
export interface GpuOptions {
  /** Devices lost before this one is opened: each time it is given half the work at a time. */
  readonly losses?: number;
  /** Whether gradients of a tiny network are compared first; default on hardware alone. */
  readonly canary?: boolean;
}

/**
 * Opens an engine on the GPU, once.
 * @throws {TypeError} when there is no adapter.
 * @throws {CompileError} when the device does not compile a kernel.
 * @throws {WrongNumbers} when its gradients of a tiny network are wrong.
 */
async function openGpu(
  options: EngineOptions,
  { losses = 0, canary }: GpuOptions,
): Promise<SlicedEngine> {
  const { GpuEngine } = await import("./gpu/engine.ts");
  const isBrowser = /^Mozilla/.test(globalThis.navigator?.userAgent ?? "");
  const wait = losses > 0 ? RESTART_MILLISECONDS : isBrowser ? START_MILLISECONDS : 0;
  const engine = await GpuEngine.open(options, { wait, share: 2 ** -losses }, async (gpu) => {
    if (!(canary ?? !gpu.software)) return;
    await (await import("./method/parity.ts")).checkCanary(gpu, options);
  });
  if (engine) return engine;
  throw new NoAdapter(
    `Cannot use WebGPU: no adapter was found; ${platform.mend}, or use --backend cpu`,
  );
}

/** What `auto` says before it falls back to the CPU; undefined where it should not. */
async function reasonToFallBack(error: unknown): Promise<string | undefined> {
  if (error instanceof NoAdapter) {
    return `No WebGPU adapter was found, so this runs on the CPU; to mend it, ${platform.mend}`;
  }
  const [{ CompileError }, { WrongNumbers }] = await Promise.all([
    import("./gpu/kernel.ts"),
    import("./method/errors.ts"),
  ]);
  return error instanceof CompileError || error instanceof WrongNumbers
    ? `The GPU is not used, and this runs on the CPU: ${error.reason}`
    : undefined;
}

/**
 * Opens an engine on the backend asked for. On WebGPU it is opened again where its device is lost.
 * @param tell is given one line when `auto` falls back to the CPU, and when a device was lost.
 * @param how `canary`: whether the device is tried on a tiny network first; default on hardware.
 * @throws {TypeError} when `webgpu` is asked for and there is no adapter.
 * @throws {CompileError} when `webgpu` is asked for and the device does not compile a kernel.
 * @throws {WrongNumbers} when `webgpu` is asked for and the device's numbers are wrong.
 * @throws {RangeError} when the network, the batch or the data do not fit the device.
 */
export async function openEngine(
  options: EngineOptions,
  backend: Backend = "auto",
  tell: (line: string) => void = console.warn,
  how: Pick<GpuOptions, "canary"> = {},
): Promise<SlicedEngine> {
  // Each engine is loaded where it is used: a page that waits for one need not wait for both.
  const openCpu = async () => new (await import("./cpu/engine.ts")).CpuEngine(options);
  if (backend === "cpu") return await openCpu();
  try {
    return await RecoveringEngine.open((losses) => openGpu(options, { ...how, losses }), tell);
  } catch (error) {
    const reason = backend === "auto" ? await reasonToFallBack(error) : undefined;
    if (reason === undefined) throw error;
    tell(reason);
  }
  return await openCpu();
}
