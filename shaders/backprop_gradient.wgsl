// Backpropagation, for comparison only: the gradient of a layer's weights, [a, 1] transposed times
// the errors. A thread takes four units and a block of inputs, and of a sample's inputs those that
// are not zero.

#import entries

override INPUTS: u32;
override OUTPUTS: u32;
override OFFSET: u32; // of the layer's matrix in the parameters
override BATCH: u32;
override SLICES: u32; // the batch is cut into so many slices, summed by the update
override PARAMETERS: u32;

@group(0) @binding(0) var<storage, read> errors: array<f32>; // [BATCH, OUTPUTS]
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>; // [SLICES, PARAMETERS]

override WORKGROUP: u32 = 64;

var<private> sums: array<vec4f, BLOCK>;

fn store(row: u32, unit: u32, sum: f32) {
  if (unit < OUTPUTS) {
    gradient[row + unit] = sum;
  }
}

@compute @workgroup_size(WORKGROUP)
fn backprop_gradient(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let first_unit = 4u * WORKGROUP * group.y + local.x;
  let units = min(first_unit + WORKGROUP * vec4u(0u, 1u, 2u, 3u), vec4u(OUTPUTS - 1u));
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
  for (var i = 0u; i < min(BLOCK, INPUTS + 1u - BLOCK * block_id); i++) {
    let row = slice * PARAMETERS + OFFSET + (BLOCK * block_id + i) * OUTPUTS;
    let sum = sums[i];
    store(row, first_unit, sum.x);
    store(row, first_unit + WORKGROUP, sum.y);
    store(row, first_unit + 2u * WORKGROUP, sum.z);
    store(row, first_unit + 3u * WORKGROUP, sum.w);
  }
}
