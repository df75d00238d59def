// Backpropagation, for comparison only: derivative of the mean loss for each unit's input, from those
// of a max pool that takes it: of every window whose largest it is. What several layers take is summed
// up. One thread a unit and sample. Twin of backprop_maxpool() in src/method/window_twins.ts.

#import window

override ADD: bool; // to what is there
override LAST: bool; // the activation's derivative comes behind the last
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> companions: array<vec2f>; // [batch, inputs]: derivative, input
@group(0) @binding(1) var<storage, read> next_errors: array<f32>; // [batch, outputs]
@group(0) @binding(2) var<storage, read_write> errors: array<f32>; // [batch, inputs]
@group(0) @binding(4) var<storage, read> winners: array<u32>; // [batch, outputs], inputs of the sample

@compute @workgroup_size(WORKGROUP)
fn backprop_maxpool(@builtin(global_invocation_id) id: vec3u) {
  let n = id.y;
  if (id.x >= inputs_of_window()) {
    return;
  }
  let positions = window.input.x * window.input.y;
  let place = place_of(id.x % positions, window.input);
  let start = n * outputs_of_window() + id.x / positions * window.output.x * window.output.y;
  var sum = 0.0;
  // The first and the last output whose windows reach so far.
  let reach = (window.kernel - 1u) * window.dilation;
  let first = (max(place + window.pad, reach) - reach + window.stride - 1u) / window.stride;
  let last = min((place + window.pad) / window.stride, window.output - 1u);
  for (var down = first.x; down <= last.x; down++) {
    for (var across = first.y; across <= last.y; across++) {
      let output = start + down * window.output.y + across;
      sum += select(0.0, next_errors[output], winners[output] == id.x);
    }
  }
  let at = n * inputs_of_window() + id.x;
  if (ADD) {
    sum += errors[at];
  }
  if (LAST) {
    sum *= companions[at].x;
  }
  errors[at] = sum;
}
