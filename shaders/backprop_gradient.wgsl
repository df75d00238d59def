// Backpropagation, for comparison only: the gradient of a layer's weights, [a, 1] transposed times
// the errors. A thread takes four units and a block of inputs, and of a sample's inputs those that
// are not zero.

#import entries
#import sums

override BATCH: u32;
override SLICES: u32; // the batch is cut into so many slices, summed by the update

@group(0) @binding(0) var<storage, read> errors: array<f32>; // [BATCH, OUTPUTS]

@compute @workgroup_size(WORKGROUP)
fn backprop_gradient(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first_unit = first_unit_of(group.y, lane);
  let units = units_from(first_unit);
  let block_id = group.x;
  let slice = group.z;
  for (var n = slice * BATCH / SLICES; n < (slice + 1u) * BATCH / SLICES; n++) {
    let at = n * OUTPUTS + units;
    let error = vec4f(errors[at.x], errors[at.y], errors[at.z], errors[at.w]);
    let start = start_of(n, INPUTS, block_id);
    let end = starts[start + 1u];
    for (var e = starts[start]; e < end; e++) {
      let pair = entries[e];
      sums[pair.x % BLOCK] += bitcast<f32>(pair.y) * error;
      sums[pair.z % BLOCK] += bitcast<f32>(pair.w) * error;
    }
  }
  store_sums(slice, block_id, first_unit);
}
