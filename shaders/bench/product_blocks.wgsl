// A plain matrix product in float32, C = A B, as software adapters like it: there a load costs far
// more than a multiply-add, and a barrier more than both, so a thread holds a block of 20 rows by 28
// columns of sums, and nothing goes through workgroup memory. A workgroup is one SIMD register wide.
// The benchmark's yardstick beside product_tiles.

override TERMS: u32;
override ROWS: u32;
override ROW_QUADS: u32; // vectors of 4 rows, room for whole blocks
override COLUMN_QUADS: u32; // vectors of 4 columns, a multiple of 56

@group(0) @binding(0) var<storage, read> a: array<vec4f>; // transposed: [TERMS, ROW_QUADS]
@group(0) @binding(1) var<storage, read> b: array<vec4f>; // [TERMS, COLUMN_QUADS]
@group(0) @binding(2) var<storage, read_write> c: array<vec4f>; // [ROWS, COLUMN_QUADS]

const THREADS = 8u;

// 28 columns: seven vectors, THREADS vectors apart.
struct Columns {
  v0: vec4f,
  v1: vec4f,
  v2: vec4f,
  v3: vec4f,
  v4: vec4f,
  v5: vec4f,
  v6: vec4f,
}

// Sums of 4 rows by 28 columns.
struct Band {
  m0: mat4x4f,
  m1: mat4x4f,
  m2: mat4x4f,
  m3: mat4x4f,
  m4: mat4x4f,
  m5: mat4x4f,
  m6: mat4x4f,
}

fn outer_sum(sums: mat4x4f, rows: vec4f, columns: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(columns, vec4f(rows.x), sums[0]),
    fma(columns, vec4f(rows.y), sums[1]),
    fma(columns, vec4f(rows.z), sums[2]),
    fma(columns, vec4f(rows.w), sums[3])
  );
}

fn add(band: Band, rows: vec4f, columns: Columns) -> Band {
  return Band(
    outer_sum(band.m0, rows, columns.v0),
    outer_sum(band.m1, rows, columns.v1),
    outer_sum(band.m2, rows, columns.v2),
    outer_sum(band.m3, rows, columns.v3),
    outer_sum(band.m4, rows, columns.v4),
    outer_sum(band.m5, rows, columns.v5),
    outer_sum(band.m6, rows, columns.v6)
  );
}

fn store_row(row: u32, column_quad: u32, sums: vec4f) {
  if (row < ROWS) {
    c[row * COLUMN_QUADS + column_quad] = sums;
  }
}

fn store(row_quad: u32, column_quad: u32, sums: mat4x4f) {
  store_row(4u * row_quad, column_quad, sums[0]);
  store_row(4u * row_quad + 1u, column_quad, sums[1]);
  store_row(4u * row_quad + 2u, column_quad, sums[2]);
  store_row(4u * row_quad + 3u, column_quad, sums[3]);
}

fn store_band(row_quad: u32, column_quad: u32, band: Band) {
  store(row_quad, column_quad, band.m0);
  store(row_quad, column_quad + THREADS, band.m1);
  store(row_quad, column_quad + 2u * THREADS, band.m2);
  store(row_quad, column_quad + 3u * THREADS, band.m3);
  store(row_quad, column_quad + 4u * THREADS, band.m4);
  store(row_quad, column_quad + 5u * THREADS, band.m5);
  store(row_quad, column_quad + 6u * THREADS, band.m6);
}

@compute @workgroup_size(8)
fn product_blocks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row_quad = group.y * 5u;
  let column_quad = group.x * 7u * THREADS + lane;
  var band0 = Band();
  var band1 = Band();
  var band2 = Band();
  var band3 = Band();
  var band4 = Band();
  for (var term = 0u; term < TERMS; term++) {
    let at = term * COLUMN_QUADS + column_quad;
    let columns = Columns(
      b[at],
      b[at + THREADS],
      b[at + 2u * THREADS],
      b[at + 3u * THREADS],
      b[at + 4u * THREADS],
      b[at + 5u * THREADS],
      b[at + 6u * THREADS]
    );
    let row = term * ROW_QUADS + row_quad;
    band0 = add(band0, a[row], columns);
    band1 = add(band1, a[row + 1u], columns);
    band2 = add(band2, a[row + 2u], columns);
    band3 = add(band3, a[row + 3u], columns);
    band4 = add(band4, a[row + 4u], columns);
  }
  store_band(row_quad, column_quad, band0);
  store_band(row_quad + 1u, column_quad, band1);
  store_band(row_quad + 2u, column_quad, band2);
  store_band(row_quad + 3u, column_quad, band3);
  store_band(row_quad + 4u, column_quad, band4);
}
