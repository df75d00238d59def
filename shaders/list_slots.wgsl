// Lists all responses of the part, one a unit and slot of a sample: a thread takes a slot.

#import part
#import slots_layout

override WIDTH: u32; // inputs of the layer + 1
override OUTPUTS: u32;

@group(0) @binding(0) var<storage, read> slots: array<f32>; // [batch, runs, SLOTS]
@group(0) @binding(1) var<storage, read> slot_counts: array<u32>; // [batch, runs]
@group(0) @binding(9) var<storage, read_write> items: array<atomic<u32>>; // how many there are, then the items

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn list_slots(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let slot = group.x * WORKGROUP + lane;
  let runs = (WIDTH + RUN - 1u) / RUN;
  let row = slots_of(group.y / runs, runs, group.y % runs) + slot;
  if (slot >= slot_counts[group.y] || slots[row] == 0.0) {
    return;
  }
  let units = min(part.units, OUTPUTS - part.first_unit);
  let first = 1u + atomicAdd(&items[0], units);
  for (var unit = 0u; unit < units; unit++) {
    atomicStore(&items[first + unit], 4u * quads_of_part() * row + unit);
  }
}
