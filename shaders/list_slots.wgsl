// Lists all responses of the part, one a unit and slot of a sample, those of a unit and sample side
// by side: a thread takes a unit. Slots of a list's filling zeros are not worth a row: their responses
// are 0, whatever an earlier batch left there.

#import part
#import slots_layout

override WIDTH: u32; // inputs of the layer + 1

@group(0) @binding(0) var<storage, read> slots: array<f32>; // [batch, runs, SLOTS]
@group(0) @binding(1) var<storage, read> slot_counts: array<u32>; // [batch, runs]
@group(0) @binding(2) var<storage, read_write> responses: array<f32>; // [batch, runs, SLOTS, units of the part]
@group(0) @binding(9) var<storage, read_write> items: array<atomic<u32>>; // how many there are, then the items

override WORKGROUP: u32;

@compute @workgroup_size(WORKGROUP)
fn list_slots(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let unit = group.x * WORKGROUP + lane;
  if (unit >= min(part.units, part.outputs - part.first_unit)) {
    return;
  }
  let runs = (WIDTH + RUN - 1u) / RUN;
  let first = slots_of(group.y / runs, runs, group.y % runs);
  let last = first + slot_counts[group.y];
  var count = 0u;
  for (var row = first + 1u; row < last; row++) {
    count += select(0u, 1u, slots[row] != 0.0);
  }
  var next = 1u + atomicAdd(&items[0], count);
  for (var row = first + 1u; row < last; row++) {
    let response = 4u * quads_of_part() * row + unit;
    if (slots[row] != 0.0) {
      atomicStore(&items[next], response);
      next += 1u;
    } else {
      responses[response] = 0.0;
    }
  }
}
