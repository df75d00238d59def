// Sums the slices of a gradient into the first of them, for whoever reads it: an update sums them
// itself. A thread takes four parameters.

override PARAMETERS: u32;
override SLICES: u32;
override WIDTH: u32; // workgroups side by side

@group(0) @binding(0) var<storage, read_write> gradient: array<f32>; // [SLICES, PARAMETERS]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn total(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = 4u * WORKGROUP * (group.y * WIDTH + group.x) + lane;
  for (var index = first; index < min(first + 4u * WORKGROUP, PARAMETERS); index += WORKGROUP) {
    var sum = gradient[index];
    for (var slice = 1u; slice < SLICES; slice++) {
      sum += gradient[slice * PARAMETERS + index];
    }
    gradient[index] = sum;
  }
}
