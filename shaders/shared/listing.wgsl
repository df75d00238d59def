// Lists the values of a layer's input that are not zero, so that what walks the list pays nothing
// for zeros, also on devices that cannot skip a branch. A workgroup lists a run of a sample's inputs,
// a thread 32 of them, four at a time. Entries come in pairs: each block of a run begins a new one.
// The kernel says what four values are: values_at(n, i), those beyond the last being 0.

#import block
#import entries_layout

override WIDTH: u32; // inputs + 1
override THREADS: u32 = 32; // that have something to do

@group(0) @binding(8) var<storage, read_write> entries: array<vec2u>; // [batch, runs, 2 RUN_PAIRS]: input, value
@group(0) @binding(9) var<storage, read_write> starts: array<u32>; // [batch, runs, RUN_BLOCKS + 1], of pairs

const WORD = 32u; // inputs of a thread
var<workgroup> counts: array<u32, 32>; // then places in the list

// By its bits: what counts and what lists must agree, also where subnormal numbers or NaN may compare
// as a compiler likes.
fn is_set(values: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(values) & vec4u(0x7fffffffu)) != vec4u();
}

fn count_of(values: vec4f) -> u32 {
  let ones = select(vec4u(), vec4u(1u), is_set(values));
  return (ones.x + ones.y) + (ones.z + ones.w);
}

// Puts an entry in its place, or nothing where the value is 0; returns the next place.
fn put(place: u32, i: u32, value: f32) -> u32 {
  if (is_set(vec4f(value)).x) {
    entries[place] = vec2u(i, bitcast<u32>(value));
    return place + 1u;
  }
  return place;
}

fn list_run(n: u32, run: u32, lane: u32, count: u32) {
  counts[lane] = count;
  workgroupBarrier();
  let runs = (WIDTH + RUN - 1u) / RUN;
  let first = (n * runs + run) * 2u * RUN_PAIRS;
  if (lane == 0u) {
    let row = (n * runs + run) * (RUN_BLOCKS + 1u);
    var place = first;
    starts[row] = first / 2u;
    for (var word = 0u; word < THREADS; word++) {
      let here = counts[word];
      counts[word] = place;
      place += here;
      let block_end = (word + 1u) * WORD % BLOCK == 0u || word + 1u == THREADS;
      if (block_end) {
        if (place % 2u == 1u) {
          entries[place] = vec2u(RUN * run + WORD * word / BLOCK * BLOCK, 0u); // a zero fills the pair
          place += 1u;
        }
        starts[row + WORD * word / BLOCK + 1u] = place / 2u;
      }
    }
  }
  workgroupBarrier();
  var place = counts[lane];
  let start = RUN * run + WORD * lane;
  for (var i = start; i < start + WORD; i += 4u) {
    let values = values_at(n, i);
    place = put(place, i, values.x);
    place = put(place, i + 1u, values.y);
    place = put(place, i + 2u, values.z);
    place = put(place, i + 3u, values.w);
  }
}

fn four_of_row(n: u32, i: u32) -> vec4u {
  return n * WIDTH + min(i + vec4u(0u, 1u, 2u, 3u), vec4u(WIDTH - 1u));
}

fn inside(i: u32, values: vec4f) -> vec4f {
  return select(vec4f(), values, i + vec4u(0u, 1u, 2u, 3u) < vec4u(WIDTH));
}
