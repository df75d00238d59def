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

// What the sums of four positions of four filters begin with: the biases, or the part before.
fn begin(rows: vec4u, position: u32, filters: vec4u) -> mat4x4f {
  if (window.first == 0u) {
    if (!HAS_WEIGHTS) {
      return mat4x4f();
    }
    let biases = weights_at(bias_index(filters));
    return mat4x4f(vec4f(biases.x), vec4f(biases.y), vec4f(biases.z), vec4f(biases.w));
  }
  return mat4x4f(
    sums_at(rows.x, position),
    sums_at(rows.y, position),
    sums_at(rows.z, position),
    sums_at(rows.w, position)
  );
}

fn positions_from(position: u32) -> vec4u {
  return min(position + vec4u(0u, 1u, 2u, 3u), vec4u(window.output.x * window.output.y - 1u));
}

fn sums_at(row: u32, position: u32) -> vec4f {
  let at = row + positions_from(position);
  return vec4f(values[at.x], values[at.y], values[at.z], values[at.w]);
}

fn store(row: u32, position: u32, sums: vec4f) {
  let positions = window.output.x * window.output.y;
  for (var k = 0u; k < min(4u, max(positions, position) - position); k++) {
    values[row + position + k] = sums[k];
  }
}

fn store_four(rows: vec4u, position: u32, sums: mat4x4f) {
  store(rows.x, position, sums[0]);
  store(rows.y, position, sums[1]);
  store(rows.z, position, sums[2]);
  store(rows.w, position, sums[3]);
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
  let row = n * (outputs_of_window() + 1u) + filter_at * positions;
  let z = sums_at(row, position) * shares_of(places_from(position, window.output));
  let value = activate(z);
  let slope = derivative(z);
  for (var k = 0u; k < min(4u, positions - position); k++) {
    values[row + position + k] = value[k];
    companions[n * outputs_of_window() + filter_at * positions + position + k] =
      vec2f(slope[k], z[k]);
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
  let filters = own.group * window.given + channels_from(own.channel, window.given);
  let positions = window.output.x * window.output.y;
  let rows = n * (outputs_of_window() + 1u) + filters * positions;
  let near = places_from(own.position, window.output);
  let far = places_from(own.position + 4u, window.output);
  var tile = Tile(
    begin(rows, own.position, filters),
    begin(rows, own.position + 4u, filters)
  );
  for (var line = window.first; line < window.behind; line++) {
    let on = line_of(line);
    let channel = own.group * window.taken + on.x;
    let start = n * (inputs_of_window() + 1u) + channel * window.input.x * window.input.y;
    for (var across = 0u; across < window.kernel.y; across++) {
      let cell = vec2u(on.y, across);
      let weights = weights_at(weight_index(filters, vec4u(on.x), cell));
      tile = add_to(tile, terms_at(start, near, cell), terms_at(start, far, cell), weights);
    }
  }
  store_four(rows, own.position, tile.near);
  store_four(rows, own.position + 4u, tile.far);
  if (window.behind < window.taken * window.kernel.x) {
    return;
  }
  // An activation is much code to compile: it is there once, for what was stored.
  for (var c = own.channel; c < min(own.channel + 4u, window.given); c++) {
    for (var p = own.position; p < min(own.position + POSITIONS, positions); p += 4u) {
      close(n, own.group * window.given + c, p);
    }
  }
  if (id.x == 0u) {
    values[n * (outputs_of_window() + 1u) + outputs_of_window()] = 1.0;
  }
}
