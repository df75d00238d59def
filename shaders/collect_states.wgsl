// The gradient of weights into units that have but a few states: a nudge takes its unit across some
// thresholds, or none, and each that it crosses brings what the response grows by there. What it
// counts is the sum of the coefficients of all points of the stencil that cross it. A thread takes
// four units of the part and a block of inputs, on a slice of the batch; the update adds the slices up.

#import state_weights
#import companions
#import part
#import entries
#import sums
#import origin

@group(0) @binding(0) var<storage, read> companions: array<vec2f>; // [batch, OUTPUTS]: derivative, input
// In storage: Mesa 22.3 crashes where a kernel has a fourth uniform.
@group(0) @binding(6) var<storage, read> sizes: Sizes;

@compute @workgroup_size(WORKGROUP, ABREAST)
fn collect_states(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let group = origin + id;
  let block_id = group.x;
  let first_unit = first_unit_of(group.y, local.x);
  let side = first_unit + WORKGROUP * vec4u(0u, 1u, 2u, 3u);
  let units = min(part.first_unit + side, vec4u(sizes.outputs - 1u));
  let slice = group.z * ABREAST + local.y;
  let far = vec4f(stencil[0].z * FARTHER);
  for (var n = start_of_slice(slice); n < start_of_slice(slice + 1u); n++) {
    let z = companions_at(n * sizes.outputs + units).inputs;
    let present = state_of(z);
    let lowest = state_of(z - far);
    let highest = state_of(z + far);
    let start = start_of(n, sizes.inputs, block_id);
    let end = starts[start + 1u];
    let low = min(min(lowest.x, lowest.y), min(lowest.z, lowest.w));
    let high = max(max(highest.x, highest.y), max(highest.z, highest.w));
    for (var i = low; i < high; i++) {
      let below = present <= vec4u(i);
      let growth = growth_at(n, side, i, below, lowest, highest);
      for (var e = starts[start]; e < end; e++) {
        let pair = entries[e];
        add_to_sums(pair.x % BLOCK, growth * weights(i, below, z, bitcast<f32>(pair.y)));
        add_to_sums(pair.z % BLOCK, growth * weights(i, below, z, bitcast<f32>(pair.w)));
      }
    }
  }
  store_sums(slice, block_id, part.first_unit + first_unit);
}
