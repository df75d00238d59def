// The copies method, literally: one layer forward for many whole copies of the network, each with
// its own nudged weights, as a tiled matrix product. A workgroup computes a tile of 64 rows
// (samples) by 64 columns (units of copies), 16 inputs at a time through workgroup memory; a thread
// holds 8 x 8 of its sums in four matrices, so that each number it loads is used 8 times. Behind an
// input that all copies share, a tile's columns run on through the copies; behind inputs of their
// own, each copy has tiles of its own. Twin of dense() in src/cpu/forward.ts, as copies() in
// src/cpu/copies.ts calls it.

#import activation
#import copies
#import perturbation

override INPUTS: u32;
override OUTPUTS: u32;
override OFFSET: u32; // of the layer's matrix in the parameters
override BATCH: u32;
override ROWS: u32; // copies times BATCH, the most that there is room for
override SHARED: bool; // whether all copies have the same input

@group(0) @binding(0) var<uniform> copies: Copies;
@group(0) @binding(1) var<uniform> stencil: array<vec4f, 4>; // (offset h, coefficient / (h BATCH))
@group(0) @binding(2) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(3) var<storage, read> a: array<f32>; // [BATCH or ROWS, INPUTS + 1]
@group(0) @binding(4) var<storage, read_write> values: array<f32>; // [ROWS, OUTPUTS + 1]

const TILE = 64u;
const DEPTH = 16u; // inputs that a tile takes at a time
const QUADS = 16u; // vectors of 4 in a row of a tile
const THREADS = 64u;

var<workgroup> a_tile: array<vec4f, DEPTH * QUADS>; // [DEPTH, 64 rows]
var<workgroup> w_tile: array<vec4f, DEPTH * QUADS>; // [DEPTH, 64 columns]

// Which copy and unit a column of the product is.
struct Column {
  copy: u32,
  unit: u32,
}
fn column_at(column: u32, group: u32) -> Column {
  return Column(select(group, column / OUTPUTS, SHARED), select(column, column % OUTPUTS, SHARED));
}

fn nudged_weight(i: u32, column: Column) -> f32 {
  let index = OFFSET + i * OUTPUTS + min(column.unit, OUTPUTS - 1u);
  let copy = copies.first + column.copy;
  return parameters[index] + perturbation(copy / POINTS, index, stencil[copy % POINTS].x);
}

fn input_at(n: u32, i: u32, group: u32) -> f32 {
  return a[(select(group * BATCH, 0u, SHARED) + min(n, BATCH - 1u)) * (INPUTS + 1u) + i];
}

fn outer_sum(sums: mat4x4f, rows: vec4f, columns: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(columns, vec4f(rows.x), sums[0]),
    fma(columns, vec4f(rows.y), sums[1]),
    fma(columns, vec4f(rows.z), sums[2]),
    fma(columns, vec4f(rows.w), sums[3])
  );
}

fn store(n: u32, column: u32, group: u32, value: f32) {
  let at = column_at(column, group);
  let row = at.copy * BATCH + n;
  if (n < BATCH && at.unit < OUTPUTS && row < ROWS) {
    values[row * (OUTPUTS + 1u) + at.unit] = value;
    if (at.unit == 0u) {
      values[row * (OUTPUTS + 1u) + OUTPUTS] = 1.0;
    }
  }
}

fn store_row(n: u32, column: u32, group: u32, sums: vec4f) {
  let row = activate(sums);
  store(n, column, group, row.x);
  store(n, column + 1u, group, row.y);
  store(n, column + 2u, group, row.z);
  store(n, column + 3u, group, row.w);
}

fn store_block(n: u32, column: u32, group: u32, sums: mat4x4f) {
  store_row(n, column, group, sums[0]);
  store_row(n + 1u, column, group, sums[1]);
  store_row(n + 2u, column, group, sums[2]);
  store_row(n + 3u, column, group, sums[3]);
}

@compute @workgroup_size(8, 8)
fn copies_dense(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  // A thread loads the same four rows and four columns throughout, every fourth input of them.
  let quad = lane % QUADS;
  let first_row = group.y * TILE + 4u * quad;
  let first_column = group.x * TILE + 4u * quad;
  let column0 = column_at(first_column, group.z);
  let column1 = column_at(first_column + 1u, group.z);
  let column2 = column_at(first_column + 2u, group.z);
  let column3 = column_at(first_column + 3u, group.z);

  var sums00 = mat4x4f();
  var sums01 = mat4x4f();
  var sums10 = mat4x4f();
  var sums11 = mat4x4f();
  for (var start = 0u; start <= INPUTS; start += DEPTH) {
    for (var at = lane; at < DEPTH * QUADS; at += THREADS) {
      let i = min(start + at / QUADS, INPUTS);
      let inside = start + at / QUADS <= INPUTS;
      a_tile[at] = select(0.0, 1.0, inside) * vec4f(
        input_at(first_row, i, group.z),
        input_at(first_row + 1u, i, group.z),
        input_at(first_row + 2u, i, group.z),
        input_at(first_row + 3u, i, group.z)
      );
      w_tile[at] = vec4f(
        nudged_weight(i, column0),
        nudged_weight(i, column1),
        nudged_weight(i, column2),
        nudged_weight(i, column3)
      );
    }
    workgroupBarrier();
    for (var d = 0u; d < DEPTH; d++) {
      let rows0 = a_tile[d * QUADS + local.y];
      let rows1 = a_tile[d * QUADS + 8u + local.y];
      let columns0 = w_tile[d * QUADS + local.x];
      let columns1 = w_tile[d * QUADS + 8u + local.x];
      sums00 = outer_sum(sums00, rows0, columns0);
      sums01 = outer_sum(sums01, rows0, columns1);
      sums10 = outer_sum(sums10, rows1, columns0);
      sums11 = outer_sum(sums11, rows1, columns1);
    }
    workgroupBarrier();
  }

  let n = group.y * TILE + 4u * local.y;
  let column = group.x * TILE + 4u * local.x;
  store_block(n, column, group.z, sums00);
  store_block(n, column + 32u, group.z, sums01);
  store_block(n + 32u, column, group.z, sums10);
  store_block(n + 32u, column + 32u, group.z, sums11);
}
