// Lists the values of a layer's input that are not zero, so that what walks the list pays nothing
// for zeros, also on devices that cannot skip a branch. Inputs come in blocks with a list each. A
// thread takes 32 inputs of a sample; it is given value_at(n, i) by the kernel.

#import block

override WIDTH: u32; // inputs + 1

@group(0) @binding(8) var<storage, read_write> entries: array<vec2u>; // [batch, blocks, BLOCK]: input, value
@group(0) @binding(9) var<storage, read_write> pairs: array<u32>; // [batch, blocks], of entries

const WORD = 32u; // inputs of a thread
const THREADS = 32u;
var<workgroup> counts: array<u32, THREADS>;

fn is_listed(n: u32, i: u32) -> bool {
  return i < WIDTH && value_at(n, min(i, WIDTH - 1u)) != 0.0;
}

fn list_word(n: u32, word: u32, lane: u32) {
  var count = 0u;
  for (var b = 0u; b < WORD; b++) {
    count += select(0u, 1u, is_listed(n, WORD * word + b));
  }
  counts[lane] = count;
  workgroupBarrier();
  let words = BLOCK / WORD; // of a block
  let blocks = (WIDTH + BLOCK - 1u) / BLOCK;
  let block_id = word / words;
  if (blocks <= block_id) {
    return;
  }
  var next = (n * blocks + block_id) * BLOCK;
  for (var before = lane - word % words; before < lane; before++) {
    next += counts[before];
  }
  for (var b = 0u; b < WORD; b++) {
    let i = WORD * word + b;
    if (is_listed(n, i)) {
      entries[next] = vec2u(i, bitcast<u32>(value_at(n, i)));
      next++;
    }
  }
  if (word % words == words - 1u) { // the last thread of the block
    let length = next - (n * blocks + block_id) * BLOCK;
    if (length % 2u == 1u) {
      entries[next] = vec2u(BLOCK * block_id, 0u); // a zero fills the last pair
    }
    pairs[n * blocks + block_id] = (length + 1u) / 2u;
  }
}
