// A weight's gradient is the sum, over the samples where its input is not 0, of its unit's responses
// to that input's slot. A thread takes four units of the part and a block of inputs, on a slice of
// the batch; the update adds the slices up.

#import part
#import slots_layout
#import sums

override BATCH: u32;
override SLICES: u32;

@group(0) @binding(0) var<storage, read> places: array<vec2u>; // [batch, runs, RUN_PAIRS]: two of slot << 8 | input in its block
@group(0) @binding(1) var<storage, read> starts: array<u32>; // [batch, runs, RUN_BLOCKS + 1], of pairs
@group(0) @binding(2) var<storage, read> responses: array<vec4f>; // [batch, runs, SLOTS, quads of the part]

@compute @workgroup_size(WORKGROUP)
fn collect(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let block_id = group.x;
  let quad = group.y * WORKGROUP + lane;
  let quads = quads_of_part();
  if (quad >= quads) {
    return;
  }
  let slice = group.z;
  let runs = (INPUTS + RUN) / RUN;
  let run = block_id / RUN_BLOCKS;
  for (var n = slice * BATCH / SLICES; n < (slice + 1u) * BATCH / SLICES; n++) {
    let start = (n * runs + run) * (RUN_BLOCKS + 1u) + block_id % RUN_BLOCKS;
    let first = slots_of(n, runs, run);
    let end = starts[start + 1u];
    for (var e = starts[start]; e < end; e++) {
      let pair = places[e];
      sums[pair.x & 0xffu] += responses[(first + (pair.x >> 8u)) * quads + quad];
      sums[pair.y & 0xffu] += responses[(first + (pair.y >> 8u)) * quads + quad];
    }
  }
  store_sums(slice, block_id, part.first_unit + 4u * quad);
}
