// A plain matrix product in float32, C = A B, as hardware GPUs like it: a workgroup computes a tile
// of 64 rows by 64 columns, 16 terms at a time through workgroup memory; a thread holds 8 x 8 of its
// sums. The benchmark's yardstick: nothing of the project's own engines is in it.

override TERMS: u32;
override ROWS: u32;
override ROW_QUADS: u32; // vectors of 4 rows, room for whole tiles
override COLUMN_QUADS: u32; // vectors of 4 columns, a multiple of 16

@group(0) @binding(0) var<storage, read> a: array<vec4f>; // transposed: [TERMS, ROW_QUADS]
@group(0) @binding(1) var<storage, read> b: array<vec4f>; // [TERMS, COLUMN_QUADS]
@group(0) @binding(2) var<storage, read_write> c: array<vec4f>; // [ROWS, COLUMN_QUADS]

const DEPTH = 16u; // terms that a tile takes at a time
const QUADS = 16u; // vectors of 4 in a row of a tile
const THREADS = 64u;

var<workgroup> a_tile: array<vec4f, DEPTH * QUADS>; // [DEPTH, 64 rows]
var<workgroup> b_tile: array<vec4f, DEPTH * QUADS>; // [DEPTH, 64 columns]

fn outer_sum(sums: mat4x4f, rows: vec4f, columns: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(columns, vec4f(rows.x), sums[0]),
    fma(columns, vec4f(rows.y), sums[1]),
    fma(columns, vec4f(rows.z), sums[2]),
    fma(columns, vec4f(rows.w), sums[3])
  );
}

fn store(row_quad: u32, column_quad: u32, sums: mat4x4f) {
  for (var i = 0u; i < 4u; i++) {
    if (4u * row_quad + i < ROWS) {
      c[(4u * row_quad + i) * COLUMN_QUADS + column_quad] = sums[i];
    }
  }
}

@compute @workgroup_size(8, 8)
fn product_tiles(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row_quad = group.y * QUADS;
  let column_quad = group.x * QUADS;
  var sums00 = mat4x4f();
  var sums01 = mat4x4f();
  var sums10 = mat4x4f();
  var sums11 = mat4x4f();
  for (var start = 0u; start < TERMS; start += DEPTH) {
    for (var at = lane; at < DEPTH * QUADS; at += THREADS) {
      let term = min(start + at / QUADS, TERMS - 1u);
      let inside = start + at / QUADS < TERMS;
      a_tile[at] = select(0.0, 1.0, inside) * a[term * ROW_QUADS + row_quad + at % QUADS];
      b_tile[at] = b[term * COLUMN_QUADS + column_quad + at % QUADS];
    }
    workgroupBarrier();
    for (var d = 0u; d < DEPTH; d++) {
      let rows0 = a_tile[d * QUADS + local.y];
      let rows1 = a_tile[d * QUADS + 8u + local.y];
      let columns0 = b_tile[d * QUADS + local.x];
      let columns1 = b_tile[d * QUADS + 8u + local.x];
      sums00 = outer_sum(sums00, rows0, columns0);
      sums01 = outer_sum(sums01, rows0, columns1);
      sums10 = outer_sum(sums10, rows1, columns0);
      sums11 = outer_sum(sums11, rows1, columns1);
    }
    workgroupBarrier();
  }
  store(row_quad + local.y, column_quad + local.x, sums00);
  store(row_quad + local.y, column_quad + 8u + local.x, sums01);
  store(row_quad + 8u + local.y, column_quad + local.x, sums10);
  store(row_quad + 8u + local.y, column_quad + 8u + local.x, sums11);
}
