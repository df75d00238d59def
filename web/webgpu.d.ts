/** WebGPU's flags: the library of the DOM has its types, and not these. */

declare const GPUBufferUsage: {
  readonly COPY_SRC: number;
  readonly COPY_DST: number;
  readonly MAP_READ: number;
  readonly QUERY_RESOLVE: number;
  readonly STORAGE: number;
  readonly UNIFORM: number;
};
declare const GPUMapMode: { readonly READ: number };
declare const GPUShaderStage: { readonly COMPUTE: number };
