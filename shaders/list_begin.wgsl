// Empties the list of items.

@group(0) @binding(9) var<storage, read_write> items: array<u32>; // how many there are, then the items

@compute @workgroup_size(1)
fn list_begin() {
  items[0] = 0u;
}
