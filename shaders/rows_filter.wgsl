// A nudge of a filter's weight moves its channel's map, by the nudge times what the weight sees. A
// thread takes four rows of changes and a few of the channel's units. Twin of rows_filter() in
// src/method/map_twins.ts.

#import activation
#import rows
#import effect
#import row_quads
#import window

override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [batch, inputs + 1]
@group(0) @binding(11) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h batch))

const UNITS = 16u; // of a thread

@compute @workgroup_size(WORKGROUP)
fn rows_filter(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var quad = id.x; 4u * quad < count_of_rows(); quad += groups.x * WORKGROUP) {
    if (has_rows(quad)) {
      move_quad(quad, UNITS * id.y);
    }
  }
}

fn move_quad(quad: u32, first: u32) {
  let responses = responses_of(quad);
  let samples = samples_of(responses);
  let channel = channel_of(quad);
  let weights = vec4u(
    tap_of(responses.x),
    tap_of(responses.y),
    tap_of(responses.z),
    tap_of(responses.w)
  );
  let is_bias = weights == vec4u(weights_of_filter());
  let cells = window.kernel.x * window.kernel.y;
  let of_group = min(weights / cells, vec4u(window.taken - 1u));
  let maps_taken = samples * (inputs_of_window() + 1u) +
    (channel / window.given * window.taken + of_group) * window.input.x * window.input.y;
  let down = weights % cells / window.kernel.y;
  let across = weights % window.kernel.y;
  let points = 4u * quad + vec4u(0u, 1u, 2u, 3u);
  let nudges = vec4f(
    stencil[points.x % POINTS].x,
    stencil[points.y % POINTS].x,
    stencil[points.z % POINTS].x,
    stencil[points.w % POINTS].x
  );
  let start = start_of(quad);
  var place = place_of(first, window.output);
  for (var k = first; k < min(first + UNITS, changed.width); k++) {
    let rows = place.x * window.stride.x + down * window.dilation.x - window.pad.x;
    let columns = place.y * window.stride.y + across * window.dilation.y - window.pad.y;
    let within = (rows < vec4u(window.input.x)) & (columns < vec4u(window.input.y));
    let at = maps_taken + select(vec4u(), rows * window.input.y + columns, within);
    let seen = select(vec4f(), vec4f(a[at.x], a[at.y], a[at.z], a[at.w]), within);
    let dz = nudges * select(seen, vec4f(1.0), is_bias);
    changes[k * ROW_QUADS + quad] = effect_on(samples, start + k, dz);
    place = next_place(place, window.output);
  }
  note_reach(quad);
}
