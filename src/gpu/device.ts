/**
 * The GPU device: its limits, its buffers, its errors. Everything on the GPU is made here and goes
 * when this does; no WebGPU descriptor leaves this folder.
 */

import { sizeOf } from "../core/fit.ts";
import { EngineLost } from "../engine.ts";
import { command, compileAll } from "./kernel.ts";
import { platform } from "./platform.ts";
import type { Scope } from "./scope.ts";
import type { Fillings } from "./shaders.ts";

/** A kernel's grid of workgroups. */
export type Groups = readonly [x: number, y?: number, z?: number];

/** One dispatch, ready to be recorded. */
export interface Command {
  /** Its kernel, by the name of its file. */
  readonly kernel: string;
  /** The kernel and what it computes here: `hop, dense 2: 100 to 50, tanh`. */
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly groups: Groups;
  /** Multiply-adds that it takes, roughly; 0 where they are few. */
  readonly work: number;
  /** Whether its kernel says `#import origin`, so that it can be dispatched in parts. */
  readonly isDivisible?: boolean;
  /** The first workgroup, where it is dispatched in part; default the kernel's. */
  readonly origin?: readonly number[]; // [3]
  /** Which weights it is for; absent where it is for all. */
  readonly scope?: Scope;
  /** Whether what it makes serves all slices of a gradient. */
  readonly isOnce?: boolean;
  /** What it was made of, for who compares it with its twin. */
  readonly source?: Source;
}

/** What a command was made of. */
export interface Source {
  readonly groups: Groups;
  readonly constants: Readonly<Record<string, number | boolean>>;
  readonly fillings: Fillings;
  /** By the variable names of the WGSL. */
  readonly buffers: Readonly<Record<string, GPUBuffer>>;
}

/** What is known of an adapter before anything is computed on it. */
export interface AdapterKind {
  /** For people. */
  readonly name: string;
  /** Whether it computes on the CPU. */
  readonly software: boolean;
  /**
   * The most turns that the loops of one invocation take, nested ones counted together: Mesa's
   * software Vulkan ends them silently after 65,535 (LP_MAX_TGSI_LOOP_ITERATIONS).
   */
  readonly loopTurns: number;
  /**
   * Inputs that a thread takes, in kernels that keep a sum for each: few where threads are many, and
   * many where loads are dear, but not so many that a compiler takes seconds over them.
   */
  readonly block: number;
}

/** What an adapter says of itself; browsers may leave all of it blank. */
type AdapterInfo = Partial<
  Pick<GPUAdapterInfo, "description" | "vendor" | "architecture" | "device" | "isFallbackAdapter">
>;

/** Adapters that compute on the CPU, by the names they go by. */
const SOFTWARE = /llvmpipe|lavapipe|swiftshader|softpipe|basic render|\bwarp\b|software/i;
/** Those among them that run loops to their end. */
const BOUNDLESS_SOFTWARE = /swiftshader|basic render|\bwarp\b/i;

/** Reads off what an adapter says of itself how it wants to be treated. */
export function kindOf(
  { description, vendor, architecture, device, isFallbackAdapter = false }: AdapterInfo,
): AdapterKind {
  const names = [description, vendor, architecture, device].filter(Boolean).join(" ");
  const name = description || names || "unnamed adapter";
  const software = isFallbackAdapter || SOFTWARE.test(names);
  // Whatever has no name may be Mesa's: its limit costs others nothing but a few more threads.
  const isBoundless = names !== "" && (!software || BOUNDLESS_SOFTWARE.test(names));
  return {
    name,
    software,
    loopTurns: isBoundless ? Infinity : 65535,
    block: !software ? 32 : isBoundless ? 128 : 64,
  };
}

/** How a device is opened. */
export interface OpenOptions {
  /** The most bytes of a buffer of intermediate results; the device's limits may make it less. */
  readonly scratchBytes?: number;
  /** The share of the usual work that a dispatch or submission takes at most; default 1. */
  readonly share?: number;
  /** Milliseconds in which an adapter that is not there yet is asked for again; default 0. */
  readonly wait?: number;
  /** Whether to ask for WebGPU's default limits alone, as the least of devices has them. */
  readonly defaultLimits?: boolean;
}

/**
 * A watchdog ends what takes 2 s or longer. This leaves a factor of ten for kernels whose
 * multiply-adds are slower than those that the rate was measured by.
 */
const PATIENCE_MILLISECONDS = 200;

/** Multiply-adds a second, until they are measured: what slow adapters of each kind do. */
const FIRST_RATE = { software: 5e9, hardware: 2.5e10 };

