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

fn pool_quad(quad: u32, first: u32) {
  let samples = samples_of(responses_of(quad));
  let values_taken = samples * (inputs_of_window() + 1u);
  let start = start_of(quad);
  let before_first = start_before(quad);
  let positions = window.output.x * window.output.y;
  for (var k = first; k < min(first + UNITS, changed.width); k++) {
    let unit = start + k;
    let map = unit / positions * window.input.x * window.input.y;
    let place = place_of(unit % positions, window.output);
    let at = samples * changed.units + unit;
    let largest = vec4f(companions[at.x].y, companions[at.y].y, companions[at.z].y, companions[at.w].y);
    var of_winner = vec4f();
    var most = vec4f(-3e38);
    var is_found = vec4<bool>();
    for (var cell = 0u; cell < window.kernel.x * window.kernel.y; cell++) {
      let taken = place_taken(place, place_of(cell, window.kernel));
      if (is_within(taken, window.input)) {
        let input = map + taken.x * window.input.y + taken.y;
        let values_at = values_taken + input;
        let gap = largest - vec4f(a[values_at.x], a[values_at.y], a[values_at.z], a[values_at.w]);
        let dx = before[(input - before_first) * ROW_QUADS + quad];
        most = max(most, dx - gap);
        of_winner = select(of_winner, dx, (gap <= vec4f()) & !is_found);
        is_found = is_found | (gap <= vec4f());
      }
    }
    if (STRAIGHT) {
      for (var cell = 0u; cell < window.kernel.x * window.kernel.y; cell++) {
        let taken = place_taken(place, place_of(cell, window.kernel));
        if (is_within(taken, window.input)) {
          let input = map + taken.x * window.input.y + taken.y;
          let values_at = values_taken + input;
          let gap = largest - vec4f(a[values_at.x], a[values_at.y], a[values_at.z], a[values_at.w]);
          meet(gap, before[(input - before_first) * ROW_QUADS + quad] - of_winner);
        }
      }
    }
    let dz = select(most, of_winner, vec4<bool>(STRAIGHT));
    changes[k * ROW_QUADS + quad] = effect_on(samples, unit, dz);
  }
  note_reach(quad);
}
