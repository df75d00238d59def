/** A compiled kernel: its bindings are read off its WGSL, so that no list of them is kept twice. */

import { makeBindGroupLayoutDescriptors, makeShaderDataDefinitions } from "webgpu-utils";
import type { Command, Gpu } from "./device.ts";
import { compose, type Fillings, type KernelName, KERNELS } from "./shaders.ts";

/** Values of override constants. Those that a kernel does not declare are left out. */
export type Constants = Record<string, number | boolean>;

/**
 * Compiles a kernel and binds its buffers.
 * @param groups workgroups to dispatch.
 * @param buffers by the variable names of the WGSL.
 * @returns the dispatch, ready to run any number of times.
 * @throws {SyntaxError} with the numbered source, when the WGSL does not compile.
 * @throws {RangeError} when the dispatch is larger than the device allows.
 */
export function command(
  gpu: Gpu,
  name: KernelName,
  groups: Command["groups"],
  buffers: Record<string, GPUBuffer>,
  constants: Constants,
  fillings: Fillings = {},
): Command {
  const limit = gpu.limits.maxComputeWorkgroupsPerDimension;
  if (groups.some((count) => count! > limit)) {
    throw new RangeError(
      `Cannot dispatch ${groups.join(" x ")} workgroups of ${name}: the device (${gpu.adapter}) ` +
        `allows ${limit} a dimension; use a smaller network or batch`,
    );
  }
  const code = compose(KERNELS[name], fillings);
  const definitions = makeShaderDataDefinitions(code);
  const [entryPoint] = Object.keys(definitions.entryPoints);
  const { device } = gpu;
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
  const bindings = Object.entries({ ...definitions.storages, ...definitions.uniforms });
  const bindGroup = device.createBindGroup({
    label: name,
    layout,
    entries: bindings.map(([variable, { binding }]) => {
      if (!buffers[variable]) throw new TypeError(`Cannot bind ${name}: ${variable} is missing`);
      return { binding, resource: { buffer: buffers[variable] } };
    }),
  });
  return { label: name, pipeline, bindGroup, groups };
}
