// The copies method's last stage: the losses of a direction's copies, combined by the stencil, are
// the slope of the mean loss along it. One workgroup a direction.

#import copies

override BATCH: u32;
override ROWS: u32; // copies times BATCH, the most that there is room for
override DIRECTIONS: u32;
override CENTRE: f32; // coefficient of the unperturbed loss, / (h BATCH)

@group(0) @binding(0) var<uniform> copies: Copies;
@group(0) @binding(1) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h BATCH))
@group(0) @binding(2) var<storage, read> copy_losses: array<f32>; // [ROWS]
@group(0) @binding(3) var<storage, read> losses: array<f32>; // [BATCH], unperturbed
@group(0) @binding(4) var<storage, read_write> slopes: array<f32>; // [DIRECTIONS]

const WORKGROUP = 32u;
var<workgroup> partial: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn copies_slope(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let lane = local.x;
  let d = group.y * groups.x + group.x; // direction of this run
  var slope = 0.0; // of this lane's samples
  for (var n = lane; n < BATCH; n += WORKGROUP) {
    slope += CENTRE * losses[n];
    for (var s = 0u; s < POINTS; s++) {
      slope += stencil[s].y * copy_losses[min((d * POINTS + s) * BATCH + n, ROWS - 1u)];
    }
  }
  partial[lane] = slope;
  workgroupBarrier();
  let direction = copies.first / POINTS + d;
  if (lane == 0u && direction < DIRECTIONS) {
    var total = 0.0;
    for (var other = 0u; other < WORKGROUP; other++) {
      total += partial[other];
    }
    slopes[direction] = total;
  }
}
