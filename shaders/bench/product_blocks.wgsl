// A plain matrix product in float32, C = A B, as software adapters like it: there a load costs far
// more than a multiply-add, and a barrier more than both, so a thread holds a block of 28 rows by 16
// columns of sums, and nothing goes through workgroup memory. A workgroup is one SIMD register wide.
// The benchmark's yardstick beside product_tiles.

override TERMS: u32;
override ROWS: u32;
override ROW_QUADS: u32; // vectors of 4 rows, a multiple of 7
override COLUMN_QUADS: u32; // vectors of 4 columns, a multiple of 32

@group(0) @binding(0) var<storage, read> a: array<vec4f>; // transposed: [TERMS, ROW_QUADS]
@group(0) @binding(1) var<storage, read> b: array<vec4f>; // [TERMS, COLUMN_QUADS]
@group(0) @binding(2) var<storage, read_write> c: array<vec4f>; // [ROWS, COLUMN_QUADS]

const THREADS = 8u;

// 16 columns: four vectors, THREADS vectors apart.
struct Columns {
  v0: vec4f,
  v1: vec4f,
  v2: vec4f,
  v3: vec4f,
}

// Sums of 4 rows by 16 columns.
struct Band {
  m0: mat4x4f,
  m1: mat4x4f,
  m2: mat4x4f,
  m3: mat4x4f,
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
    outer_sum(band.m3, rows, columns.v3)
  );
}

fn store_row(row: u32, at: u32, v0: vec4f, v1: vec4f, v2: vec4f, v3: vec4f) {
  if (row < ROWS) {
    let first = row * COLUMN_QUADS + at;
    c[first] = v0;
    c[first + THREADS] = v1;
    c[first + 2u * THREADS] = v2;
    c[first + 3u * THREADS] = v3;
  }
}

fn store(row_quad: u32, at: u32, band: Band) {
  let row = 4u * row_quad;
  store_row(row, at, band.m0[0], band.m1[0], band.m2[0], band.m3[0]);
  store_row(row + 1u, at, band.m0[1], band.m1[1], band.m2[1], band.m3[1]);
  store_row(row + 2u, at, band.m0[2], band.m1[2], band.m2[2], band.m3[2]);
  store_row(row + 3u, at, band.m0[3], band.m1[3], band.m2[3], band.m3[3]);
}

@compute @workgroup_size(8)
fn product_blocks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row_quad = group.y * 7u;
  let column_quad = group.x * 4u * THREADS + lane;
  var band0 = Band();
  var band1 = Band();
  var band2 = Band();
  var band3 = Band();
  var band4 = Band();
  var band5 = Band();
  var band6 = Band();
  for (var term = 0u; term < TERMS; term++) {
    let at = term * COLUMN_QUADS + column_quad;
    let columns = Columns(b[at], b[at + THREADS], b[at + 2u * THREADS], b[at + 3u * THREADS]);
    let row = term * ROW_QUADS + row_quad;
    band0 = add(band0, a[row], columns);
    band1 = add(band1, a[row + 1u], columns);
    band2 = add(band2, a[row + 2u], columns);
    band3 = add(band3, a[row + 3u], columns);
    band4 = add(band4, a[row + 4u], columns);
    band5 = add(band5, a[row + 5u], columns);
    band6 = add(band6, a[row + 6u], columns);
  }
  store(row_quad, column_quad, band0);
  store(row_quad + 1u, column_quad, band1);
  store(row_quad + 2u, column_quad, band2);
  store(row_quad + 3u, column_quad, band3);
  store(row_quad + 4u, column_quad, band4);
  store(row_quad + 5u, column_quad, band5);
  store(row_quad + 6u, column_quad, band6);
}
