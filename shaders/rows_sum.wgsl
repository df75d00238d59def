// Changes of what a sum takes change the sum: one thing that it takes at a time, a layer's rows of
// changes or the nudged unit itself. A thread takes four rows and a few units. Twin of rows_sum() in
// src/method/response_twins.ts.

#import activation
#import rows
#import effect
#import row_quads

override UNIT: bool; // whether it is the nudged units' layer
override ADD: bool; // to what is there
override LAST: bool; // the activation comes behind the last

@group(0) @binding(0) var<storage, read> before: array<vec4f>; // [width, ROW_QUADS]
@group(0) @binding(1) var<storage, read> moves: array<vec4f>; // [ROW_QUADS], of the nudged units

override WORKGROUP: u32;
const UNITS = 16u; // of a thread

@compute @workgroup_size(WORKGROUP)
fn rows_sum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var quad = id.x; 4u * quad < count_of_rows(); quad += groups.x * WORKGROUP) {
    if (has_rows(quad)) {
      sum_quad(quad, UNITS * id.y);
    }
  }
}

fn sum_quad(quad: u32, first: u32) {
  let responses = responses_of(quad);
  let samples = samples_of(responses);
  let units = vec4u(
    unit_of(responses.x),
    unit_of(responses.y),
    unit_of(responses.z),
    unit_of(responses.w)
  );
  let start = start_of(quad);
  for (var k = first; k < min(first + UNITS, changed.width); k++) {
    let at = k * ROW_QUADS + quad;
    var dz = vec4f();
    if (UNIT) {
      dz = select(vec4f(), moves[quad], units == vec4u(k));
    } else {
      let taken = start + k - start_before(quad); // below 0 numbers wrap around
      if (taken < changed.inputs) {
        dz = before[taken * ROW_QUADS + quad];
      }
    }
    if (ADD) {
      dz += changes[at];
    }
    if (LAST) {
      dz = effect_on(samples, start + k, dz);
    }
    changes[at] = dz;
  }
  note_reach(quad);
}