/** The rate is measured by work that took so long, at least: a readback alone may take 12 ms. */
const MEASURED_MILLISECONDS = 50;

/**
 * And by so much of a submission's work, at least: what takes long with less was compiled just then, or
 * waited for a busy machine. Were the rate off by a factor of 40, a watchdog would still let it pass.
 */
const MEASURED_SHARE = 1 / 40;

/** An adapter that is not there is asked for again after so long. */
const RETRY_MILLISECONDS = 100;

/** Asks for all that the adapter offers of these; everything works with WebGPU's defaults too. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
] as const;

/** The most commands that are timed at once; a query set holds twice as many stamps, at most. */
export const MAX_TIMED = 2048;

const MiB = 2 ** 20;

/** A device says that it is lost within so long after its first failure. */
const LOSS_MILLISECONDS = 1000;

/** How long a command took on the GPU. */
export interface Timing {
  readonly label: string;
  readonly nanoseconds: number;
}

/** A WebGPU device with everything made on it. */
export class Gpu implements Disposable {
  /** All devices that were not disposed of. */
  static readonly live = new Set<Gpu>();
  /** The adapter's name for people. */
  readonly adapter: string;
  /** Whether the adapter computes on the CPU. */
  readonly software: boolean;
  readonly device: GPUDevice;
  /** The most bytes that one buffer can have and be bound with. */
  readonly largestBuffer: number;
  /** The most bytes that a buffer of intermediate results should have. */
  readonly scratchBytes: number;
  /** See `AdapterKind`. */
  readonly loopTurns: number;
  /** See `AdapterKind`. */
  readonly block: number;
  /** Where a part of a kernel's grid starts: the layout of `#import origin`. */
  readonly originLayout: GPUBindGroupLayout;
  readonly #origins = new Map<string, GPUBindGroup>();
  readonly #patience: number; // milliseconds that a dispatch or submission takes at most
  #rate: number; // multiply-adds a second, as measured
  #work = 0; // multiply-adds handed to the queue
  #measured = { work: 0, at: 0 }; // how much of it was done, and when
  /** Submissions so far, and how many of them the device counted. */
  #submissions = 0;
  readonly #tally: { buffer: GPUBuffer; count: Command };
  readonly #owned = new Set<GPUBuffer>();
  readonly #staging: GPUBuffer[] = []; // those not in use
  /** Buffers that the device has not yet said it has room for. */
  readonly #unsettled = new Set<Promise<void>>();
  #timing: { queries: GPUQuerySet; labels: string[] } | undefined; // while commands are timed
  #timestamps: { queries: GPUQuerySet; buffer: GPUBuffer } | undefined;
  #error: Error | undefined;

