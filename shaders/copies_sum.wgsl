// The copies method, literally: a sum of layers for many whole copies of the network, one thing that
// it takes at a time, and the activation behind the last. A thread takes a unit of a copy on four
// samples. Twin of copies_sum() in src/method/twins.ts.

#import activation
#import origin

override WIDTH: u32;
override SAMPLE_QUADS: u32; // vectors of 4 samples, the last filled up
override COPIES: u32; // that there is room for
override SHARED: bool; // whether it is the data, which all copies have in common
override ADD: bool; // to what is there
override LAST: bool; // the activation comes behind the last

@group(0) @binding(0) var<storage, read> a: array<vec4f>; // [1 or COPIES, WIDTH, SAMPLE_QUADS]
@group(0) @binding(1) var<storage, read_write> values: array<vec4f>; // [COPIES, WIDTH, SAMPLE_QUADS]

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn copies_sum(@builtin(global_invocation_id) id: vec3u) {
  let part = vec3u(WORKGROUP, 1u, 1u) * origin + id;
  let quad = part.x % SAMPLE_QUADS;
  let unit = part.x / SAMPLE_QUADS;
  let copy = part.y;
  if (unit >= WIDTH || copy >= COPIES) {
    return;
  }
  let at = (copy * WIDTH + unit) * SAMPLE_QUADS + quad;
  var z = a[select(at, unit * SAMPLE_QUADS + quad, SHARED)];
  if (ADD) {
    z += values[at];
  }
  if (LAST) {
    z = activate(z);
  }
  values[at] = z;
}
