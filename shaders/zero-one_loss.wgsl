// Whether each answer is wrong: one thread a row.

#import logits
#import origin

override CLASSES: u32;
override ROWS: u32; // the batch, once or for several copies of the network
override KEEP: bool; // whether anything needs the residuals

@group(0) @binding(1) var<storage, read> labels: array<u32>; // [BATCH]
@group(0) @binding(2) var<storage, read_write> residuals: array<f32>; // [ROWS, CLASSES + 4]
@group(0) @binding(3) var<storage, read_write> losses: array<f32>; // [ROWS]

override WORKGROUP: u32 = 64;

const LEAST = -3e38; // of no margin

@compute @workgroup_size(WORKGROUP)
fn loss(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let n = id.x;
  if (n >= ROWS) {
    return;
  }
  let first = logits_of(n);
  let label = labels[n % BATCH];
  let row = n * (CLASSES + 4u);
  let of_target = logits[first + label * CLASS_STRIDE];
  var count = 0.0;
  var before = LEAST;
  var behind = LEAST;
  var bad = 0.0; // a logit that is no finite number, which must show
  for (var k = 0u; k < CLASSES; k++) {
    let margin = logits[first + k * CLASS_STRIDE] - of_target;
    bad += 0.0 * margin;
    if (KEEP) {
      residuals[row + k] = margin;
    }
    if (k < label) {
      before = max(before, margin);
      count += select(0.0, 1.0, margin >= 0.0);
    } else if (k > label) {
      behind = max(behind, margin);
      count += select(0.0, 1.0, margin > 0.0);
    }
  }
  if (KEEP) {
    residuals[row + CLASSES] = count;
    residuals[row + CLASSES + 1u] = before;
    residuals[row + CLASSES + 2u] = behind;
    residuals[row + CLASSES + 3u] = f32(label);
  }
  losses[n] = min(count, 1.0) + bad;
}
