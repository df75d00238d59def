// Behind a list's passes: says how many items it had, and notes the first step at which they were
// more than there were passes for. That step's gradient is not to be used: it is made again, with more.

#import notes
#import part

@group(0) @binding(1) var<storage, read_write> counts: array<u32>; // [lists], the most items so far
@group(0) @binding(9) var<storage, read> items: array<u32>; // how many there are, then the items

@compute @workgroup_size(1)
fn list_end() {
  counts[part.first_item] = max(counts[part.first_item], items[0]);
  if (items[0] > part.items) {
    atomicMin(&notes[BAD + 2u], step);
  }
}
