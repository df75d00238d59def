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

// What the sums of eight filters at four positions begin with: the biases, or the part before.
fn begin(n: u32, position: u32, low: vec4u, high: vec4u) -> Band {
  if (window.first == 0u) {
    if (!HAS_WEIGHTS) {
      return Band();
    }
    return Band(alike(weights_at(bias_index(low))), alike(weights_at(bias_index(high))));
  }
  return Band(four_sums_at(n, position, low), four_sums_at(n, position, high));
}

fn alike(columns: vec4f) -> mat4x4f {
  return mat4x4f(vec4f(columns.x), vec4f(columns.y), vec4f(columns.z), vec4f(columns.w));
}

// Where a filter's map starts.
fn row_of(n: u32, filter_at: u32) -> u32 {
  return n * (outputs_of_window() + 1u) + filter_at * window.output.x * window.output.y;
}

fn sums_at(row: u32, position: u32) -> vec4f {
  let last = window.output.x * window.output.y - 1u;
  let at = row + min(position + vec4u(0u, 1u, 2u, 3u), vec4u(last));
  return vec4f(values[at.x], values[at.y], values[at.z], values[at.w]);
}

fn four_sums_at(n: u32, position: u32, filters: vec4u) -> mat4x4f {
  return mat4x4f(
    sums_at(row_of(n, filters.x), position),
    sums_at(row_of(n, filters.y), position),
    sums_at(row_of(n, filters.z), position),
    sums_at(row_of(n, filters.w), position)
  );
}

fn store(row: u32, position: u32, sums: vec4f) {
  let positions = window.output.x * window.output.y;
  for (var k = 0u; k < min(4u, max(positions, position) - position); k++) {
    values[row + position + k] = sums[k];
  }
}

fn store_four(n: u32, position: u32, filters: vec4u, sums: mat4x4f) {
  store(row_of(n, filters.x), position, sums[0]);
  store(row_of(n, filters.y), position, sums[1]);
  store(row_of(n, filters.z), position, sums[2]);
  store(row_of(n, filters.w), position, sums[3]);
}

fn store_band(n: u32, position: u32, low: vec4u, high: vec4u, band: Band) {
  store_four(n, position, low, band.low);
  store_four(n, position, high, band.high);
}

fn shares_of(places: Places) -> vec4f {
  return vec4f(
    share_of(places.x),
    share_of(places.y),
    share_of(places.z),
    share_of(places.w)
  );
}

// The activation, for what was stored.
fn close(n: u32, filter_at: u32, position: u32) {
  let positions = window.output.x * window.output.y;
  let row = row_of(n, filter_at);
  let places = places_from(place_of(position, window.output), window.output);
  let z = sums_at(row, position) * shares_of(places);
  let value = activate(z);
  let slope = derivative(z);
  for (var k = 0u; k < min(4u, positions - position); k++) {
    values[row + position + k] = value[k];
    companions[row - n + position + k] = vec2f(slope[k], z[k]); // which have no 1 behind
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
  var band0 = begin(n, own.position, low, high);
  var band1 = begin(n, own.position + 4u, low, high);
  var band2 = begin(n, own.position + 8u, low, high);
  var band3 = begin(n, own.position + 12u, low, high);
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
  store_band(n, own.position, low, high, band0);
  store_band(n, own.position + 4u, low, high, band1);
  store_band(n, own.position + 8u, low, high, band2);
  store_band(n, own.position + 12u, low, high, band3);
  if (window.behind < window.taken * window.kernel.x) {
    return;
  }
  // An activation is much code to compile: it is there once, for what was stored.
  let positions = size.x * size.y;
  for (var c = own.channel; c < min(own.channel + CHANNELS, window.given); c++) {
    for (var p = own.position; p < min(own.position + POSITIONS, positions); p += 4u) {
      close(n, own.group * window.given + c, p);
    }
  }
  if (id.x == 0u) {
    values[n * (outputs_of_window() + 1u) + outputs_of_window()] = 1.0;
  }
}
