// Lists the values of a hidden layer that are not zero: one workgroup a run of a sample.

#import listing

@group(0) @binding(0) var<storage, read> a: array<f32>; // [batch, WIDTH]

fn values_at(n: u32, i: u32) -> vec4f {
  let at = four_of_row(n, i);
  return inside(i, vec4f(a[at.x], a[at.y], a[at.z], a[at.w]));
}

@compute @workgroup_size(THREADS)
fn compact(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = RUN * group.x + WORD * lane;
  var count = 0u;
  for (var i = start; i < start + WORD; i += 4u) {
    count += count_of(values_at(group.y, i));
  }
  list_run(group.y, group.x, lane, count);
}
