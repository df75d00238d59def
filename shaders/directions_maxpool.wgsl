// Random directions as exact differences: a max pool whose winner was w and is v changes by
// (x_v - x_w) + dx_v, and where the winner stays by dx_w alone. The first of equals wins, before and
// after. One thread an output, sample and query, for both points w + h d and w - h d. Twin of
// directions_maxpool() in src/method/window_twins.ts.

#import activation
#import origin
#import window
#import winner

override BATCH: u32;
override UNITS: u32; // of all layers
override BEFORE: u32; // where the units that it takes start
override AFTER: u32; // where its own units start
override FIRST: bool; // whether it takes the data, which no nudge changes
override WORKGROUP: u32;

@group(0) @binding(3) var<storage, read> winners: array<u32>; // [BATCH, outputs], inputs of the sample
@group(0) @binding(4) var<storage, read> values: array<f32>; // [BATCH, outputs + 1]
@group(0) @binding(5) var<storage, read> companions: array<vec2f>; // [BATCH, outputs]: derivative, input
@group(0) @binding(6) var<storage, read_write> changes: array<vec2f>; // [queries, BATCH, units of all layers]
@group(0) @binding(7) var<storage, read> a: array<f32>; // [BATCH, inputs + 1]

// The largest so far of a window whose inputs have moved.
struct Largest {
  input: u32,
  x: f32,
  dx: f32,
}

fn larger(known: Largest, other: Largest, found: bool) -> Largest {
  let wins = !found || beats(other.x, other.dx, known.x, known.dx);
  return Largest(
    select(known.input, other.input, wins),
    select(known.x, other.x, wins),
    select(known.dx, other.dx, wins)
  );
}

fn change_of(after: Largest, winner: u32, x: f32) -> f32 {
  return select(lead_of(after.x, x) + after.dx, after.dx, after.input == winner);
}

@compute @workgroup_size(WORKGROUP)
fn directions_maxpool(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let n = id.y;
  let outputs = outputs_of_window();
  if (id.x >= outputs) {
    return;
  }
  let row = (id.z * BATCH + n) * UNITS;
  if (FIRST) {
    changes[row + AFTER + id.x] = vec2f();
    return;
  }
  let positions = window.output.x * window.output.y;
  let place = place_of(id.x % positions, window.output);
  let map = id.x / positions * window.input.x * window.input.y;
  let of_sample = n * (inputs_of_window() + 1u);
  var ahead = Largest();
  var behind = Largest();
  var found = false;
  for (var down = 0u; down < window.kernel.x; down++) {
    for (var across = 0u; across < window.kernel.y; across++) {
      let at = place_taken(place, vec2u(down, across));
      if (is_within(at, window.input)) {
        let input = map + at.x * window.input.y + at.y;
        let x = a[of_sample + input];
        let dx = changes[row + BEFORE + input];
        ahead = larger(ahead, Largest(input, x, dx.x), found);
        behind = larger(behind, Largest(input, x, dx.y), found);
        found = true;
      }
    }
  }
  let winner = winners[n * outputs + id.x];
  let x = a[of_sample + winner];
  let dz = vec2f(change_of(ahead, winner, x), change_of(behind, winner, x));
  let saved = companions[n * outputs + id.x];
  let value = vec4f(values[n * (outputs + 1u) + id.x]);
  changes[row + AFTER + id.x] = change(value, vec4f(saved.x), vec4f(saved.y), dz.xyxy).xy;
}
