// Random directions as exact differences: when every weight of a convolution moves by its sign times
// h, and its inputs by da, the inputs of its activation change by conv(da; W + D) + conv(a; D), and an
// average pool's by the mean of da; of a part of the lines of the sums at a time. A thread takes four
// positions of a channel, on a sample and along a query, for both points w + h d and w - h d. Twin of
// directions_conv() in src/method/window_twins.ts.

#import activation
#import directions
#import filter
#import origin
#import window

override BATCH: u32;
override QUERIES: u32;
override FIRST: bool; // whether the layer's input is the data, which no nudge changes

@group(0) @binding(0) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h BATCH))
@group(0) @binding(1) var<storage, read> keys: array<u32>; // [steps, QUERIES]
@group(0) @binding(2) var<storage, read> step: u32;
@group(0) @binding(4) var<storage, read> values: array<f32>; // [BATCH, outputs + 1]
@group(0) @binding(5) var<storage, read> companions: array<vec2f>; // [BATCH, outputs]: derivative, input
@group(0) @binding(6) var<storage, read_write> changes: array<vec2f>; // [QUERIES, BATCH, units of all layers]
@group(0) @binding(7) var<storage, read> a: array<f32>; // [BATCH, inputs + 1]

override WORKGROUP: u32;
override UNITS: u32; // of all layers
override BEFORE: u32; // where the units that it takes start
override AFTER: u32; // where its own units start

@compute @workgroup_size(WORKGROUP)
fn directions_conv(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let outputs = outputs_of_window();
  if (id.x >= outputs) {
    return;
  }
  let n = id.y;
  let positions = window.output.x * window.output.y;
  let filter_at = id.x / positions;
  let place = place_of(id.x % positions, window.output);
  let key = keys[step * QUERIES + id.z];
  let row = (id.z * BATCH + n) * UNITS;
  let reach = vec2f(stencil[0].x, stencil[1].x);
  var dz = vec2f();
  if (window.first > 0u) {
    dz = changes[row + AFTER + id.x];
  } else if (HAS_WEIGHTS) {
    dz = reach * direction_sign(key, bias_index(vec4u(filter_at)).x);
  }
  var on = line_of(window.first);
  for (var line = window.first; line < window.behind; line++) {
    let channel = filter_at / window.given * window.taken + on.x;
    for (var across = 0u; across < window.kernel.y; across++) {
      let cell = vec2u(on.y, across);
      let at = place_taken(place, cell);
      if (is_within(at, window.input)) {
        let input = (channel * window.input.x + at.x) * window.input.y + at.y;
        let index = weight_index(vec4u(filter_at), vec4u(on.x), cell);
        var moved = vec2f();
        if (HAS_WEIGHTS) {
          moved = reach * direction_sign(key, index.x);
          dz = fma(vec2f(a[n * (inputs_of_window() + 1u) + input]), moved, dz);
        }
        if (!FIRST) {
          dz = fma(changes[row + BEFORE + input], weights_at(index).x + moved, dz);
        }
      }
    }
    on = next_line(on);
  }
  if (window.behind == window.taken * window.kernel.x) {
    let value = vec4f(values[n * (outputs + 1u) + id.x]);
    let saved = companions[n * outputs + id.x];
    dz = change(value, vec4f(saved.x), vec4f(saved.y), (dz * share_of(place)).xyxy).xy;
  }
  changes[row + AFTER + id.x] = dz;
}
