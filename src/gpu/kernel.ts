/** A compiled kernel: its bindings are read off its WGSL, so that no list of them is kept twice. */

import { makeBindGroupLayoutDescriptors, makeShaderDataDefinitions } from "webgpu-utils";
import type { Command, Gpu } from "./device.ts";
import { compose, type Fillings, type KernelName, KERNELS } from "./shaders.ts";

/** Values of override constants. Those that a kernel does not declare are left out. */
export type Constants = Record<string, number | boolean>;

/** A kernel by its name, or one from elsewhere by its code. */
export type Kernel = KernelName | { readonly name: string; readonly code: string };

/** A kernel's compiled form, shared by all commands with the same constants. */
interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** Binding numbers by the variable names of the WGSL. */
  readonly bindings: ReadonlyMap<string, number>;
}

const compiled = new WeakMap<Gpu, Map<string, Compiled>>();

/** Compiles a kernel, once for each set of constants. */
function compile(
  gpu: Gpu,
  { name, code: source }: Exclude<Kernel, string>,
  constants: Constants,
  fillings: Fillings,
): Compiled {
  const key = JSON.stringify([name, constants, fillings]);
  let known = compiled.get(gpu);
  if (!known) compiled.set(gpu, known = new Map());
  const before = known.get(key);
  if (before) return before;
  const { device } = gpu;
  const code = compose(source, fillings);
  const definitions = makeShaderDataDefinitions(code);
  const [entryPoint] = Object.keys(definitions.entryPoints);
  const declared = Object.entries(constants)
    .filter(([constant]) => new RegExp(`^override ${constant}:`, "m").test(code))
    .map(([constant, value]): [string, number] => [constant, Number(value)]);
  const descriptors = makeBindGroupLayoutDescriptors(definitions, { compute: { entryPoint } });
  const layout = device.createBindGroupLayout(descriptors[0] as GPUBindGroupLayoutDescriptor);
  const pipeline = device.createComputePipeline({
    label: name,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: {
      module: device.createShaderModule({ label: name, code }),
      entryPoint,
      constants: Object.fromEntries(declared),
    },
  });
  const bindings = new Map(
    Object.entries({ ...definitions.storages, ...definitions.uniforms })
      .map(([variable, { binding }]) => [variable, binding]),
  );
  const result = { pipeline, layout, bindings };
  known.set(key, result);
  return result;
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
  const { pipeline, layout, bindings } = compile(gpu, named, constants, fillings);
  const bindGroup = gpu.device.createBindGroup({
    label: name,
    layout,
    entries: [...bindings].map(([variable, binding]) => {
      if (!buffers[variable]) throw new TypeError(`Cannot bind ${name}: ${variable} is missing`);
      return { binding, resource: { buffer: buffers[variable] } };
    }),
  });
  return { label: name, pipeline, bindGroup, groups, work };
}
