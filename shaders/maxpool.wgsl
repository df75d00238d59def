// A max pool forward, and the activation behind: which input of each window is the largest, the first
// of equals. One thread an output of a sample. Twin of maxpool() in src/method/window_twins.ts.

#import activation
#import window

override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [batch, inputs + 1]
@group(0) @binding(1) var<storage, read_write> values: array<f32>; // [batch, outputs + 1]
@group(0) @binding(2) var<storage, read_write> companions: array<vec2f>; // [batch, outputs]: derivative, input
@group(0) @binding(4) var<storage, read_write> winners: array<u32>; // [batch, outputs], inputs of the sample

@compute @workgroup_size(WORKGROUP)
fn maxpool(@builtin(global_invocation_id) id: vec3u) {
  let n = id.y;
  let outputs = outputs_of_window();
  if (id.x >= outputs) {
    return;
  }
  let positions = window.output.x * window.output.y;
  let place = place_of(id.x % positions, window.output);
  let row = n * (inputs_of_window() + 1u);
  let start = id.x / positions * window.input.x * window.input.y;
  var winner = 0u;
  var largest = 0.0;
  var found = false;
  for (var down = 0u; down < window.kernel.x; down++) {
    for (var across = 0u; across < window.kernel.y; across++) {
      let at = place_taken(place, vec2u(down, across));
      if (is_within(at, window.input)) {
        let input = start + at.x * window.input.y + at.y;
        let value = a[row + input];
        let wins = !found || value > largest;
        winner = select(winner, input, wins);
        largest = select(largest, value, wins);
        found = true;
      }
    }
  }
  let z = vec4f(largest);
  values[n * (outputs + 1u) + id.x] = activate(z).x;
  companions[n * outputs + id.x] = vec2f(derivative(z).x, largest);
  winners[n * outputs + id.x] = winner;
  if (id.x == 0u) {
    values[n * (outputs + 1u) + outputs] = 1.0;
  }
}
