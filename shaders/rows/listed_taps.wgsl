// Rows of changes of those nudges of filters' weights that are listed, each channel's apart: for each
// the points of the stencil.

#import maps

@group(0) @binding(9) var<storage, read> items: array<u32>; // [channels] of how many there are; [channels, responses of one] items

const ONE_SAMPLE = false; // of four rows side by side

fn items_of(local: u32) -> u32 {
  return min(max(items[local], maps.first_item) - maps.first_item, maps.items);
}

fn has_rows(quad: u32) -> bool {
  return quad < count_of_rows() / 4u && 4u * quad % maps.rows < items_of(local_of(quad)) * POINTS;
}

fn response_of(row: u32) -> u32 {
  let local = min(row / maps.rows, maps.channels - 1u);
  let last = max(maps.first_item + items_of(local), 1u) - 1u;
  let item = min(maps.first_item + row % maps.rows / POINTS, last);
  return items[maps.channels + local * responses_of_channel() + item];
}

fn count_of_items() -> u32 {
  return maps.channels * maps.items;
}

fn has_item(item: u32) -> bool {
  return item % maps.items < items_of(item / maps.items);
}

fn row_of_item(item: u32) -> u32 {
  return item / maps.items * maps.rows + item % maps.items * POINTS;
}
