// How strongly a convolution's channel acts on each unit of the layer behind its maps: the Euclidean
// norm of the weights between. No unit's input moves by more than that times the norm of what moves in
// the map (Cauchy and Schwarz). A thread takes a channel and a unit. Twin of strengths() in
// src/method/superposition_twins.ts.

#import special
#import superposed

override OFFSET: u32; // of the matrix of the layer behind
override CHANNELS: u32;
override AREA: u32; // pooled units of a channel
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> parameters: array<f32>;
@group(0) @binding(1) var<storage, read_write> strengths: array<f32>; // [CHANNELS, BETWEEN]

@compute @workgroup_size(WORKGROUP)
fn strengths_of(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var index = id.x; index < CHANNELS * BETWEEN; index += groups.x * WORKGROUP) {
    let channel = index / BETWEEN;
    let unit = index % BETWEEN;
    let first = OFFSET + channel * AREA * BETWEEN + unit;
    var largest = 0.0;
    for (var p = 0u; p < AREA; p++) {
      largest = max(largest, abs(parameters[first + p * BETWEEN]));
    }
    // In shares of the largest, so that no square overflows, and none that counts is lost.
    let scale = max(largest, 1e-30);
    let share = quotient(vec4f(1.0), vec4f(scale)).x;
    var sum = 0.0;
    for (var p = 0u; p < AREA; p++) {
      let weight = parameters[first + p * BETWEEN] * share;
      sum = fma(weight, weight, sum);
    }
    strengths[index] = min(scale * sqrt(sum), 3e38);
  }
}
