// First stage of nudges in a layer that two or more layers follow: by how much does its unit j
// change when W[i,j] is nudged? One thread a row of the chunk.

#import activation
#import chunk

override INPUTS: u32;
override OUTPUTS: u32;
override POINTS: u32; // of the stencil

@group(0) @binding(0) var<uniform> chunk: Chunk;
@group(0) @binding(1) var<uniform> stencil: array<vec4f, 4>; // (offset h, coefficient / (h batch))
@group(0) @binding(2) var<storage, read> starts: array<u32>; // [INPUTS + 2]
@group(0) @binding(3) var<storage, read> entries: array<vec2u>; // (input, sample)
@group(0) @binding(4) var<storage, read> a: array<f32>; // [batch, INPUTS + 1]
@group(0) @binding(5) var<storage, read> values: array<f32>; // [batch, OUTPUTS + 1]
@group(0) @binding(6) var<storage, read> companions: array<vec2f>; // [batch, OUTPUTS]: derivative, input
@group(0) @binding(7) var<storage, read_write> nudges: array<f32>; // [rows]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn nudge(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let first = starts[chunk.first_input];
  let rows = (starts[chunk.first_input + chunk.inputs] - first) * chunk.units * POINTS;
  for (var row = id.x; row < rows; row += groups.x * WORKGROUP) {
    let s = row % POINTS;
    let j = chunk.first_unit + row / POINTS % chunk.units;
    let entry = entries[first + row / POINTS / chunk.units];
    let dz = stencil[s].x * a[entry.y * (INPUTS + 1u) + entry.x];
    let value = vec4f(values[entry.y * (OUTPUTS + 1u) + j]);
    let saved = companions[entry.y * OUTPUTS + j];
    nudges[row] = change(value, vec4f(saved.x), vec4f(saved.y), vec4f(dz)).x;
  }
}
