// Backpropagation, for comparison only: derivative of the mean loss for each unit's input, from
// those of a layer that takes it; what several layers take is summed up, one at a time. One thread a
// unit and sample.

#import origin

override WIDTH: u32; // of the layer at hand
override OUTPUTS: u32; // of the layer that takes it
override OFFSET: u32; // of its matrix in the parameters
override DENSE: bool; // whether it is a dense layer, or else a sum
override ADD: bool; // to what other layers gave
override LAST: bool; // the activation's derivative comes behind the last

@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(1) var<storage, read> companions: array<vec2f>; // [batch, WIDTH]: derivative, input
@group(0) @binding(2) var<storage, read> next_errors: array<f32>; // [batch, OUTPUTS]
@group(0) @binding(3) var<storage, read_write> errors: array<f32>; // [batch, WIDTH]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn backprop_hidden(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let n = id.y;
  let i = min(id.x, WIDTH - 1u);
  var sum = 0.0;
  if (DENSE) {
    for (var j = 0u; j < OUTPUTS; j++) {
      sum = fma(parameters[OFFSET + i * OUTPUTS + j], next_errors[n * OUTPUTS + j], sum);
    }
  } else {
    sum = next_errors[n * WIDTH + i];
  }
  if (id.x < WIDTH) {
    let at = n * WIDTH + i;
    if (ADD) {
      sum += errors[at];
    }
    if (LAST) {
      sum *= companions[at].x;
    }
    errors[at] = sum;
  }
}