  private constructor(kind: AdapterKind, device: GPUDevice, options: OpenOptions) {
    this.adapter = kind.name;
    this.software = kind.software;
    this.loopTurns = kind.loopTurns;
    this.block = kind.block;
    this.device = device;
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
    this.largestBuffer = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    this.scratchBytes = Math.min(options.scratchBytes ?? 64 * MiB, this.largestBuffer);
    this.#patience = (options.share ?? 1) * PATIENCE_MILLISECONDS;
    this.#rate = FIRST_RATE[kind.software ? "software" : "hardware"];
    Gpu.live.add(this);
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      const { message } = (event as GPUUncapturedErrorEvent).error;
      this.#error ??= new Error(`Cannot go on: the GPU reports ${message}`);
    });
    device.lost.then(({ message }) => this.#error ??= new EngineLost(message || "no reason"));
    this.originLayout = device.createBindGroupLayout({
      label: "origin",
      entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform" } }],
    });
    const buffer = this.buffer("tally", 4);
    this.#tally = { buffer, count: command(this, "tally", [1], { tally: buffer }, {}) };
  }

  /** Multiply-adds that one dispatch or submission should have at most, at the measured rate. */
  get workOfSubmission(): number {
    return this.#rate * this.#patience / 1000;
  }

  /** Buffers that exist on the device; a leak would show here. */
  get buffers(): number {
    return this.#owned.size;
  }

  /** Opens the default adapter; `undefined` where there is no WebGPU or no adapter. */
  static async open(options: OpenOptions = {}): Promise<Gpu | undefined> {
    const adapter = await requestAdapter(options.wait ?? 0);
    if (!adapter) return undefined;
    const { info } = adapter;
    const kind = kindOf({
      description: info.description,
      vendor: info.vendor,
      architecture: info.architecture,
      device: info.device,
      // Older browsers have it on the adapter itself.
      isFallbackAdapter: info.isFallbackAdapter ||
        (adapter as { isFallbackAdapter?: boolean }).isFallbackAdapter,
    });
    const requiredLimits = options.defaultLimits
      ? {}
      : Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]]));
    const requiredFeatures = (["timestamp-query"] as const)
      .filter((name) => adapter.features.has(name));
    const device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
    return new Gpu(kind, device, options);
  }

  get limits(): GPUSupportedLimits {
    return this.device.limits;
  }

  /** Throws the first error that the device has reported. */
  check(): void {
    if (this.#error) throw this.#error;
  }

  /**
   * Waits until the device has compiled all kernels, side by side where it can, and said whether it
   * has room for all buffers.
   * @throws {CompileError} naming the kernel that the device does not compile.
   * @throws {RangeError} naming the buffer that it has no room for.
   */
  async settle(): Promise<void> {
    await Promise.all([compileAll(this), ...this.#unsettled]);
    this.check();
  }

  /**
   * Makes a zeroed storage buffer.
   * @param bytes its size.
   * @throws {RangeError} when the device cannot hold it.
   */
  buffer(
    label: string,
    bytes: number,
    usage: GPUBufferUsageFlags = GPUBufferUsage.STORAGE,
  ): GPUBuffer {
    const most = usage & GPUBufferUsage.STORAGE ? this.largestBuffer : this.limits.maxBufferSize;
    if (bytes > most) {
      throw new RangeError(
        `Cannot hold ${label}: it needs ${sizeOf(bytes)}, and the device (${this.adapter}) gives ` +
          `${sizeOf(most)} a buffer; use a smaller network, batch or data set`,
      );
    }
    return this.#create({
      label,
      size: Math.max(16, Math.ceil(bytes / 4) * 4),
      usage: usage | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
  }

  /** @throws {RangeError} where the device says at once that it has no room; elsewhere later. */
  #create(descriptor: GPUBufferDescriptor): GPUBuffer {
    const { device } = this;
    const refusal = (reason: string) => {
      const held = [...this.#owned].reduce((sum, { size }) => sum + size, 0);
      return new RangeError(
        `Cannot hold ${descriptor.label}, ${sizeOf(descriptor.size)}: the device ` +
          `(${this.adapter}) has no room for it (${reason}), of ${
            sizeOf(held)
          } asked for in all; ` +
          `use a smaller network, batch or data set`,
      );
    };
    device.pushErrorScope("out-of-memory");
    let buffer;
    try {
      buffer = device.createBuffer(descriptor);
    } catch (error) {
      device.popErrorScope().catch(() => {}); // what it holds was thrown
      throw refusal((error as Error).message);
    }
    this.#owned.add(buffer);
    const settled = device.popErrorScope().then((error) => {
      // What else the device reports is about a buffer that it never had.
      if (error) this.#error = refusal(error.message);
    }).catch(() => {}).then(() => { // a lost device says so itself
      this.#unsettled.delete(settled);
    });
    this.#unsettled.add(settled);
    return buffer;
  }

  /**
   * Makes something whose buffers can go before the device does.
   * @returns it, and what destroys its buffers, behind all that was submitted with them.
   */
  lease<T>(make: () => T): { value: T; release(): void } {
    const before = new Set(this.#owned);
    const value = make();
    const leased = [...this.#owned].filter((buffer) => !before.has(buffer));
    return { value, release: () => leased.forEach((buffer) => this.#destroy(buffer)) };
  }

  #destroy(buffer: GPUBuffer): void {
    this.#owned.delete(buffer);
    buffer.destroy();
  }

  /** Makes a buffer that holds `data`. */
  upload(
    label: string,
    data: ArrayBufferView,
    usage?: GPUBufferUsageFlags,
  ): GPUBuffer {
    const buffer = this.buffer(label, data.byteLength, usage);
    this.write(buffer, data);
    return buffer;
  }

  /** Writes `data` into a buffer, `offset` bytes from its start. */
  write(buffer: GPUBuffer, data: ArrayBufferView, offset = 0): void {
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    const whole = bytes.length - bytes.length % 4;
    this.device.queue.writeBuffer(buffer, offset, bytes.subarray(0, whole));
    if (whole < bytes.length) { // the queue takes multiples of 4 bytes
      const rest = new Uint8Array(4);
      rest.set(bytes.subarray(whole));
      this.device.queue.writeBuffer(buffer, offset + whole, rest);
    }
  }

  /**
   * Runs dispatches in order, `times` over: as one submission, or as several where they hold so
   * much work that a watchdog would take a single one for a hang. A dispatch that is too much on its
   * own goes in parts of its grid. No bit of a result depends on either.
   */
  run(commands: readonly Command[], times = 1): void {
    this.check();
    if (this.#measured.work === this.#work) this.#measured.at = performance.now(); // it was idle
    const most = this.workOfSubmission;
    const parts = commands.map((command) => this.#partsOf(command, most));
    let submission = this.#begin();
    let held = 0; // work recorded so far
    for (let time = 0; time < times; time++) {
      commands.forEach(({ label, pipeline, bindGroup, isDivisible, work }, i) => {
        for (const { origin, groups } of parts[i]) {
          const share = work / parts[i].length;
          if (held > 0 && held + share > most) {
            this.#submit(submission);
            submission = this.#begin();
            held = 0;
          }
          held += share;
          this.#work += share;
          const timestampWrites = this.#stamps(label);
          if (timestampWrites) {
            submission.pass.end();
            submission.pass = submission.encoder.beginComputePass({ label, timestampWrites });
          }
          const { pass } = submission;
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, bindGroup);
          if (isDivisible) pass.setBindGroup(1, this.#originAt(origin));
          pass.dispatchWorkgroups(...groups);
        }
      });
    }
    this.#submit(submission);
  }

  #begin() {
    const encoder = this.device.createCommandEncoder();
    return { encoder, pass: encoder.beginComputePass() };
  }

  /**
   * Submits what was recorded, and behind it, in the same command buffer, a dispatch that counts the
   * submission: some drivers report work as finished that they gave up.
   */
  #submit(
    { encoder, pass }: { encoder: GPUCommandEncoder; pass: GPUComputePassEncoder },
    copy: (encoder: GPUCommandEncoder) => void = () => {},
  ): void {
    const { pipeline, bindGroup, groups } = this.#tally.count;
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...groups);
    pass.end();
    copy(encoder);
    this.device.queue.submit([encoder.finish()]);
    this.#submissions++;
  }

  /** The parts that a command is dispatched in, none of more than about `most` multiply-adds. */
  #partsOf({ groups, work, isDivisible, origin: [x, y, z] = [0, 0, 0] }: Command, most: number) {
    const whole: Part = {
      origin: [x, y, z],
      groups: [groups[0], groups[1] ?? 1, groups[2] ?? 1],
    };
    return isDivisible ? cut(whole, work / most) : [whole];
  }

  /** What a kernel reads where its part of the grid starts from. */
  #originAt(origin: Part["origin"]): GPUBindGroup {
    const key = origin.join();
    let known = this.#origins.get(key);
    if (!known) {
      const buffer = this.upload("origin", Uint32Array.of(...origin, 0), GPUBufferUsage.UNIFORM);
      known = this.device.createBindGroup({
        label: "origin",
        layout: this.originLayout,
        entries: [{ binding: 0, resource: { buffer } }],
      });
      this.#origins.set(key, known);
    }
    return known;
  }

  /** Notes that so much work is done, now, and how fast that was. */
  #measure(work: number): void {
    const now = performance.now(), { work: before, at } = this.#measured;
    if (work <= before) return;
    const milliseconds = now - at, done = work - before;
    if (
      milliseconds >= MEASURED_MILLISECONDS && done >= MEASURED_SHARE * this.workOfSubmission
    ) {
      // One measurement may be far off: a machine was asleep, or an answer came late.
      const rate = 1000 * done / milliseconds;
      this.#rate = Math.min(2 * this.#rate, Math.max(this.#rate / 2, rate));
    }
    this.#measured = { work, at: now };
  }

  /**
   * Times what `body` runs on the GPU, command by command, each in a pass of its own.
   * @returns the first 2,048 commands in order; `undefined` where the adapter has no timestamps.
   *   Browsers round them, to 100 microseconds where they are not told otherwise.
   */
  async timed(body: () => Promise<unknown>): Promise<Timing[] | undefined> {
    if (!this.device.features.has("timestamp-query")) return undefined;
    const { queries, buffer } = this.#timestamps ??= {
      queries: this.device.createQuerySet({ type: "timestamp", count: 2 * MAX_TIMED }),
      buffer: this.buffer("timestamps", 16 * MAX_TIMED, GPUBufferUsage.QUERY_RESOLVE),
    };
    const { labels } = this.#timing = { queries, labels: [] as string[] };
    try {
      await body();
    } finally {
      this.#timing = undefined;
    }
    if (labels.length === 0) return [];
    const encoder = this.device.createCommandEncoder();
    encoder.resolveQuerySet(queries, 0, 2 * labels.length, buffer, 0);
    this.device.queue.submit([encoder.finish()]);
    const stamps = new BigUint64Array(await this.read(buffer, 16 * labels.length));
    return labels.map((label, i) => ({
      label,
      nanoseconds: Number(stamps[2 * i + 1] - stamps[2 * i]),
    }));
  }

  /** Where the next command's stamps go, while commands are timed. */
  #stamps(label: string): GPUComputePassTimestampWrites | undefined {
    const timing = this.#timing;
    if (!timing || timing.labels.length === MAX_TIMED) return undefined;
    const beginningOfPassWriteIndex = 2 * timing.labels.length;
    timing.labels.push(label);
    return {
      querySet: timing.queries,
      beginningOfPassWriteIndex,
      endOfPassWriteIndex: beginningOfPassWriteIndex + 1,
    };
  }

  /**
   * Copies the first `bytes` of a buffer back, behind all that was submitted before.
   * @throws {EngineLost} where the device is lost, or did not do all of that.
   */
  async read(buffer: GPUBuffer, bytes = buffer.size): Promise<ArrayBuffer> {
    return (await this.readAll([{ buffer, bytes }]))[0];
  }

  /** Copies the first bytes of several buffers back at once, which takes as long as one. */
  async readAll(
    wanted: readonly { readonly buffer: GPUBuffer; readonly bytes: number }[],
  ): Promise<ArrayBuffer[]> {
    this.check();
    const words = (bytes: number) => Math.ceil(bytes / 4) * 4;
    const total = wanted.reduce((sum, { bytes }) => sum + words(bytes), 0);
    const staging = this.#stagingOf(total + 4);
    this.#submit(this.#begin(), (encoder) => {
      let at = 0;
      for (const { buffer, bytes } of wanted) {
        encoder.copyBufferToBuffer(buffer, 0, staging, at, words(bytes));
        at += words(bytes);
      }
      encoder.copyBufferToBuffer(this.#tally.buffer, 0, staging, total, 4);
    });
    const submissions = this.#submissions, work = this.#work;
    let data: ArrayBuffer;
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, total + 4);
      data = staging.getMappedRange(0, total + 4).slice(0);
      staging.unmap();
    } catch (error) {
      // The buffers of a lost device fail before the device says that it is lost, if it ever does.
      await Promise.race([
        this.device.lost,
        new Promise((resolve) => setTimeout(resolve, LOSS_MILLISECONDS)),
      ]);
      this.check();
      throw new EngineLost((error as Error).message);
    }
    const [counted] = new Uint32Array(data, total, 1);
    if (counted !== submissions % 2 ** 32) {
      this.#error ??= new EngineLost("it left work undone, and said that it was done");
    }
    this.check(); // what a lost device maps is not to be trusted
    this.#measure(work);
    this.#staging.push(staging);
    let at = 0;
    return wanted.map(({ bytes }) => data.slice(at, (at += words(bytes)) - words(bytes) + bytes));
  }

  /** A buffer to read so many bytes through: a free one, or one in place of a free one too small. */
  #stagingOf(bytes: number): GPUBuffer {
    const free = this.#staging.findIndex(({ size }) => size >= bytes);
    if (free >= 0) return this.#staging.splice(free, 1)[0];
    const small = this.#staging.pop();
    if (small) this.#destroy(small);
    return this.#create({
      label: "staging",
      size: Math.ceil(bytes / 4) * 4,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }

  [Symbol.dispose](): void {
    Gpu.live.delete(this);
    for (const buffer of this.#owned) buffer.destroy();
    this.#timestamps?.queries.destroy();
    this.device.destroy();
  }
}

/** A part of a kernel's grid of workgroups. */
interface Part {
  readonly origin: readonly [number, number, number];
  readonly groups: readonly [number, number, number];
}

/** Halves a grid, along its longest side, until it is in `pieces` or more, or no part has two. */
export function cut(whole: Part, pieces: number): Part[] {
  let parts = [whole];
  while (parts.length < pieces) {
    const halves = parts.flatMap((part) => {
      const longest = Math.max(...part.groups);
      if (longest === 1) return [part];
      const side = part.groups.indexOf(longest), first = Math.ceil(longest / 2);
      const half = (length: number, from: number): Part => ({
        origin: part.origin.with(side, part.origin[side] + from) as [number, number, number],
        groups: part.groups.with(side, length) as [number, number, number],
      });
      return [half(first, 0), half(longest - first, first)];
    });
    if (halves.length === parts.length) break;
    parts = halves;
  }
  return parts;
}

/** The default adapter; one that is not there yet is asked for again within `wait` milliseconds. */
async function requestAdapter(wait: number): Promise<GPUAdapter | null | undefined> {
  const end = performance.now() + wait;
  for (;;) {
    const gpu = await platform.gpu();
    const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" });
    if (adapter || !gpu || performance.now() >= end) return adapter;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
  }
}
