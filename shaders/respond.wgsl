// Responses of a layer's units where linear operations and pieces stand behind them: as far as no
// kink is met, a moved unit moves the logits along one direction, propagated once for each sample and
// unit. The exact change of the sample's loss for every nudge of every slot, combined by the stencil.
// A thread takes four units of a sample; what it needs of them it loads once for all slots. What goes
// beyond a kink is listed, to go the general way. Twin of respond() in
// src/method/response_twins.ts.

#import activation
#import companions
#import loss
#import four_parts
#import special
#import origin
#import part
#import slots_layout

override WIDTH: u32; // inputs of the layer + 1
override OUTPUTS: u32;
override CLASSES: u32;
override POINTS: u32; // of the stencil
override STRIDE: u32; // threads that share a run's slots
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> slots: array<f32>; // [batch, runs, SLOTS]
@group(0) @binding(1) var<storage, read> slot_counts: array<u32>; // [batch, runs]
@group(0) @binding(2) var<storage, read> values: array<f32>; // [batch, OUTPUTS + 1]
@group(0) @binding(3) var<storage, read> companions: array<vec2f>; // [batch, OUTPUTS]: derivative, input
@group(0) @binding(4) var<storage, read> residuals: array<f32>; // a row a sample, as the loss has it
@group(0) @binding(5) var<storage, read> labels: array<u32>; // [batch]
@group(0) @binding(6) var<storage, read_write> responses: array<vec4f>; // [batch, runs, SLOTS, quads of the part]
@group(0) @binding(11) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h batch), reach)

@group(0) @binding(7) var<storage, read> directions: array<vec4f>; // [CLASSES, ROW_QUADS], rows as in rows/all.wgsl
@group(0) @binding(8) var<storage, read> reaches: array<vec4f>; // [2: ahead and behind, ROW_QUADS]
@group(0) @binding(9) var<storage, read_write> items: array<atomic<u32>>; // how many there are, then the items

override ROW_QUADS: u32;

fn direction(n: u32, quad: u32, k: u32) -> vec4f {
  return directions[k * ROW_QUADS + n * quads_of_part() + quad];
}

// Classes kept in registers; the others, where there are more, are read where they are used.
const KEPT = 16u;

// The thread's units on its sample.
struct Units {
  n: u32,
  quad: u32, // of the part
  row: u32, // of the residuals
  values: vec4f,
  companions: Companions,
  tiny: Parts,
  reference: vec4f, // what changes of logits are taken against, for a change of 1
  of_target: LossTarget,
}

fn units_of(n: u32, quad: u32) -> Units {
  let units = min(part.first_unit + 4u * quad + vec4u(0u, 1u, 2u, 3u), vec4u(OUTPUTS - 1u));
  let at = n * (OUTPUTS + 1u) + units;
  let row = residual_row(n);
  let value = vec4f(values[at.x], values[at.y], values[at.z], values[at.w]);
  let on = companions_at(n * OUTPUTS + units);
  return Units(
    n,
    quad,
    row,
    value,
    on,
    tiny_unit(value, on.derivatives, on.inputs),
    loss_reference(direction(n, quad, labels[n])),
    loss_target(row)
  );
}

fn change_at(on: Units, s: u32, input: f32) -> vec4f {
  let dz = vec4f(stencil[s].x * input);
  return change(on.values, on.companions.derivatives, on.companions.inputs, dz);
}

// What an input's nudges do to the sample's loss, by the stencil: exact forms, class by class.
// Overflow shows as a number that is not finite.
fn slope(on: Units, input: f32, spread: vec4f) -> vec4f {
  var slope = vec4f();
  for (var s = 0u; s < POINTS; s++) {
    let da = change_at(on, s, input);
    var sum = loss_sum();
    for (var k = 0u; k < CLASSES; k++) {
      sum = loss_add(sum, on.row, k, da * (direction(on.n, on.quad, k) - on.reference));
    }
    let most = da * spread;
    let dL = select(most, loss_change(sum, on.row), is_finite(most));
    slope = fma(vec4f(stencil[s].y), dL, slope);
  }
  return slope;
}

