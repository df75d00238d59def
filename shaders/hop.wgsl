// The change of one unit, times its row of the next matrix, changes every unit of the next layer. A
// thread takes four rows of changes and a few of the next layer's units. Twin of hop() in
// src/method/response_twins.ts.

#import activation
#import rows
#import effect
#import row_quads

override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(1) var<storage, read> moves: array<vec4f>; // [ROW_QUADS], of the nudged units

const UNITS = 16u; // of a thread

@compute @workgroup_size(WORKGROUP)
fn hop(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var quad = id.x; 4u * quad < count_of_rows(); quad += groups.x * WORKGROUP) {
    hop_quad(quad, UNITS * id.y);
  }
}

fn hop_quad(quad: u32, first: u32) {
  let responses = responses_of(quad);
  let samples = samples_of(responses);
  let of_units = changed.offset + changed.width * vec4u(
    unit_of(responses.x),
    unit_of(responses.y),
    unit_of(responses.z),
    unit_of(responses.w)
  );
  let moved = moves[quad];
  for (var k = first; k < min(first + UNITS, changed.width); k++) {
    let at = of_units + k;
    let weights = vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
    changes[k * ROW_QUADS + quad] = effect_on(samples, k, moved * weights);
  }
  note_reach(quad);
}
