// A weight's gradient is the sum, over the samples where its input is not 0, of its unit's responses
// to that input's slot. A thread takes four units of the part and a block of inputs, on a slice of
// the batch; the update adds the slices up.

#import part
#import entries_layout
#import sums
#import origin

@group(0) @binding(0) var<storage, read> places: array<vec2u>; // [batch, runs, RUN_PAIRS]: two of slot << 8 | input in its block
@group(0) @binding(1) var<storage, read> starts: array<u32>; // [batch, runs, RUN_BLOCKS + 1], of pairs
@group(0) @binding(2) var<storage, read> responses: array<f32>; // [batch, runs, SLOTS, units of the part]
@group(0) @binding(6) var<uniform> sizes: Sizes;

@compute @workgroup_size(WORKGROUP, ABREAST)
fn collect(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let group = origin + id;
  let block_id = group.x;
  let first_unit = first_unit_of(group.y, local.x);
  let width = 4u * quads_of_part();
  let units = min(first_unit + WORKGROUP * vec4u(0u, 1u, 2u, 3u), vec4u(width - 1u));
  let slice = group.z * ABREAST + local.y;
  let runs = (sizes.inputs + RUN) / RUN;
  let run = block_id / RUN_BLOCKS;
  let slots = part.per_sample / runs; // that a run has room for, as slots_layout.wgsl has it
  for (var n = start_of_slice(slice); n < start_of_slice(slice + 1u); n++) {
    let start = (n * runs + run) * (RUN_BLOCKS + 1u) + block_id % RUN_BLOCKS;
    let first = (n * runs + run) * slots;
    let end = starts[start + 1u];
    for (var e = starts[start]; e < end; e++) {
      let pair = places[e];
      let a = (first + (pair.x >> 8u)) * width + units;
      let b = (first + (pair.y >> 8u)) * width + units;
      add_to_sums(pair.x & 0xffu, vec4f(responses[a.x], responses[a.y], responses[a.z], responses[a.w]));
      add_to_sums(pair.y & 0xffu, vec4f(responses[b.x], responses[b.y], responses[b.z], responses[b.w]));
    }
  }
  store_sums(slice, block_id, part.first_unit + first_unit);
}
