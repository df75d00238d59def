// The series of a layer's units as narrow.wgsl takes them, for copies that are tiny: slope and
// curvature. A thread takes four units of a sample.

#import activation

override WIDTH: u32;
override FIRST: u32; // where the layer's begin

@group(0) @binding(0) var<storage, read> values: array<f32>; // [batch, WIDTH + 1]
@group(0) @binding(1) var<storage, read> companions: array<f32>; // [batch, WIDTH]
@group(0) @binding(2) var<storage, read_write> series: array<vec2f>; // [batch, WIDTH] from FIRST on

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn narrow_series(@builtin(global_invocation_id) id: vec3u) {
  let n = id.y;
  for (var k = 4u * id.x; k < min(4u * id.x + 4u, WIDTH); k++) {
    let value = values[n * (WIDTH + 1u) + k];
    series[FIRST + n * WIDTH + k] = vec2f(companions[n * WIDTH + k], curvature(vec4f(value)).x);
  }
}
