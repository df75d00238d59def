// A filter weight's gradient is the sum of its responses over the samples. A thread takes a tap, on a
// slice of the batch. Twin of collect_taps() in src/method/map_twins.ts.

#import maps

override SLICES: u32; // parts of the batch
override STRIDE: u32; // from one slice's sums to the next one's
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> responses: array<f32>; // [channels of the part, batch, taps]
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>; // [SLICES, STRIDE]

@compute @workgroup_size(WORKGROUP)
fn collect_taps(@builtin(global_invocation_id) id: vec3u) {
  let local = id.x / maps.taps;
  let tap = id.x % maps.taps;
  if (local >= maps.channels || tap >= taps[local].y) {
    return;
  }
  let first = local * responses_of_channel() + tap;
  var sum = 0.0;
  for (var n = id.y * BATCH / SLICES; n < (id.y + 1u) * BATCH / SLICES; n++) {
    sum += responses[first + n * maps.taps];
  }
  gradient[id.y * STRIDE + taps[maps.channels + local * maps.taps + tap].y] = sum;
}
