// Half the squared distance of the logits from the one-hot target: one thread a row.

#import logits

override CLASSES: u32;
override ROWS: u32; // the batch, once or for several copies of the network
override KEEP: bool; // whether anything needs the residuals

@group(0) @binding(1) var<storage, read> labels: array<u32>; // [BATCH]
@group(0) @binding(2) var<storage, read_write> residuals: array<f32>; // [ROWS, CLASSES]
@group(0) @binding(3) var<storage, read_write> losses: array<f32>; // [ROWS]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn loss(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x;
  if (n >= ROWS) {
    return;
  }
  let first = logits_of(n);
  // A sum of runs of 64, as that of the cross-entropy.
  var sum = 0.0;
  var run = 0.0;
  for (var k = 0u; k < CLASSES; k++) {
    let residual = logits[first + k * CLASS_STRIDE] - select(0.0, 1.0, k == labels[n % BATCH]);
    if (KEEP) {
      residuals[n * CLASSES + k] = residual;
    }
    run = fma(residual, residual, run);
    if (k % 64u == 63u || k == CLASSES - 1u) {
      sum += run;
      run = 0.0;
    }
  }
  losses[n] = 0.5 * sum;
}
