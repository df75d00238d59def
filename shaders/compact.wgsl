// Lists the values of a hidden layer that are not zero: one thread 32 of a sample.

#import listing

@group(0) @binding(0) var<storage, read> a: array<f32>; // [batch, WIDTH]

fn value_at(n: u32, i: u32) -> f32 {
  return a[n * WIDTH + i];
}

@compute @workgroup_size(THREADS)
fn compact(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  list_word(id.y, id.x, lane);
}
