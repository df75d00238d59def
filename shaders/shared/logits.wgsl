// What a loss is taken of: the batch, once or for several copies of the network.

override BATCH: u32;
override COPY_STRIDE: u32; // from a copy of the network to the next
override SAMPLE_STRIDE: u32;
override CLASS_STRIDE: u32;

@group(0) @binding(0) var<storage, read> logits: array<f32>;

// Where the logits of row n start.
fn logits_of(n: u32) -> u32 {
  return n / BATCH * COPY_STRIDE + n % BATCH * SAMPLE_STRIDE;
}
