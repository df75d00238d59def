// Rows of changes of some weights of a layer: for each of them and each sample the points of the
// stencil. A response is a weight's on a sample.

#import part
#import items

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
