// The differences method for the weights into the output layer: one thread an input i and four
// classes k. A nudge of W[i,k] moves one logit of every sample. Twin of differences() in
// src/cpu/differences.ts.

#import logit_slope
#import origin

override INPUTS: u32;
override OFFSET: u32; // of the layer's matrix in the parameters
override BATCH: u32;
override SLICES: u32;
override PARAMETERS: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [BATCH, INPUTS + 1]
@group(0) @binding(2) var<storage, read> labels: array<u32>; // [BATCH]
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>; // [SLICES, PARAMETERS]

override WORKGROUP: u32 = 64;

fn store(slice: u32, i: u32, k: u32, sum: f32) {
  if (i <= INPUTS && k < CLASSES) {
    gradient[slice * PARAMETERS + OFFSET + i * CLASSES + k] = sum;
  }
}

@compute @workgroup_size(WORKGROUP)
fn output_gradient(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let quads = (CLASSES + 3u) / 4u;
  let i = id.x / quads;
  let first = 4u * (id.x % quads);
  let slice = id.y;
  var sums = vec4f();
  for (var n = slice * BATCH / SLICES; n < (slice + 1u) * BATCH / SLICES; n++) {
    let sample = Sample(residual_row(n), labels[n], a[n * (INPUTS + 1u) + min(i, INPUTS)]);
    sums += vec4f(
      slope(sample, first),
      slope(sample, first + 1u),
      slope(sample, first + 2u),
      slope(sample, first + 3u)
    );
  }
  store(slice, i, first, sums.x);
  store(slice, i, first + 1u, sums.y);
  store(slice, i, first + 2u, sums.z);
  store(slice, i, first + 3u, sums.w);
}
