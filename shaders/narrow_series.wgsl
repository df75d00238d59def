// The series of a layer's units as narrow.wgsl takes them, for copies that are tiny: slope and
// curvature. A thread takes four units of a sample.

#import activation

struct Sizes {
  width: u32,
  first: u32, // where the layer's begin
}

@group(0) @binding(3) var<uniform> sizes: Sizes;

@group(0) @binding(0) var<storage, read> values: array<f32>; // [batch, WIDTH + 1]
@group(0) @binding(1) var<storage, read> companions: array<vec2f>; // [batch, WIDTH]: derivative, input
@group(0) @binding(2) var<storage, read_write> series: array<vec2f>; // [batch, WIDTH] from FIRST on

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn narrow_series(@builtin(global_invocation_id) id: vec3u) {
  let n = id.y;
  for (var k = 4u * id.x; k < min(4u * id.x + 4u, sizes.width); k++) {
    let value = values[n * (sizes.width + 1u) + k];
    let on = companions[n * sizes.width + k];
    let unit = tiny_unit(vec4f(value), vec4f(on.x), vec4f(on.y));
    series[sizes.first + n * sizes.width + k] = vec2f(unit.x.x, unit.y.x);
  }
}
