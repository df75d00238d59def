// One layer forward: activation([a, 1] W), one thread a unit and sample. Twin of dense() in
// src/cpu/forward.ts.

#import activation

override INPUTS: u32;
override OUTPUTS: u32;
override OFFSET: u32; // of the layer's matrix in the parameters

@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(1) var<storage, read> a: array<f32>; // [batch, INPUTS + 1]
@group(0) @binding(2) var<storage, read> nonzero: array<u32>; // [batch, ceil((INPUTS + 1) / 32)]
@group(0) @binding(3) var<storage, read_write> values: array<f32>; // [batch, OUTPUTS + 1]
@group(0) @binding(4) var<storage, read_write> companions: array<f32>; // [batch, OUTPUTS]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn dense(@builtin(global_invocation_id) id: vec3u) {
  let n = id.y;
  let j = id.x;
  let unit = min(j, OUTPUTS - 1u);
  let words = (INPUTS + 32u) / 32u;
  var z = 0.0;
  for (var word = 0u; word < words; word++) {
    var bits = nonzero[n * words + word];
    while (bits != 0u) {
      let i = 32u * word + firstTrailingBit(bits);
      bits &= bits - 1u;
      z = fma(a[n * (INPUTS + 1u) + i], parameters[OFFSET + i * OUTPUTS + unit], z);
    }
  }
  if (j < OUTPUTS) {
    values[n * (OUTPUTS + 1u) + j] = activate(z);
    companions[n * OUTPUTS + j] = companion(z);
  } else if (j == OUTPUTS) {
    values[n * (OUTPUTS + 1u) + j] = 1.0;
  }
}
