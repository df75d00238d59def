// Backpropagation, for comparison only: the gradient of a layer's weights, [a, 1] transposed times
// the errors. One thread a weight W[i,j].

override INPUTS: u32;
override OUTPUTS: u32;
override OFFSET: u32; // of the layer's matrix in the parameters
override BATCH: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [BATCH, INPUTS + 1]
@group(0) @binding(1) var<storage, read> errors: array<f32>; // [BATCH, OUTPUTS]
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>; // [parameters]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn backprop_gradient(@builtin(global_invocation_id) id: vec3u) {
  let i = id.y;
  let j = min(id.x, OUTPUTS - 1u);
  var sum = 0.0;
  for (var n = 0u; n < BATCH; n++) {
    sum = fma(a[n * (INPUTS + 1u) + i], errors[n * OUTPUTS + j], sum);
  }
  if (id.x < OUTPUTS) {
    gradient[OFFSET + i * OUTPUTS + j] = sum;
  }
}
