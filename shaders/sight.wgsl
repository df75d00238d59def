// The largest absolute value that a convolution's units see: for each group and position, whatever the
// filter. A thread takes a position, workgroups side by side groups and samples. Twin of sight() in
// src/method/map_twins.ts.

#import window

override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [batch, inputs + 1]
@group(0) @binding(1) var<storage, read_write> sights: array<f32>; // [batch, groups, positions]

@compute @workgroup_size(WORKGROUP)
fn sight(@builtin(global_invocation_id) id: vec3u) {
  let positions = window.output.x * window.output.y;
  if (id.x >= positions) {
    return;
  }
  let place = place_of(id.x, window.output);
  let first = id.z * (inputs_of_window() + 1u) +
    id.y * window.taken * window.input.x * window.input.y;
  var seen = 0.0;
  for (var line = 0u; line < window.taken * window.kernel.x; line++) {
    let on = line_of(line);
    for (var across = 0u; across < window.kernel.y; across++) {
      let at = place_taken(place, vec2u(on.y, across));
      let within = is_within(at, window.input);
      let input = on.x * window.input.x * window.input.y + at.x * window.input.y + at.y;
      let value = abs(a[first + select(0u, input, within)]);
      seen = select(seen, max(seen, value), within);
    }
  }
  sights[(id.z * window.groups + id.y) * positions + id.x] = seen;
}
