// Lists the other states that nudges may take a unit of the part into, on every sample; the response
// of the one that it is in is 0. A thread takes a unit and sample.

#import activation
#import part

@group(0) @binding(0) var<storage, read> companions: array<vec2f>; // [batch, outputs]: derivative, input
@group(0) @binding(1) var<storage, read_write> responses: array<f32>; // [batch, STATES, units of the part]
@group(0) @binding(9) var<storage, read_write> items: array<atomic<u32>>; // how many there are, then the items
@group(0) @binding(11) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h batch), reach)

override WORKGROUP: u32;

const FARTHER = 1.0000153; // room for rounding

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
  let z = companions[n * part.outputs + part.first_unit + unit].y;
  let far = stencil[0].z * FARTHER;
  let states = state_of(vec4f(z, z - far, z + far, z));
  var next = 1u + atomicAdd(&items[0], states.z - states.y);
  for (var state = states.y; state <= states.z; state++) {
    let response = 4u * quads_of_part() * (n * STATES + state) + unit;
    if (state == states.x) {
      responses[response] = 0.0;
    } else {
      atomicStore(&items[next], response);
      next += 1u;
    }
  }
}
