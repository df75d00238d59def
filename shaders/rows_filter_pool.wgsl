// rows_filter.wgsl and rows_maxpool.wgsl in one, straight: a filter's weight moves a pooled unit by
// what the weight sees of the window's winner, as far as the nudge keeps within the window's margin: see
// margins.wgsl. A thread takes four rows, all of a sample, and all units of the
// channel. Twin of rows_filter_pool() in src/method/map_twins.ts.

#import special
#import rows
#import window
#import view
#import pooled

override ROW_QUADS: u32;
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [batch, inputs + 1]
@group(0) @binding(1) var<storage, read> margins: array<vec4f>; // [batch, pooled units]
@group(0) @binding(4) var<storage, read_write> changes: array<vec4f>; // [pooled units of a channel, ROW_QUADS]
@group(0) @binding(8) var<storage, read_write> reaches: array<vec4f>; // [2: ahead and behind, ROW_QUADS]

@compute @workgroup_size(WORKGROUP)
fn rows_filter_pool(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var quad = id.x; 4u * quad < count_of_rows(); quad += groups.x * WORKGROUP) {
    if (has_rows(quad)) {
      pool_quad(quad);
    }
  }
}

fn pool_quad(quad: u32) {
  let first = response_of(4u * quad);
  let n = sample_of(first);
  let channel = channel_of(quad);
  let weights = vec4u(tap_of(first), tap_of(first + 1u), tap_of(first + 2u), tap_of(first + 3u));
  let view = view_of(n, channel, weights);
  let area = pooled.output.x * pooled.output.y;
  let units = n * window.groups * window.given * area + channel * area;
  var nearest = vec4f();
  var k = 0u;
  for (var y = 0u; y < pooled.output.x; y++) {
    for (var x = 0u; x < pooled.output.y; x++) {
      let margin = margins[units + k];
      let corner = vec2u(y, x) * pooled.stride * window.stride;
      let seen = corner + place_of(u32(margin.w), pooled.kernel) * window.stride - window.pad;
      nearest = max(nearest, select(vec4f(margin.x), vec4f(margin.y), view.is_bias));
      changes[k * ROW_QUADS + quad] = margin.z * seen_from(view, seen);
      k += 1u;
    }
  }
  // A little less than they are, for what was rounded.
  let reach = quotient(vec4f(0.999999), clamp(nearest, vec4f(1e-30), vec4f(1e37)));
  reaches[quad] = reach;
  reaches[ROW_QUADS + quad] = reach;
}
