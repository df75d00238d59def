// Softmax and cross-entropy of the batch: one thread a row. Leaves what the exact changes need.

#import logits
#import special

override CLASSES: u32;
override ROWS: u32; // the batch, once or for several copies of the network
override EPSILON: f32;

@group(0) @binding(1) var<storage, read> labels: array<u32>; // [BATCH]
@group(0) @binding(2) var<storage, read_write> residuals: array<f32>; // [ROWS, CLASSES + 1]
@group(0) @binding(3) var<storage, read_write> losses: array<f32>; // [ROWS]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn loss(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x;
  if (n >= ROWS) {
    return;
  }
  let row = n * (CLASSES + 1u);
  let first = logits_of(n);
  let label = labels[n % BATCH];
  var largest = logits[first];
  for (var k = 1u; k < CLASSES; k++) {
    largest = max(largest, logits[first + k * CLASS_STRIDE]);
  }
  // A sum of runs of 64: added one by one, thousands of classes lose four digits.
  var others = 0.0;
  var run = 0.0;
  for (var k = 0u; k < CLASSES; k++) {
    let e = exp_exact(vec4f(logits[first + k * CLASS_STRIDE] - largest)).x;
    residuals[row + k] = e;
    run += select(e, 0.0, k == label);
    if (k % 64u == 63u || k == CLASSES - 1u) {
      others += run;
      run = 0.0;
    }
  }
  let of_target = residuals[row + label];
  let sum = of_target + others;
  for (var k = 0u; k < CLASSES; k++) {
    residuals[row + k] /= sum;
  }
  residuals[row + CLASSES] = others / sum;
  if (EPSILON == 0.0) {
    let logit = logits[first + label * CLASS_STRIDE];
    losses[n] = log1p(vec4f(others + (of_target - 1.0))).x + (largest - logit);
  } else {
    // -log(p + eps); where p is near 1, by what is missing from 1.
    let p = of_target / sum;
    let far = log_exact(vec4f(p + EPSILON)).x;
    losses[n] = -select(far, log1p(vec4f(EPSILON - others / sum)).x, p > 0.5);
  }
}
