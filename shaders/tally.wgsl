// Ends a submission: counts it, so that whoever reads anything back knows that all of it was done.

@group(0) @binding(0) var<storage, read_write> tally: u32;

@compute @workgroup_size(1)
fn count_submission() {
  tally += 1u;
}
