// Every further stage: the changes of a layer's units, times the next matrix, change the inputs of
// the next layer's units. A matrix product over the rows of the chunk; a thread holds 16 rows of 12
// units in matrices of 4 by 4, so that each number it loads is used many times.

#import chunk

override OFFSET: u32; // of the matrix in the parameters
override INPUTS: u32;
override OUTPUTS: u32;
override POINTS: u32; // of the stencil

@group(0) @binding(0) var<uniform> chunk: Chunk;
@group(0) @binding(1) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(2) var<storage, read> starts: array<u32>; // [inputs of the nudged layer + 2]
@group(0) @binding(3) var<storage, read> before: array<vec4f>; // [rows, ceil(INPUTS / 4)]
@group(0) @binding(4) var<storage, read_write> changes: array<vec4f>; // [rows, ceil(OUTPUTS / 4)]

override WORKGROUP: u32 = 64;

const ROWS = 16u; // of a thread
const QUADS = 3u; // of units, of a thread

// Changes of four rows, four units of the layer before each: a column a row.
fn four_rows(row: u32, last: u32, quad: u32) -> mat4x4f {
  let at = (INPUTS + 3u) / 4u * min(row + vec4u(0u, 1u, 2u, 3u), vec4u(last)) + quad;
  return mat4x4f(before[at.x], before[at.y], before[at.z], before[at.w]);
}

fn row_of_weights(q: u32, units: vec4u) -> vec4f {
  let at = OFFSET + min(q, INPUTS - 1u) * OUTPUTS + units; // beyond the last, changes are 0
  return vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
}

// Weights from four units of the layer before to four of this one: a column a unit before.
fn four_weights(q: u32, unit: u32) -> mat4x4f {
  let units = min(unit + vec4u(0u, 1u, 2u, 3u), vec4u(OUTPUTS - 1u));
  return mat4x4f(
    row_of_weights(q, units),
    row_of_weights(q + 1u, units),
    row_of_weights(q + 2u, units),
    row_of_weights(q + 3u, units)
  );
}

fn store(row: u32, rows: u32, quad: u32, sums: vec4f) {
  let quads = (OUTPUTS + 3u) / 4u;
  if (row < rows && quad < quads) {
    changes[row * quads + quad] = sums;
  }
}

fn store_rows(row: u32, rows: u32, quad: u32, sums: mat4x4f) {
  store(row, rows, quad, sums[0]);
  store(row + 1u, rows, quad, sums[1]);
  store(row + 2u, rows, quad, sums[2]);
  store(row + 3u, rows, quad, sums[3]);
}

@compute @workgroup_size(WORKGROUP)
fn propagate(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let columns = (OUTPUTS + 4u * QUADS - 1u) / (4u * QUADS);
  let quad = QUADS * (id.x % columns);
  let unit = 4u * quad;
  let walker = id.x / columns;
  let walkers = groups.x * WORKGROUP / columns; // a thread beyond the last of them does nothing
  let first = starts[chunk.first_input];
  let rows_of_entry = chunk.units * POINTS;
  let all_rows = (starts[chunk.first_input + chunk.inputs] - first) * rows_of_entry;
  let rows = select(0u, all_rows, walker < walkers);
  for (var row = walker * ROWS; row < rows; row += walkers * ROWS) {
    let last = rows - 1u;
    var s00 = mat4x4f();
    var s01 = mat4x4f();
    var s02 = mat4x4f();
    var s10 = mat4x4f();
    var s11 = mat4x4f();
    var s12 = mat4x4f();
    var s20 = mat4x4f();
    var s21 = mat4x4f();
    var s22 = mat4x4f();
    var s30 = mat4x4f();
    var s31 = mat4x4f();
    var s32 = mat4x4f();
    for (var q = 0u; q < INPUTS; q += 4u) {
      let w0 = four_weights(q, unit);
      let w1 = four_weights(q, unit + 4u);
      let w2 = four_weights(q, unit + 8u);
      let a0 = four_rows(row, last, q / 4u);
      let a1 = four_rows(row + 4u, last, q / 4u);
      let a2 = four_rows(row + 8u, last, q / 4u);
      let a3 = four_rows(row + 12u, last, q / 4u);
      s00 += w0 * a0;
      s01 += w1 * a0;
      s02 += w2 * a0;
      s10 += w0 * a1;
      s11 += w1 * a1;
      s12 += w2 * a1;
      s20 += w0 * a2;
      s21 += w1 * a2;
      s22 += w2 * a2;
      s30 += w0 * a3;
      s31 += w1 * a3;
      s32 += w2 * a3;
    }
    store_rows(row, rows, quad, s00);
    store_rows(row, rows, quad + 1u, s01);
    store_rows(row, rows, quad + 2u, s02);
    store_rows(row + 4u, rows, quad, s10);
    store_rows(row + 4u, rows, quad + 1u, s11);
    store_rows(row + 4u, rows, quad + 2u, s12);
    store_rows(row + 8u, rows, quad, s20);
    store_rows(row + 8u, rows, quad + 1u, s21);
    store_rows(row + 8u, rows, quad + 2u, s22);
    store_rows(row + 12u, rows, quad, s30);
    store_rows(row + 12u, rows, quad + 1u, s31);
    store_rows(row + 12u, rows, quad + 2u, s32);
  }
}
