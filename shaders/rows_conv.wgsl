// Changes of maps go through a convolution, or an average pool. A thread takes four rows of changes
// and four units of four filters. Twin of rows_conv() in src/method/map_twins.ts.

#import activation
#import rows
#import effect
#import row_quads
#import window
#import filter

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

// One position's sums in four filters.
struct Sums {
  x: vec4f,
  y: vec4f,
  z: vec4f,
  w: vec4f,
}

fn add_to(sums: Sums, dx: vec4f, weights: vec4f) -> Sums {
  return Sums(
    fma(dx, vec4f(weights.x), sums.x),
    fma(dx, vec4f(weights.y), sums.y),
    fma(dx, vec4f(weights.z), sums.z),
    fma(dx, vec4f(weights.w), sums.w)
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
  // Filters of four at a time are of one group.
  let given = min(window.given, filters_changed);
  let fours = (given + 3u) / 4u;
  let four = tile / along;
  let group = first_filter / window.given + four / fours;
  let first_of_group = max(group * window.given, first_filter);
  let filter_at = first_of_group + 4u * (four % fours);
  let behind_group = min((group + 1u) * window.given, first_filter + filters_changed);
  if (filter_at >= behind_group) {
    return;
  }
  let filters = min(filter_at + vec4u(0u, 1u, 2u, 3u), vec4u(behind_group - 1u));
  let position = 4u * (tile % along);
  let places = min(position + vec4u(0u, 1u, 2u, 3u), vec4u(positions - 1u));
  let place0 = place_of(places.x, window.output);
  let place1 = place_of(places.y, window.output);
  let place2 = place_of(places.z, window.output);
  let place3 = place_of(places.w, window.output);
  // Of the group's maps those that change.
  let before_first = start_before(quad) / area;
  let before_behind = before_first + changed.inputs / area;
  let map_first = max(group * window.taken, before_first);
  let map_behind = min((group + 1u) * window.taken, before_behind);
  var sums0 = Sums();
  var sums1 = Sums();
  var sums2 = Sums();
  var sums3 = Sums();
  for (var map = map_first; map < map_behind; map++) {
    let map_at = (map - before_first) * area;
    for (var down = 0u; down < window.kernel.x; down++) {
      for (var across = 0u; across < window.kernel.y; across++) {
        let cell = vec2u(down, across);
        let weights = weights_at(weight_index(filters, vec4u(map - group * window.taken), cell));
        sums0 = add_to(sums0, seen_by(quad, map_at, place0, cell), weights);
        sums1 = add_to(sums1, seen_by(quad, map_at, place1, cell), weights);
        sums2 = add_to(sums2, seen_by(quad, map_at, place2, cell), weights);
        sums3 = add_to(sums3, seen_by(quad, map_at, place3, cell), weights);
      }
    }
  }
  store(quad, filters - first_filter, position, sums0, share_of(place0));
  store(quad, filters - first_filter, position + 1u, sums1, share_of(place1));
  store(quad, filters - first_filter, position + 2u, sums2, share_of(place2));
  store(quad, filters - first_filter, position + 3u, sums3, share_of(place3));
  // An activation is much code to compile: it is there once, for what was stored.
  let samples = samples_of(responses_of(quad));
  for (var c = filter_at; c < min(filter_at + 4u, behind_group); c++) {
    for (var k = position; k < min(position + 4u, positions); k++) {
      let unit = c * positions + k;
      let at = (unit - start) * ROW_QUADS + quad;
      changes[at] = effect_on(samples, unit, changes[at]);
    }
  }
  note_reach(quad);
}

fn store(quad: u32, filters: vec4u, position: u32, sums: Sums, share: f32) {
  let positions = window.output.x * window.output.y;
  if (position >= positions) {
    return;
  }
  let at = (filters * positions + position) * ROW_QUADS + quad;
  // Beyond the last filter that again: the same sums.
  changes[at.x] = share * sums.x;
  changes[at.y] = share * sums.y;
  changes[at.z] = share * sums.z;
  changes[at.w] = share * sums.w;
}
