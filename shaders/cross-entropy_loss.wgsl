// Softmax and cross-entropy of the batch: one thread a row. Leaves what the exact changes need, as
// losses/cross-entropy.wgsl lists it. Logarithms are kept because probabilities end at exp(-87).

#import logits
#import special

override CLASSES: u32;
override ROWS: u32; // the batch, once or for several copies of the network
override EPSILON: f32;
override LOG_EPSILON: f32; // -3e38 for 0
override KEEP: bool; // whether anything needs the residuals

@group(0) @binding(1) var<storage, read> labels: array<u32>; // [BATCH]
@group(0) @binding(2) var<storage, read_write> residuals: array<f32>; // [ROWS, 2 CLASSES + 7]
@group(0) @binding(3) var<storage, read_write> losses: array<f32>; // [ROWS]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn loss(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x;
  if (n >= ROWS) {
    return;
  }
  let first = logits_of(n);
  let label = labels[n % BATCH];
  var top = 0u; // the class of the largest logit
  var bad = 0.0;
  for (var k = 0u; k < CLASSES; k++) {
    let logit = logits[first + k * CLASS_STRIDE];
    top = select(top, k, logit > logits[first + top * CLASS_STRIDE]);
    bad = select(logit, bad, is_finite(vec4f(logit)).x);
  }
  // The largest of all but the target's (x) and of all but the largest (y), and sums of exponentials.
  var largest = vec2f(-3e38);
  for (var k = 0u; k < CLASSES; k++) {
    let logit = logits[first + k * CLASS_STRIDE];
    largest = select(max(largest, vec2f(logit)), largest, vec2u(k) == vec2u(label, top));
  }
  // Sums of runs of 64: added one by one, thousands of classes lose four digits.
  var sums = vec2f();
  var run = vec2f();
  for (var k = 0u; k < CLASSES; k++) {
    let e = exp_exact((logits[first + k * CLASS_STRIDE] - largest).xyxy).xy;
    run += select(e, vec2f(), vec2u(k) == vec2u(label, top));
    if (k % 64u == 63u || k == CLASSES - 1u) {
      sums += run;
      run = vec2f();
    }
  }
  // Of all probabilities but the target's, and all but the largest, as multiples of the largest.
  let most = logits[first + top * CLASS_STRIDE];
  let below = largest - most;
  let multiples = exp_exact(below.xyxy).xy * sums;
  let log_sum = log1p(vec4f(multiples.y)).x;
  let log_p = (logits[first + label * CLASS_STRIDE] - most) - log_sum;
  let y = log_p - LOG_EPSILON;
  let value = -max(log_p, LOG_EPSILON) - softplus_rest(vec4f(y)).x;
  losses[n] = select(bad, value, is_finite(vec4f(bad)).x); // a logit that is no finite number shows
  if (KEEP) {
    let row = n * (2u * CLASSES + 7u);
    let logs = row + CLASSES + 3u;
    let sum = vec4f(1.0 + multiples.y);
    var least = 0.0;
    for (var k = 0u; k < CLASSES; k++) {
      let logit = logits[first + k * CLASS_STRIDE] - most;
      residuals[row + k] = quotient(exp_exact(vec4f(logit)), sum).x;
      residuals[logs + k] = logit - log_sum;
      least = min(least, logit - log_sum);
    }
    // By p itself where float32 holds it well: the logarithm of a small one has lost digits.
    let p = residuals[row + label];
    let by_odds = sigmoid(vec4f(y, -y, y, -y));
    let by_p = quotient(vec4f(p, EPSILON, p, EPSILON), vec4f(p + EPSILON));
    let shares = select(by_odds, by_p, p > 1e-30);
    residuals[row + CLASSES] = quotient(vec4f(multiples.x), sum).x;
    residuals[row + CLASSES + 1u] = shares.x;
    residuals[row + CLASSES + 2u] = shares.y;
    let logs_of_sums = below + log_exact(sums.xyxy).xy - log_sum;
    residuals[logs + CLASSES] = logs_of_sums.x;
    residuals[logs + CLASSES + 1u] = y;
    residuals[logs + CLASSES + 2u] = logs_of_sums.y;
    // Where a probability is 0 here and not in truth, exp(1) times as much still is.
    residuals[logs + CLASSES + 3u] = select(1.0, 60.0, least > -87.0);
  }
}
