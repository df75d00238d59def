// The slope of the mean loss along each random direction, from the exact changes of the logits: one
// workgroup a query.

#import loss
#import special

override CLASSES: u32;
override BATCH: u32;
override UNITS: u32; // of all layers
override AFTER: u32; // where the logits start among them

@group(0) @binding(0) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h BATCH))
@group(0) @binding(1) var<storage, read> changes: array<vec2f>; // [queries, BATCH, UNITS]
@group(0) @binding(2) var<storage, read> residuals: array<f32>; // a row a sample, as the loss has it
@group(0) @binding(3) var<storage, read> labels: array<u32>; // [BATCH]
@group(0) @binding(4) var<storage, read_write> slopes: array<f32>; // [queries]

const WORKGROUP = 32u;
var<workgroup> partial: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn directions_slope(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let lane = local.x;
  var sum = 0.0;
  for (var n = lane; n < BATCH; n += WORKGROUP) {
    let label = labels[n];
    let row = (group.x * BATCH + n) * UNITS + AFTER;
    let of_sample = residual_row(n);
    let reference = loss_reference(changes[row + label].xyxy);
    var total = loss_sum();
    var bad = vec4f(); // a change that is no finite number, which a loss may hide
    for (var k = 0u; k < CLASSES; k++) {
      let d = changes[row + k].xyxy;
      bad = select(d, bad, is_finite(d));
      total = loss_add(total, of_sample, k, d - reference);
    }
    let dL = select(bad, loss_change(total, of_sample), is_finite(bad));
    sum = fma(stencil[0].y, dL.x, fma(stencil[1].y, dL.y, sum));
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    var total = 0.0;
    for (var other = 0u; other < WORKGROUP; other++) {
      total += partial[other];
    }
    slopes[group.x] = total;
  }
}
