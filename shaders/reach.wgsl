// How far nudges of a layer's weights move its units' inputs, at most, where no bound of the layer's
// own inputs is known: by the largest of them in the batch. One workgroup.

override WIDTH: u32; // inputs of the layer + 1
override BATCH: u32;
override FARTHEST: f32; // the largest offset of the stencil, times h

@group(0) @binding(0) var<storage, read> a: array<f32>; // [BATCH, WIDTH]
@group(0) @binding(1) var<storage, read_write> stencil: array<vec4f>; // [4], (offset h, coefficient / (h BATCH), reach)

const THREADS = 256u;
var<workgroup> largest: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn reach(@builtin(local_invocation_index) lane: u32) {
  var most = 1.0; // the constant behind the inputs
  for (var i = lane; i < BATCH * WIDTH; i += THREADS) {
    most = max(most, abs(a[i]));
  }
  largest[lane] = most;
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < THREADS; other++) {
      most = max(most, largest[other]);
    }
    stencil[0].z = min(most * FARTHEST, 3e38);
  }
}
