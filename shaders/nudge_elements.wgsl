// How far do nudges of some weights move their units? A thread takes four rows at a time. Twin of
// nudge_elements() in src/method/response_twins.ts.

#import activation
#import rows

override INPUTS: u32; // of the layer
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [BATCH, INPUTS + 1]
@group(0) @binding(1) var<storage, read_write> moves: array<vec4f>; // [ROW_QUADS]
@group(0) @binding(2) var<storage, read> values: array<f32>; // [BATCH, outputs + 1]
@group(0) @binding(3) var<storage, read> companions: array<vec2f>; // [BATCH, outputs]: derivative, input
@group(0) @binding(11) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h BATCH))

fn move_of(row: u32) -> f32 {
  let response = response_of(row);
  let n = sample_of(response);
  let unit = unit_of(response);
  let dz = stencil[row % POINTS].x * a[n * (INPUTS + 1u) + items[response / BATCH].y];
  let value = vec4f(values[n * (part.outputs + 1u) + unit]);
  let on = companions[n * part.outputs + unit];
  return change(value, vec4f(on.x), vec4f(on.y), vec4f(dz)).x;
}

@compute @workgroup_size(WORKGROUP)
fn nudge_elements(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  for (var quad = id.x; 4u * quad < count_of_rows(); quad += groups.x * WORKGROUP) {
    let row = 4u * quad;
    moves[quad] = vec4f(move_of(row), move_of(row + 1u), move_of(row + 2u), move_of(row + 3u));
  }
}
