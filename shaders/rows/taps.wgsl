// Rows of changes of nudges of filters' weights: for each channel of the part, sample and tap the
// points of the stencil.

#import maps

const ONE_SAMPLE = true; // of four rows side by side

fn has_rows(quad: u32) -> bool {
  return quad < count_of_rows() / 4u && 4u * quad % maps.rows < responses_of_channel() * POINTS;
}

fn response_of(row: u32) -> u32 {
  let local = min(row / maps.rows, maps.channels - 1u);
  let within = min(row % maps.rows / POINTS, responses_of_channel() - 1u);
  return local * responses_of_channel() + within;
}

fn count_of_items() -> u32 {
  return maps.channels * responses_of_channel();
}

fn has_item(item: u32) -> bool {
  return item < count_of_items();
}

fn row_of_item(item: u32) -> u32 {
  return item / responses_of_channel() * maps.rows + item % responses_of_channel() * POINTS;
}
