// The copies' product as hardware GPUs like it: a workgroup computes a tile of 64 samples by 64
// columns, 16 inputs at a time through workgroup memory; a thread holds 8 x 8 of its sums in four
// matrices, so that each number it loads is used 8 times.

const TILE = 64u;
const TILE_QUADS = TILE / 4u;
const DEPTH = 16u; // inputs that a tile takes at a time
const THREADS = 64u;

var<workgroup> a_tile: array<vec4f, DEPTH * TILE_QUADS>; // [DEPTH, 64 samples]
var<workgroup> w_tile: array<vec4f, DEPTH * TILE_QUADS>; // [DEPTH, 64 columns]

fn activated(sums: mat4x4f) -> mat4x4f {
  if (TO < INPUTS) {
    return sums;
  }
  return mat4x4f(activate(sums[0]), activate(sums[1]), activate(sums[2]), activate(sums[3]));
}

@compute @workgroup_size(8, 8)
fn copies_dense(
  @builtin(workgroup_id) part: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = origin + part;
  let copy = group.z * select(1u, TILE, ACROSS);
  let unit = group.x * select(TILE, 1u, ACROSS);
  // A thread loads the same four samples and four columns throughout, every fourth input of them.
  let loaded = lane % TILE_QUADS;
  let loaded_columns = columns_at(copy, unit, 4u * loaded);
  let inputs = inputs_of(copy) + min(group.y * TILE_QUADS + loaded, QUADS - 1u);

  let columns0 = columns_at(copy, unit, 4u * local.x);
  let columns1 = columns_at(copy, unit, 32u + 4u * local.x);
  let quad = group.y * TILE_QUADS + local.y;
  var sums00 = begin(quad, columns0);
  var sums01 = begin(quad, columns1);
  var sums10 = begin(quad + 8u, columns0);
  var sums11 = begin(quad + 8u, columns1);
  for (var start = FROM; start < TO; start += DEPTH) {
    for (var at = lane; at < DEPTH * TILE_QUADS; at += THREADS) {
      let i = min(start + at / TILE_QUADS, TO - 1u);
      let inside = start + at / TILE_QUADS < TO;
      a_tile[at] = select(vec4f(), a[inputs + i * QUADS], inside);
      w_tile[at] = nudged(i, loaded_columns);
    }
    workgroupBarrier();
    for (var d = 0u; d < DEPTH; d++) {
      let samples0 = a_tile[d * TILE_QUADS + local.y];
      let samples1 = a_tile[d * TILE_QUADS + 8u + local.y];
      let weights0 = w_tile[d * TILE_QUADS + local.x];
      let weights1 = w_tile[d * TILE_QUADS + 8u + local.x];
      sums00 = outer_sum(sums00, samples0, weights0);
      sums01 = outer_sum(sums01, samples0, weights1);
      sums10 = outer_sum(sums10, samples1, weights0);
      sums11 = outer_sum(sums11, samples1, weights1);
    }
    workgroupBarrier();
  }
  store(quad, columns0, activated(sums00));
  store(quad, columns1, activated(sums01));
  store(quad + 8u, columns0, activated(sums10));
  store(quad + 8u, columns1, activated(sums11));
}
