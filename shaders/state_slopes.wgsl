// What nudges of the weights into units of a few states do to each sample's loss, where all inputs that
// are not 0 are 1: all weights into a unit have that in common. A thread takes four units of the part
// on a sample.

#import state_weights

override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> companions: array<vec2f>; // [batch, outputs]: derivative, input
@group(0) @binding(2) var<storage, read_write> slopes: array<f32>; // [batch, outputs]

@compute @workgroup_size(WORKGROUP)
fn state_slopes(@builtin(global_invocation_id) id: vec3u) {
  let n = id.y;
  let units = 4u * id.x + vec4u(0u, 1u, 2u, 3u);
  let at = n * part.outputs + min(part.first_unit + units, vec4u(part.outputs - 1u));
  let z = vec4f(companions[at.x].y, companions[at.y].y, companions[at.z].y, companions[at.w].y);
  let far = vec4f(stencil[0].z * FARTHER);
  let present = state_of(z);
  let lowest = state_of(z - far);
  let highest = state_of(z + far);
  let low = min(min(lowest.x, lowest.y), min(lowest.z, lowest.w));
  let high = max(max(highest.x, highest.y), max(highest.z, highest.w));
  var sum = vec4f();
  for (var i = low; i < high; i++) {
    let below = present <= vec4u(i);
    sum += growth_at(n, units, i, below, lowest, highest) * weights(i, below, z, 1.0);
  }
  for (var j = 0u; j < 4u; j++) {
    if (units[j] < min(part.units, part.outputs - part.first_unit)) {
      slopes[n * part.outputs + part.first_unit + units[j]] = sum[j];
    }
  }
}
