// Behind a group of steps: notes what the last update made no finite number (see shared/notes.wgsl).
// One thread four parameters.

#import notes

override PARAMETERS: u32;

@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [PARAMETERS]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn check(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = 4u * WORKGROUP * (group.y * groups.x + group.x) + lane;
  for (var i = 0u; i < 4u; i++) {
    let index = first + i * WORKGROUP;
    if (index < PARAMETERS) {
      note(index, parameters[index]);
    }
  }
}
