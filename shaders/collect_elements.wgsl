// The gradient of some weights: the sums of their responses over the batch. A thread takes a weight.

override BATCH: u32;
override ELEMENTS: u32;

@group(0) @binding(0) var<storage, read> responses: array<f32>; // [ELEMENTS, BATCH]
@group(0) @binding(1) var<storage, read_write> sums: array<f32>; // [ELEMENTS]

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn collect_elements(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ELEMENTS) {
    return;
  }
  var sum = 0.0;
  for (var n = 0u; n < BATCH; n++) {
    sum += responses[id.x * BATCH + n];
  }
  sums[id.x] = sum;
}
