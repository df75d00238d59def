// A sum of layers forward, or one layer's values, and the activation behind: one thing that it
// takes at a time. A thread takes four units of a sample. Twin of pointwise() in src/method/twins.ts.

#import activation

override WIDTH: u32;
override ADD: bool; // to what is there
override LAST: bool; // the activation comes behind the last

@group(0) @binding(0) var<storage, read> a: array<f32>; // [batch, WIDTH + 1]
@group(0) @binding(1) var<storage, read_write> values: array<f32>; // [batch, WIDTH + 1]
@group(0) @binding(2) var<storage, read_write> companions: array<vec2f>; // [batch, WIDTH]: derivative, input

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn pointwise(@builtin(global_invocation_id) id: vec3u) {
  let n = id.y;
  let unit = 4u * id.x;
  let at = n * (WIDTH + 1u) + min(unit + vec4u(0u, 1u, 2u, 3u), vec4u(WIDTH));
  var z = vec4f(a[at.x], a[at.y], a[at.z], a[at.w]);
  if (ADD) {
    z += vec4f(values[at.x], values[at.y], values[at.z], values[at.w]);
  }
  var value = z;
  var slopes = vec4f();
  if (LAST) {
    value = activate(z);
    slopes = derivative(z);
  }
  for (var k = 0u; k < 4u; k++) {
    if (unit + k < WIDTH) {
      values[n * (WIDTH + 1u) + unit + k] = value[k];
      companions[n * WIDTH + unit + k] = vec2f(slopes[k], z[k]);
    } else if (unit + k == WIDTH) {
      values[n * (WIDTH + 1u) + WIDTH] = 1.0;
    }
  }
}
