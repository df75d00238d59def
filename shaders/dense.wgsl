// One layer forward: activation([a, 1] W). A thread takes four units of a sample, so that it loads
// an input once for all of them; SPLITS threads share a sum where threads are many. Twin of dense()
// in src/cpu/forward.ts.

#import activation
#import entries
#import lanes
#import splits
#import origin

struct Sizes {
  inputs: u32,
  outputs: u32,
  offset: u32, // of the layer's matrix in the parameters
}

@group(0) @binding(3) var<uniform> sizes: Sizes;

@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(1) var<storage, read_write> values: array<f32>; // [batch, OUTPUTS + 1]
@group(0) @binding(2) var<storage, read_write> companions: array<vec2f>; // [batch, OUTPUTS]: derivative, input

var<workgroup> partial: array<vec4f, LANES * SPLITS>;

fn row_of_weights(i: u32, units: vec4u) -> vec4f {
  let at = sizes.offset + i * sizes.outputs + units;
  return vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
}

fn store(n: u32, j: u32, value: f32, companion: vec2f) {
  if (j < sizes.outputs) {
    values[n * (sizes.outputs + 1u) + j] = value;
    companions[n * sizes.outputs + j] = companion;
  } else if (j == sizes.outputs) {
    values[n * (sizes.outputs + 1u) + j] = 1.0;
  }
}

@compute @workgroup_size(LANES, SPLITS)
fn dense(@builtin(workgroup_id) part: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let group = origin + part;
  let n = group.y;
  // Threads side by side take units side by side. A sum beyond the last unit goes nowhere.
  let units = 4u * LANES * group.x + local.x + LANES * vec4u(0u, 1u, 2u, 3u);
  var z = vec4f();
  for (var run = 0u; run * RUN <= sizes.inputs; run++) {
    let start = start_of(n, sizes.inputs, run * RUN_BLOCKS);
    let blocks = min(RUN_BLOCKS, (sizes.inputs - run * RUN) / BLOCK + 1u);
    let end = starts[start + blocks];
    for (var e = starts[start] + local.y; e < end; e += SPLITS) {
      let pair = entries[e];
      z = fma(vec4f(bitcast<f32>(pair.y)), row_of_weights(pair.x, units), z);
      z = fma(vec4f(bitcast<f32>(pair.w)), row_of_weights(pair.z, units), z);
    }
  }
  if (SPLITS > 1u) {
    partial[local.y * LANES + local.x] = z;
    workgroupBarrier();
    z = vec4f();
    for (var split = 0u; split < SPLITS; split++) {
      z += partial[split * LANES + local.x];
    }
  }
  if (local.y == 0u) {
    let value = activate(z);
    let slope = derivative(z);
    store(n, units.x, value.x, vec2f(slope.x, z.x));
    store(n, units.y, value.y, vec2f(slope.y, z.y));
    store(n, units.z, value.z, vec2f(slope.z, z.z));
    store(n, units.w, value.w, vec2f(slope.w, z.w));
  }
}
