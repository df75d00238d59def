// Responses of a layer's units where a few narrow layers of smooth units stand between them and the
// logits, fused: every copy's changes of all units, of all logits and of the loss, one after the
// other, in registers. It takes the copies that are tiny, by their series (see special.wgsl); where a
// unit's nudges may not be, its responses are listed, to go the general way. A thread takes a unit of
// a sample and walks its slots, two points of the stencil at a time. What is unrolled over units and
// classes is generated: see src/gpu/narrow.ts. Twin of narrow() in
// src/method/response_twins.ts.

#import activation
#import loss
#import special
#import part
#import slots_layout

override WIDTH: u32; // inputs of the layer + 1
override OUTPUTS: u32;
override WORKGROUP: u32;
@group(0) @binding(0) var<storage, read> slots: array<f32>; // [batch, runs, SLOTS]
@group(0) @binding(1) var<storage, read> slot_counts: array<u32>; // [batch, runs]
@group(0) @binding(2) var<storage, read> series: array<vec2f>; // slope and curvature, [batch, OUTPUTS] of the units, then those of each narrow layer
@group(0) @binding(4) var<storage, read> residuals: array<f32>; // a row a sample, as the loss has it
@group(0) @binding(5) var<storage, read> labels: array<u32>; // [batch]
@group(0) @binding(6) var<storage, read_write> responses: array<f32>; // [batch, runs, SLOTS, units of the part]
@group(0) @binding(7) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(9) var<storage, read_write> items: array<atomic<u32>>; // how many there are, then the items
@group(0) @binding(11) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h batch), reach)

override BATCH: u32;
override OFFSET_NEXT: u32; // of the first narrow layer's matrix in the parameters

#import unrolled

@compute @workgroup_size(WORKGROUP)
fn narrow(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = group.x * WORKGROUP + lane;
  let n = group.y;
  let j = part.first_unit + unit;
  if (unit >= part.units || j >= OUTPUTS) {
    return;
  }
  let runs = (WIDTH + RUN - 1u) / RUN;
  let first_weight = OFFSET_NEXT + j * UNITS;
  let reach = stencil[0].z;
  let tiny = reach <= TINY && farthest(reach) * max(1.0, reach_behind(first_weight)) <= TINY;
  for (var run = 0u; run < runs; run++) {
    let first = slots_of(n, runs, run);
    let last = first + slot_counts[n * runs + run];
    respond_tiny(n, j, unit, first_weight, first + 1u, select(first, last, tiny));
    for (var row = select(first, last, tiny) + 1u; row < last; row++) {
      atomicStore(&items[1u + atomicAdd(&items[0], 1u)], row * 4u * quads_of_part() + unit);
    }
  }
}
