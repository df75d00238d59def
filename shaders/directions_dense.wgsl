// Random directions as exact differences: when every weight of a layer moves by its sign times h,
// and its inputs by da, the layer's inputs to the activation change by [da, 0] (W + D) + [a, 1] D.
// One thread a unit, sample and query, for both points w + h d and w - h d. Twin of changeAlong()
// in src/cpu/directions.ts.

#import activation
#import directions
#import entries
#import origin

override INPUTS: u32;
override OUTPUTS: u32;
override OFFSET: u32; // of the layer's matrix in the parameters
override BATCH: u32;
override QUERIES: u32;
override FIRST: bool; // whether the layer's input is the data, which no nudge changes

@group(0) @binding(0) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h BATCH))
@group(0) @binding(1) var<storage, read> keys: array<u32>; // [steps, QUERIES]
@group(0) @binding(2) var<storage, read> step: u32;
@group(0) @binding(3) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(4) var<storage, read> values: array<f32>; // [BATCH, OUTPUTS + 1]
@group(0) @binding(5) var<storage, read> companions: array<vec2f>; // [BATCH, OUTPUTS]: derivative, input
@group(0) @binding(6) var<storage, read_write> changes: array<vec2f>; // [QUERIES, BATCH, units of all layers]

override WORKGROUP: u32 = 64;
override UNITS: u32; // of all layers
override BEFORE: u32; // where the units of the layer before start
override AFTER: u32; // where this layer's units start

@compute @workgroup_size(WORKGROUP)
fn directions_dense(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let j = min(id.x, OUTPUTS - 1u);
  let n = id.y;
  let query = id.z;
  let key = keys[step * QUERIES + query];
  let row = (query * BATCH + n) * UNITS;
  let reach = vec2f(stencil[0].x, stencil[1].x);
  var dz = vec2f(0.0);
  for (var run = 0u; run * RUN <= INPUTS; run++) { // [a, 1] D, where a is not 0
    let start = start_of(n, INPUTS, run * RUN_BLOCKS);
    let blocks = min(RUN_BLOCKS, (INPUTS - run * RUN) / BLOCK + 1u);
    let end = starts[start + blocks];
    for (var e = starts[start]; e < end; e++) {
      let pair = entries[e];
      let signs = vec2f(
        direction_sign(key, OFFSET + pair.x * OUTPUTS + j),
        direction_sign(key, OFFSET + pair.z * OUTPUTS + j)
      );
      dz = fma(vec2f(bitcast<f32>(pair.y) * signs.x), reach, dz);
      dz = fma(vec2f(bitcast<f32>(pair.w) * signs.y), reach, dz);
    }
  }
  if (!FIRST) {
    for (var i = 0u; i < INPUTS; i++) { // [da, 0] (W + D)
      let index = OFFSET + i * OUTPUTS + j;
      dz = fma(changes[row + BEFORE + i], parameters[index] + reach * direction_sign(key, index), dz);
    }
  }
  if (id.x < OUTPUTS) {
    let value = vec4f(values[n * (OUTPUTS + 1u) + j]);
    let saved = companions[n * OUTPUTS + j];
    changes[row + AFTER + j] = change(value, vec4f(saved.x), vec4f(saved.y), dz.xyxy).xy;
  }
}
