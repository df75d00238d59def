// The change of one unit, times its row of the next matrix, changes every unit of the next layer. A
// thread takes four rows of changes and a few of the next layer's units. Twin of hop() in
// src/cpu/rows.ts.

#import activation
#import rows
#import effect
#import row_quads

override OFFSET: u32; // of the next layer's matrix in the parameters
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(1) var<storage, read> moves: array<vec4f>; // [ROW_QUADS], of the nudged units

const UNITS = 16u; // of a thread

@compute @workgroup_size(WORKGROUP)
fn hop(@builtin(global_invocation_id) id: vec3u) {
  let quad = id.x;
  if (4u * quad >= count_of_rows()) {
    return;
  }
  let responses = responses_of(quad);
  let samples = samples_of(responses);
  let of_units = OFFSET + WIDTH * vec4u(
    unit_of(responses.x),
    unit_of(responses.y),
    unit_of(responses.z),
    unit_of(responses.w)
  );
  let moved = moves[quad];
  for (var k = UNITS * id.y; k < min(UNITS * (id.y + 1u), WIDTH); k++) {
    let at = of_units + k;
    let weights = vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
    changes[k * ROW_QUADS + quad] = effect_on(samples, k, moved * weights);
  }
  note_reach(quad);
}
