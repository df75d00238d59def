// What a nudge of a filter's weight does to the logits, straight: a map's units move by what the weight
// sees of each window's winner, and what each of them does to the logits adds up, since no kink is met.
// Elsewhere rows_filter_pool.wgsl and all behind it do that. A thread takes sixteen rows, all of a sample,
// and up to sixteen logits: on software adapters each number that is loaded is to serve many sums. Twin
// of superpose() in src/method/superposition_twins.ts.

#import special
#import maps
#import window
#import view
#import pooled
#import superposed
#import outer_sum

override ROW_QUADS: u32;
override FOURS: u32; // of logits that a thread takes, at most four
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [batch, inputs + 1]
@group(0) @binding(1) var<storage, read> margins: array<vec4f>; // [batch, pooled units]: see margins.wgsl
@group(0) @binding(2) var<storage, read> nearest: array<vec4f>; // [batch, channels]: weights, bias, norm
@group(0) @binding(3) var<storage, read> directions: array<vec4f>; // [pooled units, PLACES]
@group(0) @binding(4) var<storage, read_write> changes: array<vec4f>; // [logits, ROW_QUADS]
@group(0) @binding(8) var<storage, read_write> reaches: array<vec4f>; // [2: ahead and behind, ROW_QUADS]

const QUADS = 4u; // of rows, of a thread

// Sums of four rows for sixteen logits.
struct Band {
  logits0: mat4x4f,
  logits4: mat4x4f,
  logits8: mat4x4f,
  logits12: mat4x4f,
  squares: vec4f,
}

// What one unit of the maps does to the logits.
struct Along {
  logits0: vec4f,
  logits4: vec4f,
  logits8: vec4f,
  logits12: vec4f,
}

@compute @workgroup_size(WORKGROUP)
fn superpose(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let along = (maps.taps / 4u + QUADS - 1u) / QUADS;
  for (var i = id.x; i < maps.channels * BATCH * along; i += groups.x * WORKGROUP) {
    let response = i / along; // the first of a sample, in taps
    superpose_taps(response / BATCH, response % BATCH, QUADS * (i % along), FOURS * id.y);
  }
}

fn view_at(local: u32, n: u32, quad: u32) -> View {
  // Beyond the last, that again.
  let first = (local * BATCH + n) * maps.taps + min(4u * quad, maps.taps - 4u);
  let weights = vec4u(tap_of(first), tap_of(first + 1u), tap_of(first + 2u), tap_of(first + 3u));
  return view_of(n, taps[local].x, weights);
}

fn add(band: Band, view: View, seen: vec2u, slope: f32, along: Along) -> Band {
  let moved = slope * seen_from(view, seen);
  var sums = band;
  sums.squares = fma(moved, moved, sums.squares);
  sums.logits0 = outer_sum(sums.logits0, moved, along.logits0);
  if (FOURS > 1u) {
    sums.logits4 = outer_sum(sums.logits4, moved, along.logits4);
  }
  if (FOURS > 2u) {
    sums.logits8 = outer_sum(sums.logits8, moved, along.logits8);
  }
  if (FOURS > 3u) {
    sums.logits12 = outer_sum(sums.logits12, moved, along.logits12);
  }
  return sums;
}

fn along_at(at: u32, last: u32) -> Along {
  var along: Along;
  along.logits0 = directions[at];
  if (FOURS > 1u) {
    along.logits4 = directions[at + min(1u, last)];
  }
  if (FOURS > 2u) {
    along.logits8 = directions[at + min(2u, last)];
  }
  if (FOURS > 3u) {
    along.logits12 = directions[at + min(3u, last)];
  }
  return along;
}

fn superpose_taps(local: u32, n: u32, quad: u32, first_four: u32) {
  let channel = taps[local].x;
  let area = pooled.output.x * pooled.output.y;
  let on_sample = n * window.groups * window.given + channel;
  let column = n * logit_quads() + first_four;
  let last = logit_quads() - 1u - first_four; // beyond the last of the fours, that again, for nothing
  let view0 = view_at(local, n, quad);
  let view1 = view_at(local, n, quad + 1u);
  let view2 = view_at(local, n, quad + 2u);
  let view3 = view_at(local, n, quad + 3u);
  var band0 = Band();
  var band1 = Band();
  var band2 = Band();
  var band3 = Band();
  var place = vec2u();
  for (var k = 0u; k < area; k++) {
    let margin = margins[on_sample * area + k];
    if (margin.z != 0.0) {
      let cell = place_of(u32(margin.w), pooled.kernel);
      let seen = (place * pooled.stride + cell) * window.stride - window.pad;
      let along = along_at((channel * area + k) * PLACES + column, last);
      band0 = add(band0, view0, seen, margin.z, along);
      band1 = add(band1, view1, seen, margin.z, along);
      band2 = add(band2, view2, seen, margin.z, along);
      band3 = add(band3, view3, seen, margin.z, along);
    }
    place = next_place(place, pooled.output);
  }
  let near = nearest[on_sample];
  store(local, n, quad, first_four, near, view0, band0);
  store(local, n, quad + 1u, first_four, near, view1, band1);
  store(local, n, quad + 2u, first_four, near, view2, band2);
  store(local, n, quad + 3u, first_four, near, view3, band3);
}

fn store(local: u32, n: u32, of_sample: u32, first_four: u32, near: vec4f, view: View, band: Band) {
  if (4u * of_sample >= maps.taps) {
    return;
  }
  let quad = (local * maps.rows + n * maps.taps) / 4u + of_sample;
  store_four(quad, 4u * first_four, band.logits0);
  if (FOURS > 1u) {
    store_four(quad, 4u * first_four + 4u, band.logits4);
  }
  if (FOURS > 2u) {
    store_four(quad, 4u * first_four + 8u, band.logits8);
  }
  if (FOURS > 3u) {
    store_four(quad, 4u * first_four + 12u, band.logits12);
  }
  if (first_four == 0u) {
    let of_pool = select(vec4f(near.x), vec4f(near.y), view.is_bias);
    let met = max(of_pool, sqrt(band.squares) * near.z);
    // A little less than they are, for what was rounded.
    let reach = quotient(vec4f(0.9999), clamp(met, vec4f(1e-30), vec4f(1e37)));
    reaches[quad] = reach;
    reaches[ROW_QUADS + quad] = reach;
  }
}

fn store_four(quad: u32, logit: u32, sums: mat4x4f) {
  for (var i = 0u; i < min(4u, max(CLASSES, logit) - logit); i++) {
    changes[(logit + i) * ROW_QUADS + quad] = sums[i];
  }
}
