// The differences method for the weights into the output layer: one thread an input i and four
// classes k. A nudge of W[i,k] moves one logit of every sample. Twin of differences() in
// src/cpu/differences.ts.

#import loss
#import special
#import origin

override INPUTS: u32;
override CLASSES: u32;
override OFFSET: u32; // of the layer's matrix in the parameters
override BATCH: u32;
override POINTS: u32; // of the stencil
override REACH: f32; // the largest change of a logit that any nudge makes, rounded up
override SLICES: u32;
override PARAMETERS: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [BATCH, INPUTS + 1]
@group(0) @binding(1) var<storage, read> residuals: array<f32>; // a row a sample, as the loss has it
@group(0) @binding(2) var<storage, read> labels: array<u32>; // [BATCH]
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>; // [SLICES, PARAMETERS]
@group(0) @binding(4) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h BATCH))

override WORKGROUP: u32 = 64;

// What all weights see of a sample.
struct Sample {
  row: u32, // of the residuals
  label: u32,
  input: f32,
}

// What nudges of the weight into class k do to the sample's loss, by the stencil, four of its points
// side by side; behind the last they are 0.
fn slope(sample: Sample, k: u32) -> f32 {
  var sum = 0.0;
  for (var s = 0u; s < POINTS; s += 4u) {
    sum += slope_of_four(sample, k, s);
  }
  return sum;
}

fn slope_of_four(sample: Sample, k: u32, s: u32) -> f32 {
  let offsets = vec4f(stencil[s].x, stencil[s + 1u].x, stencil[s + 2u].x, stencil[s + 3u].x);
  let coefficients = vec4f(stencil[s].y, stencil[s + 1u].y, stencil[s + 2u].y, stencil[s + 3u].y);
  let d = sample.input * offsets;
  let dL = loss_change_of_one(sample.row, min(k, CLASSES - 1u), sample.label, d, REACH);
  let products = coefficients * select(d, dL, is_finite(d)); // what is infinite must show
  var sum = products.x;
  if (POINTS > 1u) {
    sum += products.y;
  }
  if (POINTS > 2u) {
    sum += products.z + products.w;
  }
  return sum;
}

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
