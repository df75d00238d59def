// The copies method, literally: a max pool forward for many whole copies of the network, and the
// activation behind. A thread takes an output of a copy on four samples. Twin of copies_maxpool() in
// src/method/window_twins.ts.

#import activation
#import origin
#import window

override SAMPLE_QUADS: u32; // vectors of 4 samples, the last filled up
override COPIES: u32; // that there is room for
override SHARED: bool; // whether it takes the data, which all copies have in common
override WORKGROUP: u32;

@group(0) @binding(2) var<storage, read> a: array<vec4f>; // [1 or COPIES, inputs, SAMPLE_QUADS]
@group(0) @binding(4) var<storage, read_write> values: array<vec4f>; // [COPIES, outputs, SAMPLE_QUADS]

@compute @workgroup_size(WORKGROUP)
fn copies_maxpool(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let copy = id.z;
  let outputs = outputs_of_window();
  if (id.x >= outputs || copy >= COPIES) {
    return;
  }
  let positions = window.output.x * window.output.y;
  let place = place_of(id.x % positions, window.output);
  let of_copy = select(copy * inputs_of_window(), 0u, SHARED);
  let start = of_copy + id.x / positions * window.input.x * window.input.y;
  var largest = vec4f();
  var found = false;
  for (var down = 0u; down < window.kernel.x; down++) {
    for (var across = 0u; across < window.kernel.y; across++) {
      let at = place_taken(place, vec2u(down, across));
      if (is_within(at, window.input)) {
        let value = a[(start + at.x * window.input.y + at.y) * SAMPLE_QUADS + id.y];
        largest = select(largest, value, vec4<bool>(!found) | (value > largest));
        found = true;
      }
    }
  }
  values[(copy * outputs + id.x) * SAMPLE_QUADS + id.y] = activate(largest);
}
