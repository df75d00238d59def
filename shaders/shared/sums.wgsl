// The gradient of four units' weights from a block of inputs, which a thread sums up over samples.

#import block

// What the kernel declares as `sizes`.
struct Sizes {
  inputs: u32,
  outputs: u32,
  offset: u32, // of the layer's matrix in the parameters
  parameters: u32,
  batch: u32,
  slices: u32, // the batch is cut into so many slices, summed by the update
}

override WORKGROUP: u32 = 64;
override ABREAST: u32 = 1; // slices of a workgroup, so that its threads are a hardware's whole wave

@group(0) @binding(7) var<storage, read_write> gradient: array<f32>; // [SLICES, PARAMETERS]

// An array for each of the four units: llvmpipe compares every two uses of an array as it compiles.
var<private> sums_x: array<f32, BLOCK>;
var<private> sums_y: array<f32, BLOCK>;
var<private> sums_z: array<f32, BLOCK>;
var<private> sums_w: array<f32, BLOCK>;

fn add_to_sums(i: u32, values: vec4f) {
  sums_x[i] += values.x;
  sums_y[i] += values.y;
  sums_z[i] += values.z;
  sums_w[i] += values.w;
}

// Threads side by side take units side by side, each four of them.
fn first_unit_of(group: u32, lane: u32) -> u32 {
  return 4u * WORKGROUP * group + lane;
}

// Where its slice of the batch starts and, for the next slice, ends; those beyond the last are empty.
fn start_of_slice(slice: u32) -> u32 {
  return min(slice, sizes.slices) * sizes.batch / sizes.slices;
}

// Its four units; for those beyond the last, the last is done again for nothing.
fn units_from(first: u32) -> vec4u {
  return min(first + WORKGROUP * vec4u(0u, 1u, 2u, 3u), vec4u(sizes.outputs - 1u));
}

fn store(row: u32, unit: u32, sum: f32) {
  if (unit < sizes.outputs) {
    gradient[row + unit] = sum;
  }
}

fn store_sums(slice: u32, block_id: u32, first_unit: u32) {
  if (slice >= sizes.slices) {
    return;
  }
  for (var i = 0u; i < min(BLOCK, sizes.inputs + 1u - BLOCK * block_id); i++) {
    let row = slice * sizes.parameters + sizes.offset + (BLOCK * block_id + i) * sizes.outputs;
    store(row, first_unit, sums_x[i]);
    store(row, first_unit + WORKGROUP, sums_y[i]);
    store(row, first_unit + 2u * WORKGROUP, sums_z[i]);
    store(row, first_unit + 3u * WORKGROUP, sums_w[i]);
  }
}
