// Marks which values of a layer's input are not zero, 32 to a word: one thread a word. Kernels walk
// the set bits, so that zero inputs cost nothing, also on devices that cannot skip a branch.

override WIDTH: u32; // inputs + 1

@group(0) @binding(0) var<storage, read> a: array<f32>; // [batch, WIDTH]
@group(0) @binding(1) var<storage, read_write> nonzero: array<u32>; // [batch, ceil(WIDTH / 32)]

override WORKGROUP: u32 = 32;

@compute @workgroup_size(WORKGROUP)
fn nonzero_words(@builtin(global_invocation_id) id: vec3u) {
  let words = (WIDTH + 31u) / 32u;
  let n = id.y;
  let word = id.x;
  if (word >= words) {
    return;
  }
  var bits = 0u;
  for (var b = 0u; b < 32u; b++) {
    let i = min(32u * word + b, WIDTH - 1u);
    let inside = 32u * word + b < WIDTH;
    bits |= select(0u, 1u << b, inside && a[n * WIDTH + i] != 0.0);
  }
  nonzero[n * words + word] = bits;
}
