// Rows of changes of some weights of a layer: for each of them and each sample the points of the
// stencil. A response is a weight's on a sample.

#import part

override POINTS: u32; // of the stencil
override BATCH: u32;

@group(0) @binding(9) var<storage, read> items: array<vec2u>; // the weights: unit, input

const ONE_SAMPLE = false; // of four rows side by side

fn count_of_items() -> u32 {
  return part.items;
}

fn count_of_rows() -> u32 {
  return part.items * POINTS;
}

fn response_of(row: u32) -> u32 {
  return part.first_item + min(row / POINTS, part.items - 1u);
}

fn sample_of(response: u32) -> u32 {
  return response % BATCH;
}

fn unit_of(response: u32) -> u32 {
  return items[response / BATCH].x;
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
