// The product as software adapters like it. There a load costs far more than a multiply-add, and a
// barrier more than both: a thread holds a block of 20 rows by 16 columns of sums, in named
// variables as arrays of them are slow, and nothing goes through workgroup memory. A workgroup is
// one SIMD register wide.

#import product_parts

const LANES = 8u; // places of a workgroup
const THREADS_X = 8u; // of a workgroup
const THREADS_Y = 1u;
const QUADS = 5u; // of rows, of a thread
const COLUMNS = 16u;

// Every thread has a place of its own.
fn lane_of(lane: u32) -> u32 {
  return lane;
}

// Something for each vector of 4 columns.
struct Weights {
  v0: vec4f,
  v1: vec4f,
  v2: vec4f,
  v3: vec4f,
}
struct Band {
  m0: mat4x4f,
  m1: mat4x4f,
  m2: mat4x4f,
  m3: mat4x4f,
}
struct BlockColumns {
  c0: Columns,
  c1: Columns,
  c2: Columns,
  c3: Columns,
}

fn begin_band(quad: u32, columns: BlockColumns) -> Band {
  return Band(
    begin(quad, columns.c0),
    begin(quad, columns.c1),
    begin(quad, columns.c2),
    begin(quad, columns.c3)
  );
}

fn add(band: Band, rows: vec4f, weights: Weights) -> Band {
  return Band(
    outer_sum(band.m0, rows, weights.v0),
    outer_sum(band.m1, rows, weights.v1),
    outer_sum(band.m2, rows, weights.v2),
    outer_sum(band.m3, rows, weights.v3)
  );
}

fn store_band(quad: u32, columns: BlockColumns, band: Band) {
  store(quad, columns.c0, band.m0);
  store(quad, columns.c1, band.m1);
  store(quad, columns.c2, band.m2);
  store(quad, columns.c3, band.m3);
}

fn multiply(place: Place, local: vec3u, lane: u32) {
  let columns = BlockColumns(
    columns_at(place, 0u),
    columns_at(place, 4u),
    columns_at(place, 8u),
    columns_at(place, 12u)
  );
  // What a block loads beyond the last rows is others', and its sums are not stored.
  let quad = place.quad;
  var band0 = begin_band(quad, columns);
  var band1 = begin_band(quad + 1u, columns);
  var band2 = begin_band(quad + 2u, columns);
  var band3 = begin_band(quad + 3u, columns);
  var band4 = begin_band(quad + 4u, columns);
  for (var i = first_input(); i < behind_inputs(); i++) {
    let weights = Weights(
      weights_at(i, columns.c0),
      weights_at(i, columns.c1),
      weights_at(i, columns.c2),
      weights_at(i, columns.c3)
    );
    let at = inputs_at(place, i);
    band0 = add(band0, a[at], weights);
    band1 = add(band1, a[at + 1u], weights);
    band2 = add(band2, a[at + 2u], weights);
    band3 = add(band3, a[at + 3u], weights);
    band4 = add(band4, a[at + 4u], weights);
  }
  store_band(quad, columns, band0);
  store_band(quad + 1u, columns, band1);
  store_band(quad + 2u, columns, band2);
  store_band(quad + 3u, columns, band3);
  store_band(quad + 4u, columns, band4);
  if (!is_last()) {
    return;
  }
  // An activation is much code to compile: it is there once, for what was stored.
  for (var q = quad; q < quad + QUADS; q++) {
    open(q);
    for (var c = 0u; c < COLUMNS; c += 4u) {
      close(q, columns_at(place, c));
    }
    end(q);
  }
}