// The same where neither a unit's input nor a logit moves by more than TINY: short series, and
// everything in registers, which here makes most of the speed. Four classes, of which those from
// CLASSES on are left out.
fn parts_of(on: Units, k: u32) -> Parts {
  if (k < CLASSES) {
    return tiny_parts(residuals[on.row + k], direction(on.n, on.quad, k) - on.reference);
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
  on: Units,
  parts0: FourParts,
  parts1: FourParts,
  parts2: FourParts,
  parts3: FourParts,
}

fn tiny_change_of_loss(tiny: TinyUnits, dz: f32) -> vec4f {
  let on = tiny.on;
  let da = tiny_change(on.tiny, dz);
  var sum = four_terms(tiny.parts0, 0u, da);
  if (CLASSES > 4u) {
    sum += four_terms(tiny.parts1, 4u, da);
  }
  if (CLASSES > 8u) {
    sum += four_terms(tiny.parts2, 8u, da);
  }
  if (CLASSES > 12u) {
    sum += four_terms(tiny.parts3, 12u, da);
  }
  for (var k = KEPT; k < CLASSES; k++) {
    let parts = parts_of(on, k);
    sum += fma(da, parts.y, parts.x);
  }
  return tiny_loss_change(da * sum, on.of_target);
}

// By the stencil, whose first two points come as (offset h, coefficient / (h batch)) each.
fn tiny_slope(tiny: TinyUnits, points: vec4f, input: f32) -> vec4f {
  var sum = points.y * tiny_change_of_loss(tiny, points.x * input);
  if (POINTS > 1u) {
    sum = fma(vec4f(points.w), tiny_change_of_loss(tiny, points.z * input), sum);
  }
  for (var s = 2u; s < POINTS; s++) {
    let change = tiny_change_of_loss(tiny, stencil[s].x * input);
    sum = fma(vec4f(stencil[s].y), change, sum);
  }
  return sum;
}

// Lists those of four responses in which a nudge goes beyond a kink: what is listed goes the
// general way, and takes the place of what the direction gave.
fn list_outside(n: u32, quad: u32, response: u32, nearest: vec4f, farthest: vec4f) {
  let at = n * quads_of_part() + quad;
  let beyond = (farthest > reaches[at]) | (-nearest > reaches[ROW_QUADS + at]);
  let first = part.first_unit + 4u * quad;
  for (var unit = 0u; unit < min(4u, max(first, OUTPUTS) - first); unit++) {
    if (beyond[unit]) {
      atomicStore(&items[1u + atomicAdd(&items[0], 1u)], 4u * response + unit);
    }
  }
}

// Lists what the direction does not hold for.
fn list_beyond(on: Units, row: u32, input: f32) {
  var farthest = vec4f();
  var nearest = vec4f();
  for (var s = 0u; s < POINTS; s++) {
    let da = change_at(on, s, input);
    farthest = max(farthest, da);
    nearest = min(nearest, da);
  }
  list_outside(on.n, on.quad, row * quads_of_part() + on.quad, nearest, farthest);
}

@compute @workgroup_size(WORKGROUP)
fn respond(
  @builtin(workgroup_id) id: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = origin + id;
  let quad = group.x * WORKGROUP + lane;
  let n = group.y;
  if (quad >= quads_of_part()) {
    return;
  }
  let on = units_of(n, quad);
  // How far a nudge moves a logit against another, at most.
  var low = vec4f();
  var high = vec4f();
  for (var k = 0u; k < CLASSES; k++) {
    let along = direction(n, quad, k);
    low = min(low, along);
    high = max(high, along);
  }
  let spread = high - low;
  let widest = max(max(spread.x, spread.y), max(spread.z, spread.w));
  let reach = stencil[0].z;
  let is_tiny = reach <= TINY_TO && farthest(reach) * widest <= TINY;
  let runs = (WIDTH + RUN - 1u) / RUN;
  // Two loops, one of them empty: software devices run both sides of a branch, but no empty loop.
  for (var run = 0u; run < runs; run++) {
    let first = slots_of(n, runs, run);
    let last = first + slot_counts[n * runs + run];
    let tiny_last = select(first, last, is_tiny);
    if (first < tiny_last) {
      let points = vec4f(stencil[0].xy, stencil[1].xy);
      let tiny = TinyUnits(
        on,
        four_parts(on, 0u),
        four_parts(on, 4u),
        four_parts(on, 8u),
        four_parts(on, 12u)
      );
      for (var row = first + 1u + group.z; row < tiny_last; row += STRIDE) {
        responses[row * quads_of_part() + quad] = tiny_slope(tiny, points, slots[row]);
        list_beyond(on, row, slots[row]);
      }
    }
    for (var row = tiny_last + 1u + group.z; row < last; row += STRIDE) {
      responses[row * quads_of_part() + quad] = slope(on, slots[row], spread);
      list_beyond(on, row, slots[row]);
    }
  }
}
