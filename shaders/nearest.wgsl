// How far nudges of a channel's weights may go on a sample before anything behind meets a kink: one
// over it, for weights and for the bias where a pooled unit's winner does, and for all of them where a
// unit of the layer behind does, there for a map that moves by a norm of one. A thread takes a channel
// and a sample. Twin of nearest() in src/method/superposition_twins.ts.

#import activation
#import special
#import superposed

override BATCH: u32;
override CHANNELS: u32;
override AREA: u32; // pooled units of a channel
override WORKGROUP: u32;

@group(0) @binding(1) var<storage, read> margins: array<vec4f>; // [BATCH, pooled units]: see margins.wgsl
@group(0) @binding(2) var<storage, read> strengths: array<f32>; // [channels, BETWEEN]
@group(0) @binding(3) var<storage, read> companions: array<vec2f>; // [BATCH, BETWEEN]: derivative, input
@group(0) @binding(4) var<storage, read_write> nearest: array<vec4f>; // [BATCH, channels]: weights, bias, norm

const FAR = 3e38;

@compute @workgroup_size(WORKGROUP)
fn nearest_of(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var index = id.x; index < BATCH * CHANNELS; index += groups.x * WORKGROUP) {
    let n = index / CHANNELS;
    let channel = index % CHANNELS;
    var of_weights = 0.0;
    var of_bias = 0.0;
    for (var k = 0u; k < AREA; k++) {
      let margin = margins[index * AREA + k];
      of_weights = max(of_weights, margin.x);
      of_bias = max(of_bias, margin.y);
    }
    var of_norm = vec4f();
    for (var unit = 0u; unit < BETWEEN; unit += 4u) {
      let units = min(unit + vec4u(0u, 1u, 2u, 3u), vec4u(BETWEEN - 1u));
      let at = n * BETWEEN + units;
      let z = vec4f(companions[at.x].y, companions[at.y].y, companions[at.z].y, companions[at.w].y);
      let gap = min(piece_high(z) - z, z - piece_low(z));
      let of_channel = channel * BETWEEN + units;
      let strength = vec4f(
        strengths[of_channel.x],
        strengths[of_channel.y],
        strengths[of_channel.z],
        strengths[of_channel.w]
      );
      of_norm = max(of_norm, min(strength * quotient(vec4f(1.0), max(gap, vec4f(1e-30))), vec4f(FAR)));
    }
    let norm = max(max(of_norm.x, of_norm.y), max(of_norm.z, of_norm.w));
    nearest[index] = vec4f(of_weights, of_bias, norm, 0.0);
  }
}
