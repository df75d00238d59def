// Random directions as exact differences: when what a sum takes changes, the sum does. One thing
// that it takes at a time; a thread takes a unit, sample and query, for both points w + h d and
// w - h d. Twin of directions_sum() in src/method/twins.ts.

#import activation

override WIDTH: u32;
override BATCH: u32;
override UNITS: u32; // of all layers
override BEFORE: u32; // where the units that it takes start
override AFTER: u32; // where its own units start
override NONE: bool; // whether it takes the data, which no nudge changes
override ADD: bool; // to what is there
override LAST: bool; // the activation comes behind the last

@group(0) @binding(4) var<storage, read> values: array<f32>; // [BATCH, WIDTH + 1]
@group(0) @binding(5) var<storage, read> companions: array<vec2f>; // [BATCH, WIDTH]: derivative, input
@group(0) @binding(6) var<storage, read_write> changes: array<vec2f>; // [queries, BATCH, units of all layers]

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn directions_sum(@builtin(global_invocation_id) id: vec3u) {
  let j = id.x;
  let n = id.y;
  if (j >= WIDTH) {
    return;
  }
  let row = (id.z * BATCH + n) * UNITS;
  var dz = vec2f();
  if (!NONE) {
    dz = changes[row + BEFORE + j];
  }
  if (ADD) {
    dz += changes[row + AFTER + j];
  }
  if (LAST) {
    let saved = companions[n * WIDTH + j];
    let value = vec4f(values[n * (WIDTH + 1u) + j]);
    dz = change(value, vec4f(saved.x), vec4f(saved.y), dz.xyxy).xy;
  }
  changes[row + AFTER + j] = dz;
}
