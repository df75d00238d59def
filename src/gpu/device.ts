/**
 * The GPU device: its limits, its buffers, its errors. Everything on the GPU is made here and goes
 * when this does; no WebGPU descriptor leaves this folder.
 */

import { sizeOf } from "../core/fit.ts";
import { EngineLost } from "../engine.ts";

/** One dispatch, ready to be recorded. */
export interface Command {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly groups: readonly [x: number, y?: number, z?: number];
  /** Multiply-adds that it takes, roughly; 0 where they are few. */
  readonly work: number;
}

/** Adapters that compute on the CPU, by the names they go by. */
const SOFTWARE = /llvmpipe|lavapipe|swiftshader|softpipe|basic render|software/i;

/** Asks for all that the adapter offers of these; everything works with WebGPU's defaults too. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
] as const;

/** The most commands that are timed at once; a query set holds twice as many stamps, at most. */
const MAX_TIMED = 2048;

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
  /** Whether it is Mesa's software Vulkan. */
  readonly isMesa: boolean;
  readonly device: GPUDevice;
  /** The most bytes that one buffer can have and be bound with. */
  readonly largestBuffer: number;
  /** The most bytes that a buffer of intermediate results should have. */
  readonly scratchBytes: number;
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
  /** Multiply-adds of one submission, so that it ends within about 200 ms on slow adapters. */
  readonly workOfSubmission: number;
  readonly #owned = new Set<GPUBuffer>();
  readonly #staging: GPUBuffer[] = []; // those not in use
  /** Buffers that the device has not yet said it has room for. */
  readonly #unsettled = new Set<Promise<void>>();
  #timing: { queries: GPUQuerySet; labels: string[] } | undefined; // while commands are timed
  #timestamps: { queries: GPUQuerySet; buffer: GPUBuffer } | undefined;
  #error: Error | undefined;

  private constructor(adapter: GPUAdapter, device: GPUDevice, scratchBytes: number) {
    const { description, vendor, architecture, device: model } = adapter.info;
    this.adapter = description || [vendor, architecture, model].filter(Boolean).join(" ") ||
      "unnamed adapter";
    this.software = SOFTWARE.test(`${description} ${architecture} ${model}`);
    const isMesa = this.isMesa = this.software && !/swiftshader/i.test(this.adapter);
    this.block = isMesa ? 64 : this.software ? 128 : 32;
    this.loopTurns = isMesa ? 65535 : Infinity;
    this.workOfSubmission = this.software ? 1e9 : 5e10;
    this.device = device;
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
    this.largestBuffer = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    this.scratchBytes = Math.min(scratchBytes, this.largestBuffer);
    Gpu.live.add(this);
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      const { message } = (event as GPUUncapturedErrorEvent).error;
      this.#error ??= new Error(`Cannot go on: the GPU reports ${message}`);
    });
    device.lost.then(({ message }) => this.#error ??= new EngineLost(message || "no reason"));
  }

  /** Buffers that exist on the device; a leak would show here. */
  get buffers(): number {
    return this.#owned.size;
  }

  /**
   * Opens the default adapter; `undefined` where there is no WebGPU or no adapter.
   * @param scratchBytes the most that a buffer of intermediate results takes; the device's limits
   *   may make it less.
   */
  static async open(scratchBytes = 64 * MiB): Promise<Gpu | undefined> {
    const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return undefined;
    const requiredLimits = Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]]));
    const requiredFeatures = (["timestamp-query"] as const)
      .filter((name) => adapter.features.has(name));
    const device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
    return new Gpu(adapter, device, scratchBytes);
  }

  get limits(): GPUSupportedLimits {
    return this.device.limits;
  }

  /** Throws the first error that the device has reported. */
  check(): void {
    if (this.#error) throw this.#error;
  }

  /** Waits until the device has said whether it has room for all buffers, and throws if not. */
  async settle(): Promise<void> {
    await Promise.all(this.#unsettled);
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
   * much work that a watchdog would take a single one for a hang.
   */
  run(commands: readonly Command[], times = 1): void {
    this.check();
    const { device } = this;
    let encoder = device.createCommandEncoder();
    let pass = encoder.beginComputePass();
    let held = 0; // work recorded so far
    const submit = () => {
      pass.end();
      device.queue.submit([encoder.finish()]);
    };
    for (let time = 0; time < times; time++) {
      for (const { label, pipeline, bindGroup, groups, work } of commands) {
        if (held > 0 && held + work > this.workOfSubmission) {
          submit();
          encoder = device.createCommandEncoder();
          pass = encoder.beginComputePass();
          held = 0;
        }
        held += work;
        const timestampWrites = this.#stamps(label);
        if (timestampWrites) {
          pass.end();
          pass = encoder.beginComputePass({ timestampWrites });
        }
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindGroup);
        pass.dispatchWorkgroups(...groups);
      }
    }
    submit();
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

  /** Copies the first `bytes` of a buffer back, behind all that was submitted before. */
  async read(buffer: GPUBuffer, bytes = buffer.size): Promise<ArrayBuffer> {
    this.check();
    const staging = this.#stagingOf(bytes);
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, Math.ceil(bytes / 4) * 4);
    this.device.queue.submit([encoder.finish()]);
    let data;
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, Math.ceil(bytes / 4) * 4);
      data = staging.getMappedRange(0, Math.ceil(bytes / 4) * 4).slice(0, bytes);
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
    this.check(); // what a lost device maps is not to be trusted
    this.#staging.push(staging);
    return data;
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
