// Items that have their rows one behind the other, each the points of the stencil.

fn has_rows(quad: u32) -> bool {
  return 4u * quad < count_of_rows();
}

// All rows are of one layer's units, whose changes may reach any other's.
fn channel_of(quad: u32) -> u32 {
  return 0u;
}

fn has_item(item: u32) -> bool {
  return item < count_of_items();
}

fn row_of_item(item: u32) -> u32 {
  return item * POINTS;
}
