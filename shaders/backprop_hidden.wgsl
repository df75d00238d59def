// Backpropagation, for comparison only: derivative of the mean loss for each hidden unit's input,
// from those of the next layer. One thread a unit and sample.

#import activation
#import origin

override INPUTS: u32; // of the next layer: the units at hand
override OUTPUTS: u32; // of the next layer
override OFFSET: u32; // of the next layer's matrix in the parameters

@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(1) var<storage, read> values: array<f32>; // [batch, INPUTS + 1]
@group(0) @binding(2) var<storage, read> companions: array<f32>; // [batch, INPUTS]
@group(0) @binding(3) var<storage, read> next_errors: array<f32>; // [batch, OUTPUTS]
@group(0) @binding(4) var<storage, read_write> errors: array<f32>; // [batch, INPUTS]

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
    let value = vec4f(values[n * (INPUTS + 1u) + i]);
    let slope = derivative(value, vec4f(companions[n * INPUTS + i]));
    errors[n * INPUTS + i] = slope.x * sum;
  }
}
