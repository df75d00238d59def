// The inputs of a layer that are not zero, two at a time, as listing.wgsl lists them.

#import entries_layout

@group(0) @binding(8) var<storage, read> entries: array<vec4u>; // [batch, runs, RUN_PAIRS]: input, value, input, value
@group(0) @binding(9) var<storage, read> starts: array<u32>; // [batch, runs, RUN_BLOCKS + 1], of pairs

// Where the pairs of a block of sample n start; they end where those of the next start.
fn start_of(n: u32, inputs: u32, block_id: u32) -> u32 {
  let runs = (inputs + RUN) / RUN;
  return (n * runs + block_id / RUN_BLOCKS) * (RUN_BLOCKS + 1u) + block_id % RUN_BLOCKS;
}
