// Rows of changes of all units of the part on all samples, one each.

#import part

override BATCH: u32;

const ONE_SAMPLE = true; // of four rows side by side

fn count_of_rows() -> u32 {
  return BATCH * 4u * quads_of_part();
}

fn response_of(row: u32) -> u32 {
  return min(row, count_of_rows() - 1u);
}

fn sample_of(response: u32) -> u32 {
  return response / (4u * quads_of_part());
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
