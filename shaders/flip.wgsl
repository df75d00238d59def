// How far does a listed state lie from the one that its unit is in? One thread four rows.

#import activation
#import rows

override ROW_QUADS: u32;
override WORKGROUP: u32;

@group(0) @binding(1) var<storage, read_write> moves: array<vec4f>; // [ROW_QUADS]
@group(0) @binding(2) var<storage, read> values: array<f32>; // [batch, OUTPUTS + 1]

fn move_of(row: u32) -> f32 {
  let response = response_of(row);
  let value = values[sample_of(response) * (OUTPUTS + 1u) + unit_of(response)];
  return state_value(response / (4u * quads_of_part()) % STATES) - value;
}

@compute @workgroup_size(WORKGROUP)
fn flip(@builtin(global_invocation_id) id: vec3u) {
  let row = 4u * id.x;
  if (row < count_of_rows()) {
    moves[id.x] = vec4f(move_of(row), move_of(row + 1u), move_of(row + 2u), move_of(row + 3u));
  }
}
