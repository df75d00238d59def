import { compose } from "../src/gpu/shaders.ts";
import { assertClose, gpuTest } from "./support.ts";

/** Evaluates one WGSL function on the device. */
async function evaluate(
  gpu: Awaited<ReturnType<Parameters<Parameters<typeof gpuTest>[1]>[0]>>,
  call: string,
  x: Float32Array<ArrayBuffer>,
) {
  const code = compose(`#import special
@group(0) @binding(0) var<storage, read_write> data: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&data)) {
    let x = vec4f(data[id.x]);
    data[id.x] = ${call}.x;
  }
}`);
  const module = gpu.device.createShaderModule({ code });
  const pipeline = gpu.device.createComputePipeline({ layout: "auto", compute: { module } });
  const buffer = gpu.upload("data", x);
  const bindGroup = gpu.device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer } }],
  });
  gpu.run([{
    kernel: call,
    label: call,
    pipeline,
    bindGroup,
    groups: [Math.ceil(x.length / 64)],
    work: 0,
  }]);
  return new Float32Array(await gpu.read(buffer, x.byteLength));
}

/** Both signs, from 1e-30 to `largest`, evenly in the logarithm. */
function range(smallest: number, largest: number, negative: number): Float32Array<ArrayBuffer> {
  const steps = 4000;
  const growth = Math.log(largest / smallest) / steps;
  const positive = Array.from({ length: steps + 1 }, (_, i) => smallest * Math.exp(growth * i));
  const below = positive.filter((x) => x < negative).map((x) => -x);
  return Float32Array.from([...positive, ...below]);
}

// One unit of rounding is 6e-8; the bounds leave room for four, and for the series' rests.
const cases: [string, (x: number) => number, Float32Array<ArrayBuffer>, number][] = [
  ["expm1(x)", Math.expm1, range(1e-30, 80, 80), 2.5e-7],
  ["log1p(x)", Math.log1p, range(1e-30, 1e30, 0.999), 2.5e-7],
  ["log_exact(x)", Math.log, range(1e-30, 1e30, 0), 2.5e-7],
  ["sigmoid(x)", (x) => 1 / (1 + Math.exp(-x)), range(1e-6, 80, 80), 3e-7],
];

for (const [call, exact, x, tolerance] of cases) {
  gpuTest(`${call} against float64`, async (open) => {
    using gpu = await open();
    const expected = Float64Array.from(x, exact);
    assertClose(await evaluate(gpu, call, x), expected, tolerance, 1e-36);
  });
}
