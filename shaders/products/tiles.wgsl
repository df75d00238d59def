// The product as hardware GPUs like it: a workgroup computes a tile of 64 rows by 64 columns, 16
// inputs at a time through workgroup memory; a thread holds 8 x 8 of its sums in four matrices, so
// that each number it loads is used 8 times.

#import product_parts

const LANES = 1u; // places of a workgroup, which works as one
const THREADS_X = 8u; // of a workgroup
const THREADS_Y = 8u;
const COLUMNS = 64u;
const QUADS = 16u; // of rows, of a tile
const DEPTH = 16u; // inputs that a tile takes at a time
const THREADS = 64u;

fn lane_of(lane: u32) -> u32 {
  return 0u;
}

var<workgroup> a_tile: array<vec4f, DEPTH * QUADS>; // [DEPTH, 64 rows]
var<workgroup> w_tile: array<vec4f, DEPTH * QUADS>; // [DEPTH, 64 columns]

fn multiply(place: Place, local: vec3u, lane: u32) {
  // A thread loads the same four rows and four columns throughout, every fourth input of them.
  let loaded = lane % QUADS;
  let loaded_columns = columns_at(place, 4u * loaded);
  let loaded_rows = Place(place.column, place.copy, place.quad + loaded);

  let columns0 = columns_at(place, 4u * local.x);
  let columns1 = columns_at(place, 32u + 4u * local.x);
  let quad = place.quad + local.y;
  var sums00 = begin(quad, columns0);
  var sums01 = begin(quad, columns1);
  var sums10 = begin(quad + 8u, columns0);
  var sums11 = begin(quad + 8u, columns1);
  for (var start = first_input(); start < behind_inputs(); start += DEPTH) {
    for (var at = lane; at < DEPTH * QUADS; at += THREADS) {
      let i = min(start + at / QUADS, behind_inputs() - 1u);
      let inside = start + at / QUADS < behind_inputs();
      a_tile[at] = select(vec4f(), a[inputs_at(loaded_rows, i)], inside);
      w_tile[at] = weights_at(i, loaded_columns);
    }
    workgroupBarrier();
    for (var d = 0u; d < DEPTH; d++) {
      let rows0 = a_tile[d * QUADS + local.y];
      let rows1 = a_tile[d * QUADS + 8u + local.y];
      let weights0 = w_tile[d * QUADS + local.x];
      let weights1 = w_tile[d * QUADS + 8u + local.x];
      sums00 = outer_sum(sums00, rows0, weights0);
      sums01 = outer_sum(sums01, rows0, weights1);
      sums10 = outer_sum(sums10, rows1, weights0);
      sums11 = outer_sum(sums11, rows1, weights1);
    }
    workgroupBarrier();
  }
  store(quad, columns0, sums00);
  store(quad, columns1, sums01);
  store(quad + 8u, columns0, sums10);
  store(quad + 8u, columns1, sums11);
  if (is_last()) {
    open(quad);
    close(quad, columns0);
    close(quad, columns1);
    end(quad);
    open(quad + 8u);
    close(quad + 8u, columns0);
    close(quad + 8u, columns1);
    end(quad + 8u);
  }
}
