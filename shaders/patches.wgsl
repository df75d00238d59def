// The largest absolute value among what a filter's weight sees from a pool's window: for each map of
// the input with its padding, from each place on, as the window steps. A thread takes a place. Twin of
// patches() in src/method/map_twins.ts.

#import window
#import pooled

override BATCH: u32;
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [BATCH, inputs + 1]
@group(0) @binding(1) var<storage, read_write> patches: array<f32>; // [BATCH, maps, padded rows, padded columns]

@compute @workgroup_size(WORKGROUP)
fn patches_of(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let maps = window.groups * window.taken;
  let area = pooled.padded.x * pooled.padded.y;
  for (var index = id.x; index < BATCH * maps * area; index += groups.x * WORKGROUP) {
    let place = place_of(index % area, pooled.padded);
    let map = index / area % maps;
    let first = index / area / maps * (inputs_of_window() + 1u) + map * window.input.x * window.input.y;
    var most = 0.0;
    for (var down = 0u; down < pooled.kernel.x; down++) {
      for (var across = 0u; across < pooled.kernel.y; across++) {
        let at = place + vec2u(down, across) * window.stride - window.pad;
        if (is_within(at, window.input)) {
          most = max(most, abs(a[first + at.x * window.input.y + at.y]));
        }
      }
    }
    patches[index] = most;
  }
}
