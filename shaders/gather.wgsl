// Gathers a batch out of the training set: one thread a value. Rows end with a constant 1, which
// makes biases ordinary weights. Twin of gather() in src/cpu/forward.ts.

override INPUTS: u32;
override BATCH: u32;
override BYTES: bool; // samples are bytes standing for byte / 255, four a word; else floats

@group(0) @binding(0) var<storage, read> samples: array<u32>; // [count, INPUTS], bytes or floats
@group(0) @binding(1) var<storage, read> sample_labels: array<u32>; // [count]
@group(0) @binding(2) var<storage, read> indices: array<u32>; // [steps, BATCH]
@group(0) @binding(3) var<storage, read> step: u32;
@group(0) @binding(4) var<storage, read_write> x: array<f32>; // [BATCH, INPUTS + 1]
@group(0) @binding(5) var<storage, read_write> labels: array<u32>; // [BATCH]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn gather(@builtin(global_invocation_id) id: vec3u) {
  let n = id.y;
  let i = id.x;
  if (i > INPUTS) {
    return;
  }
  let index = indices[step * BATCH + n];
  var value = 1.0;
  if (i < INPUTS) {
    let at = index * INPUTS + i;
    if (BYTES) {
      value = f32((samples[at / 4u] >> (8u * (at % 4u))) & 0xffu) / 255.0;
    } else {
      value = bitcast<f32>(samples[at]);
    }
  } else {
    labels[n] = sample_labels[index];
  }
  x[n * (INPUTS + 1u) + i] = value;
}
