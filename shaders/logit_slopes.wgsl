// What nudges of the weights into the logits do to each sample's loss, where all inputs that are not 0
// are 1: all weights into a logit have that in common. A thread takes a sample and a logit.

#import logit_slope

override BATCH: u32;

@group(0) @binding(2) var<storage, read> labels: array<u32>; // [BATCH]
@group(0) @binding(3) var<storage, read_write> slopes: array<f32>; // [BATCH, CLASSES]

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn logit_slopes(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x / CLASSES;
  if (n < BATCH) {
    slopes[id.x] = slope(Sample(residual_row(n), labels[n], 1.0), id.x % CLASSES);
  }
}
