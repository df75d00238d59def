// Nudges of a convolution's weights: what is evaluated at a time are some channels, and of each some
// of its filter's weights, its taps, as many of each channel. A response is a tap's on a sample:
// [channels of the part, batch, taps].

struct Maps {
  channels: u32,
  taps: u32, // of a channel, filled up to a multiple of 4
  rows: u32, // that there are places for, of a channel
  first_item: u32, // of a channel's list
  items: u32, // that there is room for, of a channel
}

override BATCH: u32;
override POINTS: u32; // of the stencil

@group(0) @binding(10) var<uniform> maps: Maps;
// For each channel its number and how many taps it has; then for each its taps: which weight of the
// filter, the bias behind the last, and where its gradient goes.
@group(0) @binding(14) var<storage, read> taps: array<vec2u>;

fn responses_of_channel() -> u32 {
  return BATCH * maps.taps;
}

fn local_of(quad: u32) -> u32 {
  return 4u * quad / maps.rows;
}

fn channel_of(quad: u32) -> u32 {
  return taps[min(local_of(quad), maps.channels - 1u)].x;
}

fn tap_of(response: u32) -> u32 {
  let local = response / responses_of_channel();
  return taps[maps.channels + local * maps.taps + response % maps.taps].x;
}

fn sample_of(response: u32) -> u32 {
  return response / maps.taps % BATCH;
}

fn count_of_rows() -> u32 {
  return maps.channels * maps.rows;
}

// For what is made of nudges of single units alone.
fn unit_of(response: u32) -> u32 {
  return 0u;
}
