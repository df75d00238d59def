// The gradient of weights into units that have but a few states: a nudge takes its unit into
// another state, whose response it then is, or does nothing. A thread takes four units of the part
// and a block of inputs, on a slice of the batch; the update adds the slices up.

#import activation
#import companions
#import part
#import entries
#import sums
#import origin

override POINTS: u32; // of the stencil

@group(0) @binding(0) var<storage, read> companions: array<vec2f>; // [batch, OUTPUTS]: derivative, input
@group(0) @binding(1) var<storage, read> responses: array<f32>; // [batch, STATES, units of the part]
@group(0) @binding(11) var<uniform> stencil: array<vec4f, 4>; // (offset h, coefficient / (h batch))
// In storage: Mesa 22.3 crashes where a kernel has a fourth uniform.
@group(0) @binding(6) var<storage, read> sizes: Sizes;

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

@compute @workgroup_size(WORKGROUP, ABREAST)
fn collect_states(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let group = origin + id;
  let block_id = group.x;
  let first_unit = first_unit_of(group.y, local.x);
  let width = 4u * quads_of_part();
  let side = first_unit + WORKGROUP * vec4u(0u, 1u, 2u, 3u);
  let units = min(part.first_unit + side, vec4u(sizes.outputs - 1u));
  let slice = group.z * ABREAST + local.y;
  for (var n = start_of_slice(slice); n < start_of_slice(slice + 1u); n++) {
    let z = companions_at(n * sizes.outputs + units).inputs;
    for (var q = 0u; q < STATES; q++) {
      let at = (n * STATES + q) * width + min(side, vec4u(width - 1u));
      of_states[q] = vec4f(responses[at.x], responses[at.y], responses[at.z], responses[at.w]);
    }
    let start = start_of(n, sizes.inputs, block_id);
    let end = starts[start + 1u];
    for (var e = starts[start]; e < end; e++) {
      let pair = entries[e];
      add_to_sums(pair.x % BLOCK, slope(z, bitcast<f32>(pair.y)));
      add_to_sums(pair.z % BLOCK, slope(z, bitcast<f32>(pair.w)));
    }
  }
  store_sums(slice, block_id, part.first_unit + first_unit);
}
