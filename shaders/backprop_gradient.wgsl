// Backpropagation, for comparison only: the gradient of a layer's weights, [a, 1] transposed times
// the errors. A thread takes four units and a block of inputs, and of a sample's inputs those that
// are not zero.

#import entries
#import sums
#import origin

@group(0) @binding(0) var<storage, read> errors: array<f32>; // [BATCH, OUTPUTS]
@group(0) @binding(6) var<uniform> sizes: Sizes;

@compute @workgroup_size(WORKGROUP, ABREAST)
fn backprop_gradient(
  @builtin(workgroup_id) part: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let group = origin + part;
  let first_unit = first_unit_of(group.y, local.x);
  let units = units_from(first_unit);
  let block_id = group.x;
  let slice = group.z * ABREAST + local.y;
  for (var n = start_of_slice(slice); n < start_of_slice(slice + 1u); n++) {
    let at = n * sizes.outputs + units;
    let error = vec4f(errors[at.x], errors[at.y], errors[at.z], errors[at.w]);
    let start = start_of(n, sizes.inputs, block_id);
    let end = starts[start + 1u];
    for (var e = starts[start]; e < end; e++) {
      let pair = entries[e];
      add_to_sums(pair.x % BLOCK, bitcast<f32>(pair.y) * error);
      add_to_sums(pair.z % BLOCK, bitcast<f32>(pair.w) * error);
    }
  }
  store_sums(slice, block_id, first_unit);
}
