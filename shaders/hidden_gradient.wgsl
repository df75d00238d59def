// The differences method for the weights into the last hidden layer: one fused kernel. A thread
// takes four hidden units j and a block of inputs i, and evaluates every nudged copy of their W[i,j]
// on every sample whose input i is not zero: the unit's exact change, each logit's, the loss's. What
// it needs of a sample it loads once for the whole block. Twin of differences() in
// src/cpu/differences.ts.

#import activation
#import companions
#import loss
#import four_parts
#import special
#import entries
#import sums
#import origin

override NEXT: u32; // of the output layer's matrix
override CLASSES: u32;
override POINTS: u32; // of the stencil
override MAY_BE_TINY: bool; // whether any nudge may be, or compilers need not bother
override REACH: f32; // the largest |dz| of any nudge, rounded up: h changes few pipelines

@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [PARAMETERS]
@group(0) @binding(1) var<storage, read> values: array<f32>; // [BATCH, OUTPUTS + 1]
@group(0) @binding(2) var<storage, read> companions: array<vec2f>; // [BATCH, OUTPUTS]: derivative, input
@group(0) @binding(3) var<storage, read> residuals: array<f32>; // a row a sample, as the loss has it
@group(0) @binding(4) var<storage, read> labels: array<u32>; // [BATCH]
@group(0) @binding(5) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h BATCH), reach)
@group(0) @binding(6) var<uniform> sizes: Sizes;

// Classes kept in registers; the others, where there are more, are read where they are used.
const KEPT = 16u;

var<private> weights: array<vec4f, KEPT>; // of the thread's four units into each class

fn weights_of(units: vec4u, k: u32) -> vec4f {
  let at = NEXT + units * CLASSES + min(k, CLASSES - 1u);
  return vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
}

// The weights from `weights`, or read anew, against what changes of logits are taken against.
fn weight_of(units: vec4u, k: u32, reference: vec4f) -> vec4f {
  if (CLASSES > KEPT && k >= KEPT) {
    return weights_of(units, k) - reference;
  }
  return weights[min(k, KEPT - 1u)] - reference;
}

// The thread's units on one sample.
struct Units {
  row: u32, // of the residuals
  values: vec4f,
  companions: Companions,
  reference: vec4f, // what changes of logits are taken against, for a change of 1
  of_target: LossTarget,
}

fn units_on(n: u32, units: vec4u) -> Units {
  let at = n * (sizes.outputs + 1u) + units;
  let row = residual_row(n);
  let label = labels[n];
  return Units(
    row,
    vec4f(values[at.x], values[at.y], values[at.z], values[at.w]),
    companions_at(n * sizes.outputs + units),
    loss_reference(weights_of(units, label)),
    loss_target(row)
  );
}

// The units' changes at a point of the stencil.
fn changes_at(on: Units, s: u32, input: f32) -> vec4f {
  let dz = vec4f(stencil[s].x * input);
  if (REACH <= NEAR_BY) {
    return near_change(on.values, on.companions.derivatives, on.companions.inputs, dz);
  }
  return change(on.values, on.companions.derivatives, on.companions.inputs, dz);
}

// What any nudges of the four units do to sample n's loss, by the stencil: exact forms, class by
// class, two points of the stencil at a time. No logit moves by more against
// another than `near` of the target says.
fn slope(units: vec4u, on: Units, input: f32) -> vec4f {
  var slope = vec4f();
  for (var s = 0u; s < POINTS; s += 2u) {
    let da = changes_at(on, s, input);
    let db = changes_at(on, s + 1u, input);
    var sum_a = NearSum();
    var sum_b = NearSum();
    for (var k = 0u; k < CLASSES; k++) {
      let weight = weight_of(units, k, on.reference);
      sum_a = near_add(sum_a, residuals[on.row + k], da * weight);
      sum_b = near_add(sum_b, residuals[on.row + k], db * weight);
    }
    slope = fma(vec4f(stencil[s].y), near_loss_change(sum_a, on.of_target), slope);
    if (s + 1u < POINTS) {
      slope = fma(vec4f(stencil[s + 1u].y), near_loss_change(sum_b, on.of_target), slope);
    }
  }
  return slope;
}

// The same however far the logits move. Overflow shows as a number that is not finite.
fn far_slope(units: vec4u, on: Units, input: f32, spread: vec4f) -> vec4f {
  var slope = vec4f();
  for (var s = 0u; s < POINTS; s += 2u) {
    let da = changes_at(on, s, input);
    let db = changes_at(on, s + 1u, input);
    var sum_a = loss_sum();
    var sum_b = loss_sum();
    for (var k = 0u; k < CLASSES; k++) {
      let weight = weight_of(units, k, on.reference);
      sum_a = loss_add(sum_a, on.row, k, da * weight);
      sum_b = loss_add(sum_b, on.row, k, db * weight);
    }
    let most_a = da * spread;
    let change_a = select(most_a, loss_change(sum_a, on.row), is_finite(most_a));
    slope = fma(vec4f(stencil[s].y), change_a, slope);
    if (s + 1u < POINTS) {
      let most_b = db * spread;
      let change_b = select(most_b, loss_change(sum_b, on.row), is_finite(most_b));
      slope = fma(vec4f(stencil[s + 1u].y), change_b, slope);
    }
  }
  return slope;
}

