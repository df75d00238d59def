// What nudges of a weight into a logit do to a sample's loss.

#import loss
#import special

override CLASSES: u32;
override POINTS: u32; // of the stencil
override REACH: f32; // the largest change of a logit that any nudge makes, rounded up

@group(0) @binding(1) var<storage, read> residuals: array<f32>; // a row a sample, as the loss has it
@group(0) @binding(4) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h BATCH))

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
