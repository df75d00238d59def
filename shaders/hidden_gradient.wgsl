// The differences method for the weights into the last hidden layer: one fused kernel, one thread a
// hidden unit j and 32 inputs i. Every nudged copy of W[i,j] is evaluated on every sample whose
// input i is not zero: the unit's exact change, each logit's, the loss's. Twin of differences() in
// src/cpu/differences.ts.

#import activation
#import loss
#import special

override INPUTS: u32;
override OUTPUTS: u32;
override OFFSET: u32; // of the layer's matrix in the parameters
override NEXT: u32; // of the output layer's matrix
override CLASSES: u32;
override BATCH: u32;
override POINTS: u32; // of the stencil
override REACH: f32; // the largest |dz| of any nudge, or infinity
override SLICES: u32; // the batch is cut into so many slices, summed by the update
override PARAMETERS: u32;

@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [PARAMETERS]
@group(0) @binding(1) var<storage, read> a: array<f32>; // [BATCH, INPUTS + 1]
@group(0) @binding(2) var<storage, read> nonzero: array<u32>; // [BATCH, ceil((INPUTS + 1) / 32)]
@group(0) @binding(3) var<storage, read> values: array<f32>; // [BATCH, OUTPUTS + 1]
@group(0) @binding(4) var<storage, read> companions: array<f32>; // [BATCH, OUTPUTS]
@group(0) @binding(5) var<storage, read> residuals: array<f32>; // [BATCH, CLASSES + 1]
@group(0) @binding(6) var<storage, read> labels: array<u32>; // [BATCH]
@group(0) @binding(7) var<storage, read_write> gradient: array<f32>; // [SLICES, PARAMETERS]
@group(0) @binding(8) var<uniform> stencil: array<vec4f, 4>; // (offset h, coefficient / (h BATCH))

override WORKGROUP: u32 = 64;

// Classes kept in registers; the others, where there are more, are read where they are used.
const KEPT = 16;

var<workgroup> sums: array<f32, 32u * WORKGROUP>; // [32 inputs, WORKGROUP units]

// Adds sample n's changes of loss to the sums. `tiny` is a constant at each call: it chooses the
// series that suffices when no logit can move by more than TINY.
fn add_sample(n: u32, unit: u32, word: u32, lane: u32, weights: array<f32, KEPT>, tiny: bool) {
  let value = values[n * (OUTPUTS + 1u) + unit];
  let c = companions[n * OUTPUTS + unit];
  let row = n * (CLASSES + 1u);
  let label = labels[n];
  let next = NEXT + unit * CLASSES;
  let reference = loss_reference(parameters[next + label]);
  let of_target = residuals[row + label];
  var kept = weights;
  var residual: array<f32, KEPT>;
  for (var k = 0u; k < min(CLASSES, KEPT); k++) {
    kept[k] = kept[k] - reference;
    residual[k] = residuals[row + k];
  }
  var bits = nonzero[n * ((INPUTS + 32u) / 32u) + word];
  loop { // once even where no bit is set: the input it then takes is 0, and so is every change
    let bit = firstTrailingBit(bits) & 31u;
    let input = a[n * (INPUTS + 1u) + min(32u * word + bit, INPUTS)];
    var sum = 0.0;
    for (var s = 0u; s < POINTS; s++) {
      let da = activation_change(value, c, stencil[s].x * input, tiny);
      var total = 0.0;
      for (var k = 0u; k < min(CLASSES, KEPT); k++) {
        total += loss_term(residual[k], da * kept[k], tiny);
      }
      for (var k = u32(KEPT); k < CLASSES; k++) {
        total += loss_term(residuals[row + k], da * (parameters[next + k] - reference), tiny);
      }
      sum = fma(stencil[s].y, loss_change(total, of_target, tiny), sum);
    }
    sums[bit * WORKGROUP + lane] += sum;
    bits &= bits - 1u;
    continuing {
      break if bits == 0u;
    }
  }
}

@compute @workgroup_size(WORKGROUP)
fn hidden_gradient(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let lane = local.x;
  let j = group.y * WORKGROUP + lane;
  let unit = min(j, OUTPUTS - 1u);
  let word = group.x;
  let slice = group.z;

  var weights: array<f32, KEPT>;
  var largest = 0.0;
  for (var k = 0u; k < CLASSES; k++) {
    largest = max(largest, abs(parameters[NEXT + unit * CLASSES + k]));
  }
  for (var k = 0u; k < min(CLASSES, KEPT); k++) {
    weights[k] = parameters[NEXT + unit * CLASSES + k];
  }
  // A relative logit change is at most twice the unit's change times its largest weight.
  let tiny = REACH <= TINY && 2.0 * largest * CHANGE_FACTOR * REACH <= TINY;
  let first = slice * BATCH / SLICES;
  let last = (slice + 1u) * BATCH / SLICES;
  // Two loops, one of them empty: software devices run both sides of a branch, but no empty loop.
  let tiny_last = select(first, last, tiny);
  for (var n = first; n < tiny_last; n++) {
    add_sample(n, unit, word, lane, weights, true);
  }
  for (var n = tiny_last; n < last; n++) {
    add_sample(n, unit, word, lane, weights, false);
  }

  if (j < OUTPUTS) {
    for (var b = 0u; b < 32u; b++) {
      let i = 32u * word + b;
      if (i <= INPUTS) {
        gradient[slice * PARAMETERS + OFFSET + i * OUTPUTS + j] = sums[b * WORKGROUP + lane];
      }
    }
  }
}
