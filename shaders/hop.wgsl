// Second stage: the change of one unit j, times its row of the next matrix, changes every unit of
// the next layer. One thread a unit of the next layer, walking the entries of the chunk.

#import activation
#import chunk

override OFFSET: u32; // of the next layer's matrix in the parameters
override OUTPUTS: u32; // of the next layer
override POINTS: u32; // of the stencil

@group(0) @binding(0) var<uniform> chunk: Chunk;
@group(0) @binding(1) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(2) var<storage, read> starts: array<u32>; // [inputs + 2]
@group(0) @binding(3) var<storage, read> entries: array<vec2u>; // (input, sample)
@group(0) @binding(4) var<storage, read> nudges: array<f32>; // [rows]
@group(0) @binding(5) var<storage, read> values: array<f32>; // [batch, OUTPUTS + 1]
@group(0) @binding(6) var<storage, read> companions: array<f32>; // [batch, OUTPUTS]
@group(0) @binding(7) var<storage, read_write> changes: array<f32>; // [rows, OUTPUTS]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn hop(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let k = group.x * WORKGROUP + local.x;
  let unit = min(k, OUTPUTS - 1u);
  let first = starts[chunk.first_input];
  let count = starts[chunk.first_input + chunk.inputs] - first;
  for (var e = group.y; e < count; e += groups.y) {
    let n = entries[first + e].y;
    let value = vec4f(values[n * (OUTPUTS + 1u) + unit]);
    let c = vec4f(companions[n * OUTPUTS + unit]);
    for (var j = 0u; j < chunk.units; j++) {
      let weight = parameters[OFFSET + (chunk.first_unit + j) * OUTPUTS + unit];
      for (var s = 0u; s < POINTS; s++) {
        let row = (e * chunk.units + j) * POINTS + s;
        let change = activation_change(value, c, vec4f(nudges[row] * weight), false).x;
        if (k < OUTPUTS) {
          changes[row * OUTPUTS + k] = change;
        }
      }
    }
  }
}
