// Every further stage: the changes of a layer's units, times the next matrix, change the next
// layer's units. A matrix product over the rows of the chunk; a thread holds ROWS rows of one unit,
// so that a weight is loaded once for all of them.

#import activation
#import chunk

override OFFSET: u32; // of the matrix in the parameters
override INPUTS: u32;
override OUTPUTS: u32;
override POINTS: u32; // of the stencil

@group(0) @binding(0) var<uniform> chunk: Chunk;
@group(0) @binding(1) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(2) var<storage, read> starts: array<u32>; // [inputs of the nudged layer + 2]
@group(0) @binding(3) var<storage, read> entries: array<vec2u>; // (input, sample)
@group(0) @binding(4) var<storage, read> before: array<f32>; // [rows, INPUTS]
@group(0) @binding(5) var<storage, read> values: array<f32>; // [batch, OUTPUTS + 1]
@group(0) @binding(6) var<storage, read> companions: array<f32>; // [batch, OUTPUTS]
@group(0) @binding(7) var<storage, read_write> changes: array<f32>; // [rows, OUTPUTS]

override WORKGROUP: u32 = 64;

const ROWS = 8;

@compute @workgroup_size(WORKGROUP)
fn propagate(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let k = group.x * WORKGROUP + local.x;
  let unit = min(k, OUTPUTS - 1u);
  let first = starts[chunk.first_input];
  let rows_of_entry = chunk.units * POINTS;
  let rows = (starts[chunk.first_input + chunk.inputs] - first) * rows_of_entry;
  for (var row = group.y * ROWS; row < rows; row += groups.y * ROWS) {
    var sums: array<f32, ROWS>;
    var starts_of_rows: array<u32, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
      starts_of_rows[r] = min(row + r, rows - 1u) * INPUTS;
      sums[r] = 0.0; // not every compiler clears a variable again in each turn of a loop
    }
    for (var q = 0u; q < INPUTS; q++) {
      let weight = parameters[OFFSET + q * OUTPUTS + unit];
      for (var r = 0u; r < ROWS; r++) {
        sums[r] = fma(before[starts_of_rows[r] + q], weight, sums[r]);
      }
    }
    for (var r = 0u; r < ROWS; r++) {
      if (row + r < rows && k < OUTPUTS) {
        let n = entries[first + (row + r) / rows_of_entry].y;
        let value = vec4f(values[n * (OUTPUTS + 1u) + unit]);
        let c = vec4f(companions[n * OUTPUTS + unit]);
        let change = activation_change(value, c, vec4f(sums[r]), false);
        changes[(row + r) * OUTPUTS + k] = change.x;
      }
    }
  }
}
