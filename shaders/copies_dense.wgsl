// The copies method, literally: one layer forward for many whole copies of the network, each with
// its own nudged weights, as a tiled matrix product. A workgroup computes a tile of 64 rows
// (samples) by 64 columns (units of copies); a thread holds 8 x 8 sums of it, so that each number
// loaded is used 8 times. Behind an input that all copies share, a tile's columns run on through
// the copies; behind inputs of their own, each copy has tiles of its own. Twin of dense() in
// src/cpu/forward.ts, as copies() in src/cpu/copies.ts calls it.

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
const SIDE = 8u; // threads a side, and sums a thread in each direction

var<workgroup> a_tile: array<f32, DEPTH * TILE>; // [DEPTH, rows]
var<workgroup> w_tile: array<f32, DEPTH * TILE>; // [DEPTH, columns]

@compute @workgroup_size(SIDE, SIDE)
fn copies_dense(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row_of_tile = group.y * TILE;
  let column_of_tile = group.x * TILE;
  // Each thread loads one column of both tiles throughout: its addresses are known beforehand.
  let loaded_row = row_of_tile + lane;
  let loaded_column = column_of_tile + lane;
  let copy = select(group.z, loaded_column / OUTPUTS, SHARED);
  let unit = select(min(loaded_column, OUTPUTS - 1u), loaded_column % OUTPUTS, SHARED);
  let direction = (copies.first + copy) / POINTS;
  let reach = stencil[(copies.first + copy) % POINTS].x;
  let a_row = (select(group.z * BATCH, 0u, SHARED) + min(loaded_row, BATCH - 1u)) * (INPUTS + 1u);

  var sums: array<array<f32, SIDE>, SIDE>;
  for (var start = 0u; start <= INPUTS; start += DEPTH) {
    for (var d = 0u; d < DEPTH; d++) {
      let i = min(start + d, INPUTS);
      let index = OFFSET + i * OUTPUTS + unit;
      let inside = start + d <= INPUTS;
      a_tile[d * TILE + lane] = select(0.0, a[a_row + i], inside);
      w_tile[d * TILE + lane] = parameters[index] + perturbation(direction, index, reach);
    }
    workgroupBarrier();
    for (var d = 0u; d < DEPTH; d++) {
      var weights: array<f32, SIDE>;
      for (var c = 0u; c < SIDE; c++) {
        weights[c] = w_tile[d * TILE + c * SIDE + local.x];
      }
      for (var r = 0u; r < SIDE; r++) {
        let input = a_tile[d * TILE + r * SIDE + local.y];
        for (var c = 0u; c < SIDE; c++) {
          sums[r][c] = fma(input, weights[c], sums[r][c]);
        }
      }
    }
    workgroupBarrier();
  }

  for (var c = 0u; c < SIDE; c++) {
    let column = column_of_tile + c * SIDE + local.x;
    let copy_of_column = select(group.z, column / OUTPUTS, SHARED);
    let j = select(column, column % OUTPUTS, SHARED);
    for (var r = 0u; r < SIDE; r++) {
      let n = row_of_tile + r * SIDE + local.y;
      let row = copy_of_column * BATCH + n;
      if (n < BATCH && j < OUTPUTS && row < ROWS) {
        values[row * (OUTPUTS + 1u) + j] = activate(sums[r][c]);
        if (j == 0u) {
          values[row * (OUTPUTS + 1u) + OUTPUTS] = 1.0;
        }
      }
    }
  }
}
