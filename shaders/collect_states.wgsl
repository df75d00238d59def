// The gradient of weights into units that have but a few states: a nudge takes its unit into
// another state, whose response it then is, or does nothing. A thread takes four units of the part
// and a block of inputs, on a slice of the batch; the update adds the slices up.

#import activation
#import part
#import entries
#import sums

override BATCH: u32;
override POINTS: u32; // of the stencil
override SLICES: u32;

@group(0) @binding(0) var<storage, read> companions: array<f32>; // [batch, OUTPUTS]: inputs of units
@group(0) @binding(1) var<storage, read> responses: array<vec4f>; // [batch, STATES, quads of the part]
@group(0) @binding(11) var<uniform> stencil: array<vec4f, 4>; // (offset h, coefficient / (h batch))

var<private> of_states: array<vec4f, STATES>; // responses of the thread's units on a sample

fn slope(z: vec4f, input: f32) -> vec4f {
  var sum = vec4f();
  for (var s = 0u; s < POINTS; s++) {
    let state = state_of(z + stencil[s].x * input);
    for (var q = 0u; q < STATES; q++) {
      sum += select(vec4f(), stencil[s].y * of_states[q], state == vec4u(q));
    }
  }
  return sum;
}

@compute @workgroup_size(WORKGROUP)
fn collect_states(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let block_id = group.x;
  let quad = group.y * WORKGROUP + lane;
  let quads = quads_of_part();
  if (quad >= quads) {
    return;
  }
  let first_unit = part.first_unit + 4u * quad;
  let units = units_from(first_unit);
  let slice = group.z;
  for (var n = slice * BATCH / SLICES; n < (slice + 1u) * BATCH / SLICES; n++) {
    let at = n * OUTPUTS + units;
    let z = vec4f(companions[at.x], companions[at.y], companions[at.z], companions[at.w]);
    for (var q = 0u; q < STATES; q++) {
      of_states[q] = responses[(n * STATES + q) * quads + quad];
    }
    let start = start_of(n, INPUTS, block_id);
    let end = starts[start + 1u];
    for (var e = starts[start]; e < end; e++) {
      let pair = entries[e];
      sums[pair.x % BLOCK] += slope(z, bitcast<f32>(pair.y));
      sums[pair.z % BLOCK] += slope(z, bitcast<f32>(pair.w));
    }
  }
  store_sums(slice, block_id, first_unit);
}
