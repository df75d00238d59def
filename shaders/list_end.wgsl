// Says how many items a list has, or the longest of several side by side, and notes the first step at which they were
// more than there were passes for. That step's gradient is not to be used: it is made again, with more.

#import notes
#import part

@group(0) @binding(1) var<storage, read_write> counts: array<u32>; // [lists], the most items so far
@group(0) @binding(9) var<storage, read> items: array<u32>; // how many there are, of each list; then the items

override LISTS: u32;

@compute @workgroup_size(1)
fn list_end() {
  var count = 0u;
  for (var list = 0u; list < LISTS; list++) {
    count = max(count, items[list]);
  }
  counts[part.first_item] = max(counts[part.first_item], count);
  if (count > part.items) {
    atomicMin(&notes[BAD + 2u], step);
  }
}
