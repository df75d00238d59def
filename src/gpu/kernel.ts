/** A compiled kernel: its bindings are read off its WGSL, so that no list of them is kept twice. */

import {
  makeBindGroupLayoutDescriptors,
  makeShaderDataDefinitions,
  makeStructuredView,
  type StructDefinition,
  type VariableDefinition,
} from "webgpu-utils";
import type { Command, Gpu } from "./device.ts";
import { compose, type Fillings, type KernelName, KERNELS } from "./shaders.ts";

/**
 * Numbers that a kernel is told. Where it declares one as an override, it is compiled for it; where as
 * a member of a struct that no buffer is given for (`sizes.inputs` for INPUTS), it is compiled once
 * for all. Those that it does not declare are left out.
 */
export type Constants = Record<string, number | boolean>;

/** A kernel by its name, or one from elsewhere by its code. */
export type Kernel = KernelName | { readonly name: string; readonly code: string };

/** What the device says of a kernel that it does not compile. */
export class CompileError extends Error {
  /** What it says, for people. */
  readonly reason: string;

  /** @param kernel its name. */
  constructor(readonly kernel: string, adapter: string, message: string) {
    const reason = `${adapter} does not compile the kernel ${kernel} (${message.trim()})`;
    super(`Cannot use WebGPU: ${reason}; use --backend cpu`);
    this.reason = reason;
  }
}

/** Is told of every shader as the device gets it, each once for every set of constants. */
export const inspection: {
  composed?(shader: { name: string; code: string; constants: Record<string, number> }): void;
} = {};

/**
 * The values of the override constants that a shader declares, by their names.
 * @throws {TypeError} when one is missing that has none by itself.
 */
function declaredIn(code: string, name: string, constants: Constants): [string, number][] {
  return [...code.matchAll(/^override (\w+): \w+( =)?/gm)]
    .flatMap(([, constant, isOptional]): [string, number][] => {
      const value = constants[constant];
      if (value !== undefined) return [[constant, Number(value)]];
      if (isOptional) return [];
      throw new TypeError(`Cannot compile ${name}: ${constant} is missing`);
    });
}

/** A kernel with its constants, compiled once for all commands that have the same. */
class Compiled {
  readonly layout: GPUBindGroupLayout;
  /** Binding numbers by the variable names of the WGSL. */
  readonly bindings: ReadonlyMap<string, number>;
  readonly variables: Readonly<Record<string, VariableDefinition>>;
  /** Whether it can be dispatched in parts: see shaders/shared/origin.wgsl. */
  readonly isDivisible: boolean;
  readonly #gpu: Gpu;
  readonly #descriptor: GPUComputePipelineDescriptor;
  /** What the device says of the WGSL itself. */
  readonly #complaint: Promise<GPUError | null>;
  #pipeline: GPUComputePipeline | undefined;

  constructor(gpu: Gpu, name: string, code: string, declared: [string, number][]) {
    const { device, originLayout } = this.#gpu = gpu;
    const definitions = makeShaderDataDefinitions(code);
    const [entryPoint] = Object.keys(definitions.entryPoints);
    inspection.composed?.({ name, code, constants: Object.fromEntries(declared) });
    const [own] = makeBindGroupLayoutDescriptors(definitions, { compute: { entryPoint } });
    const variables = Object.entries({ ...definitions.storages, ...definitions.uniforms });
    this.isDivisible = variables.some(([, { group }]) => group === 1);
    const layout = own as GPUBindGroupLayoutDescriptor;
    const used = new Set(Array.from(layout.entries, ({ binding }) => binding));
    this.bindings = new Map( // of those that the kernel uses, whatever its pieces declare
      variables.filter(([, { group, binding }]) => group === 0 && used.has(binding))
        .map(([variable, { binding }]) => [variable, binding]),
    );
    this.variables = Object.fromEntries(variables);
    this.layout = device.createBindGroupLayout(layout);
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label: name, code });
    this.#complaint = device.popErrorScope().catch(() => null); // a lost device says so itself
    this.#descriptor = {
      label: name,
      layout: device.createPipelineLayout({
        bindGroupLayouts: this.isDivisible ? [this.layout, originLayout] : [this.layout],
      }),
      compute: {
        module,
        entryPoint,
        constants: Object.fromEntries(declared),
      },
    };
  }

  /** The pipeline; compiled here and now where nobody waited for it. */
  get pipeline(): GPUComputePipeline {
    return this.#pipeline ??= this.#gpu.device.createComputePipeline(this.#descriptor);
  }

  /**
   * Compiles the pipeline beside others.
   * @throws {CompileError} when the device does not compile it.
   */
  async compile(): Promise<void> {
    if (this.#pipeline) return;
    const { device, adapter } = this.#gpu, { label } = this.#descriptor;
    const complaint = await this.#complaint;
    if (complaint) throw new CompileError(label!, adapter, complaint.message);
    try {
      this.#pipeline = await device.createComputePipelineAsync(this.#descriptor);
      return;
    } catch { /* it may reject where the other form works */ }
    device.pushErrorScope("validation");
    device.pushErrorScope("internal");
    let reason: string | undefined;
    try {
      void this.pipeline;
    } catch (error) {
      reason = (error as Error).message;
    }
    const errors = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
    reason ??= errors.find((error) => error)?.message;
    if (reason !== undefined) throw new CompileError(label!, adapter, reason);
  }
}

