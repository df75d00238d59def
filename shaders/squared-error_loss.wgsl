// Half the squared distance of the logits from the one-hot target, or any other: one thread a row.

#import logits
#import origin

override CLASSES: u32;
override ROWS: u32; // the batch, once or for several copies of the network
override KEEP: bool; // whether anything needs the residuals
override HAS_GOALS: bool; // whether samples have rows of their own for targets

@group(0) @binding(1) var<storage, read> labels: array<u32>; // [BATCH]
@group(0) @binding(2) var<storage, read_write> residuals: array<f32>; // [ROWS, CLASSES]
@group(0) @binding(3) var<storage, read_write> losses: array<f32>; // [ROWS]
@group(0) @binding(4) var<storage, read> goals: array<f32>; // [count, CLASSES], where there are any
@group(0) @binding(5) var<storage, read> indices: array<u32>; // [steps, BATCH]
@group(0) @binding(6) var<storage, read> step: u32;

override WORKGROUP: u32 = 64;

fn goal(n: u32, k: u32) -> f32 {
  if (HAS_GOALS) {
    return goals[indices[step * BATCH + n % BATCH] * CLASSES + k];
  }
  return select(0.0, 1.0, k == labels[n % BATCH]);
}

@compute @workgroup_size(WORKGROUP)
fn loss(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let n = id.x;
  if (n >= ROWS) {
    return;
  }
  let first = logits_of(n);
  // A sum of runs of 64, as that of the cross-entropy.
  var sum = 0.0;
  var run = 0.0;
  for (var k = 0u; k < CLASSES; k++) {
    let residual = logits[first + k * CLASS_STRIDE] - goal(n, k);
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
