// Ends a step: the mean loss of the batch into the losses of the group, and on to the next step.

#import special

override BATCH: u32;

@group(0) @binding(0) var<storage, read> losses: array<f32>; // [BATCH]
@group(0) @binding(1) var<storage, read_write> mean_losses: array<f32>; // [steps]
@group(0) @binding(2) var<storage, read_write> step: u32;

const WORKGROUP = 32u;
var<workgroup> partial: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn finish(@builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  var sum = 0.0;
  for (var n = lane; n < BATCH; n += WORKGROUP) {
    sum += losses[n];
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    var total = 0.0;
    for (var other = 0u; other < WORKGROUP; other++) {
      total += partial[other];
    }
    mean_losses[step] = quotient(vec4f(total), vec4f(f32(BATCH))).x;
    step += 1u;
  }
}
