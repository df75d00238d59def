// Rows of changes of what is listed: for each item the points of the stencil.

#import part

override POINTS: u32; // of the stencil

@group(0) @binding(9) var<storage, read> items: array<u32>; // how many there are, then the items

const ONE_SAMPLE = false; // of four rows side by side

fn count_of_items() -> u32 {
  return min(max(items[0], part.first_item) - part.first_item, part.items);
}

fn count_of_rows() -> u32 {
  return count_of_items() * POINTS;
}

// Where the response that a row is a point of lies; rows beyond the last are the last again.
fn response_of(row: u32) -> u32 {
  return items[1u + part.first_item + min(row / POINTS, max(count_of_items(), 1u) - 1u)];
}

fn sample_of(response: u32) -> u32 {
  return response / (4u * quads_of_part()) / part.per_sample;
}

fn unit_of(response: u32) -> u32 {
  return min(part.first_unit + response % (4u * quads_of_part()), part.outputs - 1u);
}

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
