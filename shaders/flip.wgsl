// How far does a listed state lie from the one that its unit is in? A thread takes four rows at a time.

#import activation
#import rows

override WORKGROUP: u32;

@group(0) @binding(1) var<storage, read_write> moves: array<vec4f>; // [ROW_QUADS]
@group(0) @binding(2) var<storage, read> companions: array<vec2f>; // [batch, outputs]: derivative, input

fn move_of(row: u32) -> f32 {
  let response = response_of(row);
  let z = companions[sample_of(response) * part.outputs + unit_of(response)].y;
  let to = response / (4u * quads_of_part()) % STATES;
  return state_change(state_of(vec4f(z)), vec4u(to)).x;
}

@compute @workgroup_size(WORKGROUP)
fn flip(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var quad = id.x; 4u * quad < count_of_rows(); quad += groups.x * WORKGROUP) {
    let row = 4u * quad;
    moves[quad] = vec4f(move_of(row), move_of(row + 1u), move_of(row + 2u), move_of(row + 3u));
  }
}
