// Writes each sample's loss and predicted class behind those of the batches before: one thread a
// sample.

override CLASSES: u32;
override BATCH: u32;

@group(0) @binding(0) var<storage, read> logits: array<f32>; // [BATCH, CLASSES + 1]
@group(0) @binding(1) var<storage, read> losses: array<f32>; // [BATCH]
@group(0) @binding(2) var<storage, read> step: u32;
@group(0) @binding(3) var<storage, read_write> scores: array<vec2f>; // [steps * BATCH]: loss, class

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn score(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x;
  if (n >= BATCH) {
    return;
  }
  let row = n * (CLASSES + 1u);
  var best = 0u;
  for (var k = 1u; k < CLASSES; k++) {
    best = select(best, k, logits[row + k] > logits[row + best]);
  }
  scores[step * BATCH + n] = vec2f(losses[n], f32(best));
}
