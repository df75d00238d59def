// Changes of what a max pool takes change its units. With the winner w of a window before, and the
// winner v behind, that is (x_v - x_w) + dx_v, which is the largest of (x_u - x_w) + dx_u over the
// window: x_u - x_w is exactly 0 where u is the winner still. Straight, the winner stays, as far as
// no other overtakes it. A thread takes four rows of changes and a few units. Twin of rows_maxpool()
// in src/method/map_twins.ts.

#import activation
#import rows
#import effect
#import row_quads
#import window

override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [batch, inputs + 1], what it takes
@group(0) @binding(1) var<storage, read> before: array<vec4f>; // [inputs, ROW_QUADS]

const UNITS = 16u; // of a thread

@compute @workgroup_size(WORKGROUP)
fn rows_maxpool(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var quad = id.x; 4u * quad < count_of_rows(); quad += groups.x * WORKGROUP) {
    if (has_rows(quad)) {
      pool_quad(quad, UNITS * id.y);
    }
  }
}

// What a window's cell takes: by how much it is less than the largest, and its change.
struct Seen {
  gap: vec4f,
  change: vec4f,
}

fn seen_at(quad: u32, input: u32, samples_taken: vec4u, before_first: u32, largest: vec4f) -> Seen {
  let at = samples_taken + input;
  var values = vec4f(a[at.x]);
  if (!ONE_SAMPLE) {
    values = vec4f(values.x, a[at.y], a[at.z], a[at.w]);
  }
  return Seen(largest - values, before[(input - before_first) * ROW_QUADS + quad]);
}

fn pool_quad(quad: u32, first: u32) {
  let samples = samples_of(responses_of(quad));
  let samples_taken = samples * (inputs_of_window() + 1u);
  let start = start_of(quad);
  let before_first = start_before(quad);
  let positions = window.output.x * window.output.y;
  let area = window.input.x * window.input.y;
  var map = (start + first) / positions * area;
  var place = place_of((start + first) % positions, window.output);
  for (var k = first; k < min(first + UNITS, changed.width); k++) {
    let unit = start + k;
    let at = samples * changed.units + unit;
    var largest = vec4f(companions[at.x].y);
    if (!ONE_SAMPLE) {
      largest = vec4f(largest.x, companions[at.y].y, companions[at.z].y, companions[at.w].y);
    }
    var of_winner = vec4f();
    var most = vec4f(-3e38);
    var is_found = vec4<bool>();
    for (var down = 0u; down < window.kernel.x; down++) {
      for (var across = 0u; across < window.kernel.y; across++) {
        let taken = place_taken(place, vec2u(down, across));
        if (is_within(taken, window.input)) {
          let input = map + taken.x * window.input.y + taken.y;
          let seen = seen_at(quad, input, samples_taken, before_first, largest);
          let is_largest = seen.gap <= vec4f();
          most = max(most, seen.change - seen.gap);
          of_winner = select(of_winner, seen.change, is_largest & !is_found);
          is_found = is_found | is_largest;
        }
      }
    }
    if (STRAIGHT) {
      for (var down = 0u; down < window.kernel.x; down++) {
        for (var across = 0u; across < window.kernel.y; across++) {
          let taken = place_taken(place, vec2u(down, across));
          if (is_within(taken, window.input)) {
            let input = map + taken.x * window.input.y + taken.y;
            let seen = seen_at(quad, input, samples_taken, before_first, largest);
            meet(seen.gap, seen.change - of_winner);
          }
        }
      }
    }
    let dz = select(most, of_winner, vec4<bool>(STRAIGHT));
    changes[k * ROW_QUADS + quad] = effect_on(samples, unit, dz);
    place = next_place(place, window.output);
    map += select(0u, area, place.x == window.output.x);
    place.x = select(place.x, 0u, place.x == window.output.x);
  }
  note_reach(quad);
}
