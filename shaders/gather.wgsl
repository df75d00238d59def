// Gathers a batch out of the training set and lists the values that are not zero: one workgroup a
// run of a sample. Rows end with a constant 1, which makes biases ordinary weights. Twin of gather()
// in src/cpu/forward.ts.

#import listing
#import bytes

override BATCH: u32;
override BYTES: bool; // samples are bytes standing for byte / 255, four a word; else floats

@group(0) @binding(0) var<storage, read> samples: array<u32>; // [count, WIDTH - 1], bytes or floats
@group(0) @binding(1) var<storage, read> sample_labels: array<u32>; // [count]
@group(0) @binding(2) var<storage, read> indices: array<u32>; // [steps, BATCH]
@group(0) @binding(3) var<storage, read> step: u32;
@group(0) @binding(4) var<storage, read_write> x: array<f32>; // [BATCH, WIDTH]
@group(0) @binding(5) var<storage, read_write> labels: array<u32>; // [BATCH]

fn values_at(n: u32, i: u32) -> vec4f {
  let at = four_of_row(n, i);
  return inside(i, vec4f(x[at.x], x[at.y], x[at.z], x[at.w]));
}

// The value at a place in the samples.
fn value_of(at: u32) -> f32 {
  if (BYTES) {
    return share_of(vec4u((samples[at / 4u] >> (8u * (at % 4u))) & 0xffu)).x;
  }
  return bitcast<f32>(samples[at]);
}

fn four_values_of(at: u32) -> vec4f {
  if (BYTES && (WIDTH - 1u) % 4u == 0u) { // they lie in one word
    let bytes = (vec4u(samples[at / 4u]) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(0xffu);
    return share_of(bytes);
  }
  return vec4f(value_of(at), value_of(at + 1u), value_of(at + 2u), value_of(at + 3u));
}

fn store(n: u32, i: u32, value: f32) {
  if (i < WIDTH) {
    x[n * WIDTH + i] = value;
  }
}

@compute @workgroup_size(THREADS)
fn gather(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let n = group.y;
  let inputs = WIDTH - 1u;
  let index = indices[step * BATCH + n];
  let start = RUN * group.x + WORD * lane;
  var count = 0u;
  for (var i = start; i < start + WORD; i += 4u) {
    let is_value = i + vec4u(0u, 1u, 2u, 3u) < vec4u(inputs);
    let values = inside(i, select(vec4f(1.0), four_values_of(index * inputs + i), is_value));
    store(n, i, values.x);
    store(n, i + 1u, values.y);
    store(n, i + 2u, values.z);
    store(n, i + 3u, values.w);
    count += count_of(values);
  }
  if (start == 0u) {
    labels[n] = sample_labels[index];
  }
  list_run(n, group.x, lane, count);
}
