// Rows of changes of what is listed: for each item the points of the stencil.

#import part
#import items

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
