// Backpropagation, for comparison only: derivative of the mean loss for each logit. One thread a
// logit. Twin of backprop() in src/cpu/backprop.ts, as the two kernels beside it.

#import loss
#import special

override CLASSES: u32;
override BATCH: u32;

@group(0) @binding(0) var<storage, read> residuals: array<f32>; // rows of the loss
@group(0) @binding(1) var<storage, read> labels: array<u32>; // [BATCH]
@group(0) @binding(2) var<storage, read_write> errors: array<f32>; // [BATCH, CLASSES]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn backprop_output(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= BATCH * CLASSES) {
    return;
  }
  let n = id.x / CLASSES;
  let k = id.x % CLASSES;
  let slope = loss_derivative(residual_row(n), k, labels[n]);
  errors[id.x] = quotient(vec4f(slope), vec4f(f32(BATCH))).x;
}
