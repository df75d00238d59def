// Lists the other states that a unit of the part can be in, on every sample; the response of the one
// that it is in is 0. A thread takes a unit and sample.

#import activation
#import part

@group(0) @binding(0) var<storage, read> values: array<f32>; // [batch, outputs + 1]
@group(0) @binding(1) var<storage, read_write> responses: array<f32>; // [batch, STATES, units of the part]
@group(0) @binding(9) var<storage, read_write> items: array<atomic<u32>>; // how many there are, then the items

override WORKGROUP: u32;

@compute @workgroup_size(WORKGROUP)
fn list_states(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let unit = group.x * WORKGROUP + lane;
  let n = group.y;
  if (unit >= min(part.units, part.outputs - part.first_unit)) {
    return;
  }
  let value = values[n * (part.outputs + 1u) + part.first_unit + unit];
  var next = 1u + atomicAdd(&items[0], STATES - 1u);
  for (var state = 0u; state < STATES; state++) {
    let response = 4u * quads_of_part() * (n * STATES + state) + unit;
    if (state_value(state) == value) {
      responses[response] = 0.0;
    } else {
      atomicStore(&items[next], response);
      next += 1u;
    }
  }
}
