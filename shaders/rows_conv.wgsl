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

// A channel's change where a cell of the window of a place sees it, of the maps from `map` on.
fn seen_by(quad: u32, map: u32, place: vec2u, cell: vec2u) -> vec4f {
  let taken = place_taken(place, cell);
  let within = is_within(taken, window.input);
  let at = map + select(0u, taken.x * window.input.y + taken.y, within);
  return select(vec4f(), before[at * ROW_QUADS + quad], within);
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
  if (filter_at >= behind_group) {
    return;
  }
  let position = 4u * (tile - four * along);
  let first = place_of(position, window.output);
  let second = next_place(first, window.output);
  let third = next_place(second, window.output);
  let places = Places(first, second, third, next_place(third, window.output));
  // Of the group's maps those that change.
  let before_first = start_before(quad) / area;
  let map_first = max(group * window.taken, before_first);
  let map_behind = min((group + 1u) * window.taken, before_first + changed.inputs / area);
  var tile0 = Tile();
  var tile1 = Tile();
  var tile2 = Tile();
  var tile3 = Tile();
  for (var map = map_first; map < map_behind; map++) {
    let map_at = (map - before_first) * area;
    for (var down = 0u; down < window.kernel.x; down++) {
      for (var across = 0u; across < window.kernel.y; across++) {
        let cell = vec2u(down, across);
        let seen = mat4x4f(
          seen_by(quad, map_at, places.x, cell),
          seen_by(quad, map_at, places.y, cell),
          seen_by(quad, map_at, places.z, cell),
          seen_by(quad, map_at, places.w, cell)
        );
        let channel = map - group * window.taken;
        tile0 = add_to(tile0, seen, weights_of(filter_at, behind_group, channel, cell));
        if (FOURS > 1u) {
          tile1 = add_to(tile1, seen, weights_of(filter_at + 4u, behind_group, channel, cell));
        }
        if (FOURS > 2u) {
          tile2 = add_to(tile2, seen, weights_of(filter_at + 8u, behind_group, channel, cell));
        }
        if (FOURS > 3u) {
          tile3 = add_to(tile3, seen, weights_of(filter_at + 12u, behind_group, channel, cell));
        }
      }
    }
  }
  store(quad, filter_at - first_filter, position, places, tile0);
  if (FOURS > 1u) {
    store(quad, filter_at + 4u - first_filter, position, places, tile1);
  }
  if (FOURS > 2u) {
    store(quad, filter_at + 8u - first_filter, position, places, tile2);
  }
  if (FOURS > 3u) {
    store(quad, filter_at + 12u - first_filter, position, places, tile3);
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

fn weights_of(filter_at: u32, behind: u32, channel: u32, cell: vec2u) -> vec4f {
  let filters = min(filter_at + vec4u(0u, 1u, 2u, 3u), vec4u(behind - 1u));
  return weights_at(weight_index(filters, vec4u(channel), cell));
}

// Sums from a filter's and a position's on, as far as there are.
fn store(quad: u32, filter_at: u32, position: u32, places: Places, tile: Tile) {
  store_position(quad, filter_at, position, share_of(places.x) * tile.x);
  store_position(quad, filter_at, position + 1u, share_of(places.y) * tile.y);
  store_position(quad, filter_at, position + 2u, share_of(places.z) * tile.z);
  store_position(quad, filter_at, position + 3u, share_of(places.w) * tile.w);
}

fn store_position(quad: u32, filter_at: u32, position: u32, sums: mat4x4f) {
  let positions = window.output.x * window.output.y;
  if (position >= positions) {
    return;
  }
  for (var i = 0u; i < 4u; i++) {
    if ((filter_at + i) * positions < changed.width) {
      changes[((filter_at + i) * positions + position) * ROW_QUADS + quad] = sums[i];
    }
  }
}
