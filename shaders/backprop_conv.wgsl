// Backpropagation, for comparison only: derivative of the mean loss for each unit's input, from those
// of a convolution or an average pool that takes it, of a part of the lines of its sums at a time; what
// several layers take is summed up. A thread takes a block of a sample's units. Twin of
// backprop_conv() in src/method/window_twins.ts.

#import filter
#import origin
#import window
#import window_block

override ADD: bool; // to what is there
override LAST: bool; // the activation's derivative comes behind the last
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> companions: array<vec2f>; // [batch, inputs]: derivative, input
@group(0) @binding(1) var<storage, read> next_errors: array<f32>; // [batch, outputs]
@group(0) @binding(2) var<storage, read_write> errors: array<f32>; // [batch, inputs]

fn term_at(start: u32, place: vec2u, cell: vec2u) -> f32 {
  let at = place_given(place, cell);
  let within = is_within(at, window.output);
  let error = next_errors[start + select(0u, at.x * window.output.y + at.y, within)];
  return select(0.0, error * share_of(at), within);
}

fn store(row: u32, position: u32, sums: vec4f) {
  let positions = window.input.x * window.input.y;
  for (var k = 0u; k < min(4u, max(positions, position) - position); k++) {
    let at = row + position + k;
    var error = sums[k];
    if (ADD) {
      error += errors[at];
    }
    if (LAST) {
      error *= companions[at].x;
    }
    errors[at] = error;
  }
}

@compute @workgroup_size(WORKGROUP)
fn backprop_conv(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let n = id.y;
  let own = block_at(id.x, window.taken, window.input);
  if (own.group >= window.groups) {
    return;
  }
  let channels = channels_from(own.channel, window.taken);
  let near = places_from(own.position, window.input);
  let far = places_from(own.position + 4u, window.input);
  var tile = Tile();
  for (var line = window.first; line < window.behind; line++) {
    let on = line_of(line);
    let filter_at = own.group * window.given + on.x;
    let start = n * outputs_of_window() + filter_at * window.output.x * window.output.y;
    for (var across = 0u; across < window.kernel.y; across++) {
      let cell = vec2u(on.y, across);
      let weights = weights_at(weight_index(vec4u(filter_at), channels, cell));
      tile = add_to(tile, terms_at(start, near, cell), terms_at(start, far, cell), weights);
    }
  }
  for (var c = 0u; c < min(4u, window.taken - own.channel); c++) {
    let channel = own.group * window.taken + own.channel + c;
    let row = n * inputs_of_window() + channel * window.input.x * window.input.y;
    store(row, own.position, tile.near[c]);
    store(row, own.position + 4u, tile.far[c]);
  }
}
