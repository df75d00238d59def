// The gradient of four units' weights from a block of inputs, which a thread sums up over samples.

#import block

override INPUTS: u32;
override OUTPUTS: u32;
override OFFSET: u32; // of the layer's matrix in the parameters
override PARAMETERS: u32;
override WORKGROUP: u32;

@group(0) @binding(7) var<storage, read_write> gradient: array<f32>; // [SLICES, PARAMETERS]

var<private> sums: array<vec4f, BLOCK>;

// Threads side by side take four units each, side by side.
fn first_unit_of(group: u32, lane: u32) -> u32 {
  return 4u * (WORKGROUP * group + lane);
}

// Its four units; for those beyond the last, the last is done again for nothing.
fn units_from(first: u32) -> vec4u {
  return min(first + vec4u(0u, 1u, 2u, 3u), vec4u(OUTPUTS - 1u));
}

fn store(row: u32, unit: u32, sum: f32) {
  if (unit < OUTPUTS) {
    gradient[row + unit] = sum;
  }
}

fn store_sums(slice: u32, block_id: u32, first_unit: u32) {
  for (var i = 0u; i < min(BLOCK, INPUTS + 1u - BLOCK * block_id); i++) {
    let row = slice * PARAMETERS + OFFSET + (BLOCK * block_id + i) * OUTPUTS;
    let sum = sums[i];
    store(row, first_unit, sum.x);
    store(row, first_unit + 1u, sum.y);
    store(row, first_unit + 2u, sum.z);
    store(row, first_unit + 3u, sum.w);
  }
}
