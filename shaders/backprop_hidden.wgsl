// Backpropagation, for comparison only: derivative of the mean loss for each hidden unit's input,
// from those of the next layer. One thread a unit and sample.

#import origin

override INPUTS: u32; // of the next layer: the units at hand
override OUTPUTS: u32; // of the next layer
override OFFSET: u32; // of the next layer's matrix in the parameters

@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(1) var<storage, read> companions: array<vec2f>; // [batch, INPUTS]: derivative, input
@group(0) @binding(2) var<storage, read> next_errors: array<f32>; // [batch, OUTPUTS]
@group(0) @binding(3) var<storage, read_write> errors: array<f32>; // [batch, INPUTS]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn backprop_hidden(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let n = id.y;
  let i = min(id.x, INPUTS - 1u);
  var sum = 0.0;
  for (var j = 0u; j < OUTPUTS; j++) {
    sum = fma(parameters[OFFSET + i * OUTPUTS + j], next_errors[n * OUTPUTS + j], sum);
  }
  if (id.x < INPUTS) {
    errors[n * INPUTS + i] = companions[n * INPUTS + i].x * sum;
  }
}
