// Empties a list of items, or several side by side.

@group(0) @binding(9) var<storage, read_write> items: array<u32>; // how many there are, of each list; then the items

override LISTS: u32;

@compute @workgroup_size(1)
fn list_begin() {
  for (var list = 0u; list < LISTS; list++) {
    items[list] = 0u;
  }
}