// The same where neither a unit's input nor a logit moves by more than TINY: short series, and
// everything in registers, which here makes most of the speed. Four classes, of which those from
// CLASSES on are left out.
fn parts_of(on: Units, k: u32) -> Parts {
  if (k < CLASSES) {
    return tiny_parts(residuals[on.row + k], weights[k] - on.reference);
  }
  return Parts();
}

fn four_parts(on: Units, first: u32) -> FourParts {
  let a = parts_of(on, first);
  let b = parts_of(on, first + 1u);
  let c = parts_of(on, first + 2u);
  let d = parts_of(on, first + 3u);
  return FourParts(mat4x4f(a.x, b.x, c.x, d.x), mat4x4f(a.y, b.y, c.y, d.y));
}

struct TinyUnits {
  row: u32, // of the residuals
  unit: Parts,
  of_target: LossTarget,
  parts0: FourParts,
  parts1: FourParts,
  parts2: FourParts,
  parts3: FourParts,
}

fn tiny_change_of_loss(n: u32, units: vec4u, on: TinyUnits, dz: f32) -> vec4f {
  let da = tiny_change(on.unit, dz);
  var sum = four_terms(on.parts0, 0u, da);
  if (CLASSES > 4u) {
    sum += four_terms(on.parts1, 4u, da);
  }
  if (CLASSES > 8u) {
    sum += four_terms(on.parts2, 8u, da);
  }
  if (CLASSES > 12u) {
    sum += four_terms(on.parts3, 12u, da);
  }
  for (var k = KEPT; k < CLASSES; k++) {
    let reference = loss_reference(weights_of(units, labels[n]));
    let parts = tiny_parts(residuals[on.row + k], weights_of(units, k) - reference);
    sum += fma(da, parts.y, parts.x);
  }
  return tiny_loss_change(da * sum, on.of_target);
}

// By the stencil, whose first two points come as (offset h, coefficient / (h BATCH)) each.
fn tiny_slope(n: u32, units: vec4u, on: TinyUnits, points: vec4f, input: f32) -> vec4f {
  var sum = points.y * tiny_change_of_loss(n, units, on, points.x * input);
  if (POINTS > 1u) {
    sum = fma(vec4f(points.w), tiny_change_of_loss(n, units, on, points.z * input), sum);
  }
  for (var s = 2u; s < POINTS; s++) {
    let change = tiny_change_of_loss(n, units, on, stencil[s].x * input);
    sum = fma(vec4f(stencil[s].y), change, sum);
  }
  return sum;
}

fn tiny_units_on(n: u32, units: vec4u) -> TinyUnits {
  let on = units_on(n, units);
  return TinyUnits(
    on.row,
    tiny_unit(on.values, on.companions.derivatives, on.companions.inputs),
    on.of_target,
    four_parts(on, 0u),
    four_parts(on, 4u),
    four_parts(on, 8u),
    four_parts(on, 12u)
  );
}

// One of the two entries of a pair: an input, and its value's bits.
fn entry_of(e: u32) -> vec2u {
  let pair = entries[e / 2u];
  return select(pair.xy, pair.zw, e % 2u == 1u);
}

@compute @workgroup_size(WORKGROUP, ABREAST)
fn hidden_gradient(
  @builtin(workgroup_id) part: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let group = origin + part;
  let first_unit = first_unit_of(group.y, local.x);
  let units = units_from(first_unit);
  let block_id = group.x;
  let slice = group.z * ABREAST + local.y;
  var low = vec4f();
  var high = vec4f();
  for (var k = 0u; k < CLASSES; k++) {
    let weight = weights_of(units, k);
    low = min(low, weight);
    high = max(high, weight);
    if (k < KEPT) {
      weights[k] = weight;
    }
  }
  let first = start_of_slice(slice);
  let last = start_of_slice(slice + 1u);
  // How far a nudge moves a logit against another, at most. Three loops over entries, of which two are
  // empty: software devices run both sides of a branch, but no empty loop.
  let spread = high - low;
  let most = farthest(stencil[0].z) * max(max(spread.x, spread.y), max(spread.z, spread.w));
  var tiny_last = first;
  if (MAY_BE_TINY) {
    tiny_last = select(first, last, stencil[0].z <= TINY_TO && most <= TINY);
    let points = vec4f(stencil[0].xy, stencil[1].xy);
    for (var n = first; n < tiny_last; n++) {
      let on = tiny_units_on(n, units);
      let start = start_of(n, sizes.inputs, block_id);
      let end = starts[start + 1u];
      for (var e = starts[start]; e < end; e++) {
        let pair = entries[e];
        add_to_sums(pair.x % BLOCK, tiny_slope(n, units, on, points, bitcast<f32>(pair.y)));
        add_to_sums(pair.z % BLOCK, tiny_slope(n, units, on, points, bitcast<f32>(pair.w)));
      }
    }
  }
  for (var n = tiny_last; n < last; n++) {
    let on = units_on(n, units);
    let start = start_of(n, sizes.inputs, block_id);
    let begin = 2u * starts[start];
    let end = 2u * starts[start + 1u];
    let near_end = select(begin, end, most <= on.of_target.near);
    for (var e = begin; e < near_end; e++) {
      let entry = entry_of(e);
      add_to_sums(entry.x % BLOCK, slope(units, on, bitcast<f32>(entry.y)));
    }
    for (var e = near_end; e < end; e++) {
      let entry = entry_of(e);
      add_to_sums(entry.x % BLOCK, far_slope(units, on, bitcast<f32>(entry.y), spread));
    }
  }
  store_sums(slice, block_id, first_unit);
}
