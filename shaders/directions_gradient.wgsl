// The gradient that random directions estimate: the mean over queries of slope times direction. One
// thread a parameter.

#import directions
#import special
#import origin

override PARAMETERS: u32;
override QUERIES: u32;
override WIDTH: u32; // workgroups side by side

@group(0) @binding(0) var<storage, read> keys: array<u32>; // [steps, QUERIES]
@group(0) @binding(1) var<storage, read> step: u32;
@group(0) @binding(2) var<storage, read> slopes: array<f32>; // [QUERIES]
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>; // [PARAMETERS]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn directions_gradient(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let index = id.y * WIDTH * WORKGROUP + id.x;
  if (index >= PARAMETERS) {
    return;
  }
  var sum = 0.0;
  for (var query = 0u; query < QUERIES; query++) {
    sum = fma(slopes[query], direction_sign(keys[step * QUERIES + query], index), sum);
  }
  gradient[index] = quotient(vec4f(sum), vec4f(f32(QUERIES))).x;
}
