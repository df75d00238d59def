// Gathers a batch out of the training set and lists the values that are not zero: one thread 32 of a
// sample. Rows end with a constant 1, which makes biases ordinary weights. Twin of gather() in
// src/cpu/forward.ts.

#import listing

override BATCH: u32;
override BYTES: bool; // samples are bytes standing for byte / 255, four a word; else floats

@group(0) @binding(0) var<storage, read> samples: array<u32>; // [count, WIDTH - 1], bytes or floats
@group(0) @binding(1) var<storage, read> sample_labels: array<u32>; // [count]
@group(0) @binding(2) var<storage, read> indices: array<u32>; // [steps, BATCH]
@group(0) @binding(3) var<storage, read> step: u32;
@group(0) @binding(4) var<storage, read_write> x: array<f32>; // [BATCH, WIDTH]
@group(0) @binding(5) var<storage, read_write> labels: array<u32>; // [BATCH]

fn value_at(n: u32, i: u32) -> f32 {
  return x[n * WIDTH + i];
}

@compute @workgroup_size(THREADS)
fn gather(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let n = id.y;
  let inputs = WIDTH - 1u;
  let index = indices[step * BATCH + n];
  for (var i = WORD * id.x; i < min(WORD * (id.x + 1u), WIDTH); i++) {
    var value = 1.0;
    if (i < inputs) {
      let at = index * inputs + i;
      if (BYTES) {
        value = f32((samples[at / 4u] >> (8u * (at % 4u))) & 0xffu) / 255.0;
      } else {
        value = bitcast<f32>(samples[at]);
      }
    }
    x[n * WIDTH + i] = value;
  }
  if (id.x == 0u) {
    labels[n] = sample_labels[index];
  }
  list_word(n, id.x, lane);
}