const compiled = new WeakMap<Gpu, Map<string, Compiled>>();

/** A kernel's compiled form, once for each text and set of constants. */
function compiledFor(
  gpu: Gpu,
  { name, code: source }: Exclude<Kernel, string>,
  constants: Constants,
  fillings: Fillings,
) {
  const code = compose(source, fillings), declared = declaredIn(code, name, constants);
  const key = JSON.stringify([name, declared, code]);
  let known = compiled.get(gpu);
  if (!known) compiled.set(gpu, known = new Map());
  let one = known.get(key);
  if (!one) known.set(key, one = new Compiled(gpu, name, code, declared));
  return one;
}

/** A struct filled with constants, by the names of its members. */
function constantsBuffer(gpu: Gpu, kernel: string, type: StructDefinition, constants: Constants) {
  const members = Object.keys(type.fields);
  const view = makeStructuredView(type);
  view.set(Object.fromEntries(members.map((member) => {
    const value = constants[member.toUpperCase()];
    if (value === undefined) throw new TypeError(`Cannot bind ${kernel}: ${member} is missing`);
    return [member, Number(value)];
  })));
  return gpu.upload(
    "constants",
    new Uint8Array(view.arrayBuffer),
    GPUBufferUsage.UNIFORM | GPUBufferUsage.STORAGE,
  );
}

/**
 * Compiles every kernel of a device that is not compiled yet, side by side.
 * @throws {CompileError} naming the first that the device does not compile.
 */
export async function compileAll(gpu: Gpu): Promise<void> {
  await Promise.all([...compiled.get(gpu)?.values() ?? []].map((one) => one.compile()));
}

/**
 * Makes a dispatch: the kernel, compiled, with its buffers bound.
 * @param groups workgroups to dispatch.
 * @param buffers by the variable names of the WGSL.
 * @param work multiply-adds it takes, roughly, where they are many.
 * @returns the dispatch, ready to run any number of times.
 * @throws {RangeError} when the dispatch is larger than the device allows.
 */
export function command(
  gpu: Gpu,
  kernel: Kernel,
  groups: Command["groups"],
  buffers: Record<string, GPUBuffer>,
  constants: Constants,
  fillings: Fillings = {},
  work = 0,
): Command {
  const named = typeof kernel === "string" ? { name: kernel, code: KERNELS[kernel] } : kernel;
  const { name } = named;
  const limit = gpu.limits.maxComputeWorkgroupsPerDimension;
  if (groups.some((count) => count! > limit)) {
    throw new RangeError(
      `Cannot dispatch ${groups.join(" x ")} workgroups of ${name}: the device (${gpu.adapter}) ` +
        `allows ${limit} a dimension; use a smaller network or batch`,
    );
  }
  const one = compiledFor(gpu, named, constants, fillings);
  const bindGroup = gpu.device.createBindGroup({
    label: name,
    layout: one.layout,
    entries: [...one.bindings].map(([variable, binding]) => {
      const { typeDefinition } = one.variables[variable];
      const buffer = buffers[variable] ??
        ("fields" in typeDefinition
          ? constantsBuffer(gpu, name, typeDefinition as StructDefinition, constants)
          : undefined);
      if (!buffer) throw new TypeError(`Cannot bind ${name}: ${variable} is missing`);
      return { binding, resource: { buffer } };
    }),
  });
  return {
    kernel: name,
    label: name,
    get pipeline() {
      return one.pipeline;
    },
    bindGroup,
    groups,
    work,
    isDivisible: one.isDivisible,
    source: { groups, constants, fillings, buffers },
  };
}

/**
 * Says what commands compute, for people who read a profile: the label is the kernel's name and
 * this. Those that have been told already keep what they are called.
 */
export function labelled(what: string, commands: readonly Command[]): Command[] {
  return commands.map((command): Command =>
    command.label === command.kernel
      // The rest is inherited: a copy would ask for the pipeline, and so compile it now.
      ? Object.create(command, { label: { value: `${command.kernel}, ${what}`, enumerable: true } })
      : command
  );
}
