// A convolution or an average pool forward, of a part of the lines of its sums at a time, and the
// activation behind the last. A thread takes a block of a sample's outputs. Twin of conv() in
// src/method/window_twins.ts.

#import activation
#import filter
#import origin
#import window
#import window_block

override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [batch, inputs + 1]
@group(0) @binding(1) var<storage, read_write> values: array<f32>; // [batch, outputs + 1], sums until all lines are in
@group(0) @binding(2) var<storage, read_write> companions: array<vec2f>; // [batch, outputs]: derivative, input

fn term_at(start: u32, place: vec2u, cell: vec2u) -> f32 {
  let at = place_taken(place, cell);
  let within = is_within(at, window.input);
  let value = a[start + select(0u, at.x * window.input.y + at.y, within)];
  return select(0.0, value, within);
}

fn shares_of(places: Places) -> vec4f {
  return vec4f(
    share_of(places.x),
    share_of(places.y),
    share_of(places.z),
    share_of(places.w)
  );
}

// What a filter's sums at four positions are added to: the bias, or the part before.
fn before(row: u32, position: u32, filter_at: u32) -> vec4f {
  if (window.first > 0u) {
    let last = window.output.x * window.output.y - 1u;
    let at = row + min(position + vec4u(0u, 1u, 2u, 3u), vec4u(last));
    return vec4f(values[at.x], values[at.y], values[at.z], values[at.w]);
  }
  if (HAS_WEIGHTS) {
    return vec4f(weights_at(bias_index(vec4u(filter_at))).x);
  }
  return vec4f();
}

// What is left of four sums of a filter.
fn close(n: u32, filter_at: u32, position: u32, sums: vec4f) {
  let positions = window.output.x * window.output.y;
  let row = n * (outputs_of_window() + 1u) + filter_at * positions;
  var value = before(row, position, filter_at) + sums;
  let there = min(4u, positions - position);
  if (window.behind == window.taken * window.kernel.x) {
    let places = places_from(place_of(position, window.output), window.output);
    let z = value * shares_of(places);
    value = activate(z);
    let slope = derivative(z);
    for (var k = 0u; k < there; k++) {
      companions[row - n + position + k] = vec2f(slope[k], z[k]); // which have no 1 behind
    }
  }
  for (var k = 0u; k < there; k++) {
    values[row + position + k] = value[k];
  }
}

@compute @workgroup_size(WORKGROUP)
fn conv(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let n = id.y;
  let own = block_at(id.x, window.given, window.output);
  if (own.group >= window.groups) {
    return;
  }
  let low = own.group * window.given + channels_from(own.channel, window.given);
  let high = own.group * window.given + channels_from(own.channel + 4u, window.given);
  let size = window.output;
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
    let channel = own.group * window.taken + on.x;
    let start = n * (inputs_of_window() + 1u) + channel * window.input.x * window.input.y;
    for (var across = 0u; across < window.kernel.y; across++) {
      let cell = vec2u(on.y, across);
      let weights_low = weights_at(weight_index(low, vec4u(on.x), cell));
      let weights_high = weights_at(weight_index(high, vec4u(on.x), cell));
      band0 = add_to(band0, terms_at(start, places0, cell), weights_low, weights_high);
      band1 = add_to(band1, terms_at(start, places1, cell), weights_low, weights_high);
      band2 = add_to(band2, terms_at(start, places2, cell), weights_low, weights_high);
      band3 = add_to(band3, terms_at(start, places3, cell), weights_low, weights_high);
    }
    on = next_line(on);
  }
  // An activation is much code to compile: it is there once.
  var tile = array<Band, 4>(band0, band1, band2, band3);
  for (var c = 0u; c < min(CHANNELS, window.given - own.channel); c++) {
    let filter_at = own.group * window.given + own.channel + c;
    for (var p = own.position; p < min(own.position + POSITIONS, size.x * size.y); p += 4u) {
      close(n, filter_at, p, sums_of(&tile, (p - own.position) / 4u, c));
    }
  }
  if (id.x == 0u) {
    values[n * (outputs_of_window() + 1u) + outputs_of_window()] = 1.0;
  }
}
