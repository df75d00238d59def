// How far does a listed state lie from the one that its unit is in? A thread takes four rows at a time.

#import activation
#import rows

override WORKGROUP: u32;

@group(0) @binding(1) var<storage, read_write> moves: array<vec4f>; // [ROW_QUADS]
@group(0) @binding(2) var<storage, read> values: array<f32>; // [batch, outputs + 1]

fn move_of(row: u32) -> f32 {
  let response = response_of(row);
  let value = values[sample_of(response) * (part.outputs + 1u) + unit_of(response)];
  return state_value(response / (4u * quads_of_part()) % STATES) - value;
}

@compute @workgroup_size(WORKGROUP)
fn flip(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var quad = id.x; 4u * quad < count_of_rows(); quad += groups.x * WORKGROUP) {
    let row = 4u * quad;
    moves[quad] = vec4f(move_of(row), move_of(row + 1u), move_of(row + 2u), move_of(row + 3u));
  }
}
