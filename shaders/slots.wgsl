// Finds the slots of a layer's inputs (see slots_layout.wgsl), and for each entry of the lists its
// slot and its input within the block. One workgroup a run of a sample. Twin of slots() in
// src/method/response_twins.ts.

#import slots_layout
#import bytes

override WIDTH: u32; // inputs + 1
override CODED: bool; // whether inputs are bytes standing for byte / 255

@group(0) @binding(0) var<storage, read> entries: array<vec2u>; // [batch, runs, 2 RUN_PAIRS]: input, value
@group(0) @binding(1) var<storage, read> starts: array<u32>; // [batch, runs, RUN_BLOCKS + 1], of pairs
@group(0) @binding(2) var<storage, read_write> places: array<u32>; // [batch, runs, 2 RUN_PAIRS]: slot << 8 | input in its block
@group(0) @binding(3) var<storage, read_write> slots: array<f32>; // [batch, runs, SLOTS]
@group(0) @binding(4) var<storage, read_write> slot_counts: array<u32>; // [batch, runs]

const THREADS = 32u;
const WORDS = 8u; // of 32 bits: one a byte's value
var<workgroup> present: array<atomic<u32>, WORDS>;

fn byte_of(value: f32) -> u32 {
  return u32(round(value * 255.0));
}

// Distinct bytes that are present up to this one, 0 left out.
fn rank_of(byte: u32) -> u32 {
  var rank = 0u;
  for (var word = 0u; word < byte / 32u; word++) {
    rank += countOneBits(atomicLoad(&present[word]));
  }
  return rank + countOneBits(atomicLoad(&present[byte / 32u]) << (31u - byte % 32u));
}

@compute @workgroup_size(THREADS)
fn list_slots(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let n = group.y;
  let run = group.x;
  let runs = (WIDTH + RUN - 1u) / RUN;
  let row = (n * runs + run) * (RUN_BLOCKS + 1u);
  let blocks = min(RUN_BLOCKS, (WIDTH - run * RUN + BLOCK - 1u) / BLOCK);
  let first = 2u * starts[row];
  let last = 2u * starts[row + blocks];
  let base = slots_of(n, runs, run);
  if (CODED) {
    for (var e = first + lane; e < last; e += THREADS) {
      let byte = byte_of(bitcast<f32>(entries[e].y));
      if (byte > 0u) {
        atomicOr(&present[byte / 32u], 1u << (byte % 32u));
      }
    }
    workgroupBarrier();
    for (var e = first + lane; e < last; e += THREADS) {
      let entry = entries[e];
      places[e] = (rank_of(byte_of(bitcast<f32>(entry.y))) << 8u) | (entry.x % BLOCK);
    }
    for (var byte = lane; byte < 256u; byte += THREADS) {
      if (((atomicLoad(&present[byte / 32u]) >> (byte % 32u)) & 1u) == 1u) {
        slots[base + rank_of(byte)] = share_of(vec4u(byte)).x;
      }
    }
    if (lane == 0u) {
      slot_counts[n * runs + run] = 1u + rank_of(255u);
    }
  } else {
    for (var e = first + lane; e < last; e += THREADS) {
      let entry = entries[e];
      let slot = 1u + e - first;
      places[e] = (slot << 8u) | (entry.x % BLOCK);
      slots[base + slot] = bitcast<f32>(entry.y);
    }
    if (lane == 0u) {
      slot_counts[n * runs + run] = 1u + last - first;
    }
  }
}
