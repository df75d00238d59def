// Changes of maps go through a convolution, or an average pool. A thread takes four rows of changes
// and four units of a few filters. Twin of rows_conv() in src/method/map_twins.ts.

#import activation
#import rows
#import effect
#import row_quads
#import window
#import filter
#import outer_sum

override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> before: array<vec4f>; // [inputs, ROW_QUADS]

@compute @workgroup_size(WORKGROUP)
fn rows_conv(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var quad = id.x; 4u * quad < count_of_rows(); quad += groups.x * WORKGROUP) {
    if (has_rows(quad)) {
      convolve_quad(quad, id.y);
    }
  }
}

override FOURS: u32; // of filters that a thread takes, at most four

// Sums of four positions in four filters.
struct Tile {
  x: mat4x4f,
  y: mat4x4f,
  z: mat4x4f,
  w: mat4x4f,
}

struct Places {
  x: vec2u,
  y: vec2u,
  z: vec2u,
  w: vec2u,
}

fn add_to(tile: Tile, seen: mat4x4f, weights: vec4f) -> Tile {
  return Tile(
    outer_sum(tile.x, seen[0], weights),
    outer_sum(tile.y, seen[1], weights),
    outer_sum(tile.z, seen[2], weights),
    outer_sum(tile.w, seen[3], weights)
  );
}

fn convolve_quad(quad: u32, tile: u32) {
  let positions = window.output.x * window.output.y;
  let area = window.input.x * window.input.y;
  let along = (positions + 3u) / 4u;
  let start = start_of(quad);
  let first_filter = start / positions;
  let filters_changed = changed.width / positions;
  // A thread's filters are of one group.
  let of_group = (window.given + 4u * FOURS - 1u) / (4u * FOURS);
  let four = tile / along;
  let group = first_filter / window.given + four / of_group;
  let behind_group = min((group + 1u) * window.given, first_filter + filters_changed);
  let filter_at = group * window.given + 4u * FOURS * (four % of_group);
  let position = 4u * (tile - four * along);
  let first = place_of(position, window.output);
  let second = next_place(first, window.output);
  let third = next_place(second, window.output);
  let places = Places(first, second, third, next_place(third, window.output));
  // Where the four windows begin; what is padding is beyond the maps, as numbers wrap around.
  let tops = vec4u(first.x, second.x, third.x, places.w.x) * window.stride.x - window.pad.x;
  let lefts = vec4u(first.y, second.y, third.y, places.w.y) * window.stride.y - window.pad.y;
  // Of the group's maps those that change.
  let before_first = start_before(quad) / area;
  let map_first = max(group * window.taken, before_first);
  let map_behind = min((group + 1u) * window.taken, before_first + changed.inputs / area);
  let filters = filter_at + vec4u(0u, 1u, 2u, 3u);
  let weights0 = first_weights(filters, behind_group);
  let weights1 = first_weights(filters + 4u, behind_group);
  let weights2 = first_weights(filters + 8u, behind_group);
  let weights3 = first_weights(filters + 12u, behind_group);
  var tile0 = Tile();
  var tile1 = Tile();
  var tile2 = Tile();
  var tile3 = Tile();
  // One loop over maps and cells: software devices pay for each that they enter.
  let cells = window.kernel.x * window.kernel.y;
  var map_at = (map_first - before_first) * area;
  var weight = (map_first - group * window.taken) * cells;
  var cell = vec2u();
  for (var left = cells * (max(map_behind, map_first) - map_first); left > 0u; left--) {
    let rows = tops + cell.x * window.dilation.x;
    let columns = lefts + cell.y * window.dilation.y;
    let within = (rows < vec4u(window.input.x)) & (columns < vec4u(window.input.y));
    let at = map_at + select(vec4u(), rows * window.input.y + columns, within);
    let lines = at * ROW_QUADS + quad;
    let seen = mat4x4f(
      select(vec4f(), before[lines.x], within.x),
      select(vec4f(), before[lines.y], within.y),
      select(vec4f(), before[lines.z], within.z),
      select(vec4f(), before[lines.w], within.w)
    );
    tile0 = add_to(tile0, seen, weights_at(weights0 + weight));
    if (FOURS > 1u) {
      tile1 = add_to(tile1, seen, weights_at(weights1 + weight));
    }
    if (FOURS > 2u) {
      tile2 = add_to(tile2, seen, weights_at(weights2 + weight));
    }
    if (FOURS > 3u) {
      tile3 = add_to(tile3, seen, weights_at(weights3 + weight));
    }
    weight += 1u;
    cell = next_place(cell, window.kernel);
    let is_over = cell.x == window.kernel.x;
    cell.x = select(cell.x, 0u, is_over);
    map_at += select(0u, area, is_over);
  }
  let behind = behind_group - first_filter;
  store(quad, filter_at - first_filter, behind, position, places, tile0);
  if (FOURS > 1u) {
    store(quad, filter_at + 4u - first_filter, behind, position, places, tile1);
  }
  if (FOURS > 2u) {
    store(quad, filter_at + 8u - first_filter, behind, position, places, tile2);
  }
  if (FOURS > 3u) {
    store(quad, filter_at + 12u - first_filter, behind, position, places, tile3);
  }
  // An activation is much code to compile: it is there once, for what was stored.
  let samples = samples_of(responses_of(quad));
  for (var c = filter_at; c < min(filter_at + 4u * FOURS, behind_group); c++) {
    for (var k = position; k < min(position + 4u, positions); k++) {
      let unit = c * positions + k;
      let at = (unit - start) * ROW_QUADS + quad;
      changes[at] = effect_on(samples, unit, changes[at]);
    }
  }
  note_reach(quad);
}

// Where filters have their first weights; beyond the last, that again.
fn first_weights(filters: vec4u, behind: u32) -> vec4u {
  return window.offset + min(filters, vec4u(behind - 1u)) * weights_of_filter();
}

// Sums from a filter's and a position's on, as far as there are of the group.
fn store(quad: u32, filter_at: u32, behind: u32, position: u32, places: Places, tile: Tile) {
  store_position(quad, filter_at, behind, position, share_of(places.x) * tile.x);
  store_position(quad, filter_at, behind, position + 1u, share_of(places.y) * tile.y);
  store_position(quad, filter_at, behind, position + 2u, share_of(places.z) * tile.z);
  store_position(quad, filter_at, behind, position + 3u, share_of(places.w) * tile.w);
}

fn store_position(quad: u32, filter_at: u32, behind: u32, position: u32, sums: mat4x4f) {
  let filters = filter_at + vec4u(0u, 1u, 2u, 3u);
  let at = places_in_changes(quad, filters, behind, position);
  changes[at.x] = sums[0];
  changes[at.y] = sums[1];
  changes[at.z] = sums[2];
  changes[at.w] = sums[3];
}

// Where units' changes are. Those beyond the group's last share a place behind all, as a condition for
// each would take some compilers minutes.
fn places_in_changes(quad: u32, filters: vec4u, behind: u32, position: u32) -> vec4u {
  let positions = window.output.x * window.output.y;
  let are_there = filters < vec4u(select(0u, behind, position < positions));
  let units = select(vec4u(changed.width), filters * positions + position, are_there);
  return units * ROW_QUADS + quad;
}
