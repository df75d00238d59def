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
  for (var k = 0u; k < min(4u, positions - position); k++) {
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
  let low = channels_from(own.channel, window.taken);
  let high = channels_from(own.channel + 4u, window.taken);
  let size = window.input;
  let places0 = places_from(place_of(own.position, size), size);
  let places1 = places_from(next_place(places0.w, size), size);
  let places2 = places_from(next_place(places1.w, size), size);
  let places3 = places_from(next_place(places2.w, size), size);
  var band0 = Band();
  var band1 = Band();
  var band2 = Band();
  var band3 = Band();
  var on = line_of(window.first);
  for (var line = window.first; line < window.behind; line++) {
    let filter_at = own.group * window.given + on.x;
    let start = n * outputs_of_window() + filter_at * window.output.x * window.output.y;
    for (var across = 0u; across < window.kernel.y; across++) {
      let cell = vec2u(on.y, across);
      let weights_low = weights_at(weight_index(vec4u(filter_at), low, cell));
      let weights_high = weights_at(weight_index(vec4u(filter_at), high, cell));
      band0 = add_to(band0, terms_at(start, places0, cell), weights_low, weights_high);
      band1 = add_to(band1, terms_at(start, places1, cell), weights_low, weights_high);
      band2 = add_to(band2, terms_at(start, places2, cell), weights_low, weights_high);
      band3 = add_to(band3, terms_at(start, places3, cell), weights_low, weights_high);
    }
    on = next_line(on);
  }
  var tile = array<Band, 4>(band0, band1, band2, band3);
  for (var c = 0u; c < min(CHANNELS, window.taken - own.channel); c++) {
    let map = (own.group * window.taken + own.channel + c) * size.x * size.y;
    for (var p = own.position; p < min(own.position + POSITIONS, size.x * size.y); p += 4u) {
      store(n * inputs_of_window() + map, p, sums_of(&tile, (p - own.position) / 4u, c));
    }
  }
}
