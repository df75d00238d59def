// What is evaluated at a time: nudges of some of a layer's units, and of those that go the general
// way, so many as the buffers of rows have room for. Responses are [batch, slots or states, units
// of the part, filled up to a multiple of 4]; an item is the place of one of them.

struct Part {
  first_unit: u32,
  units: u32, // that the layer has from there on, or fewer
  first_item: u32,
  items: u32, // that there is room for
  outputs: u32, // of the nudged layer
  per_sample: u32, // slots or states of a sample
}

@group(0) @binding(10) var<uniform> part: Part;

fn quads_of_part() -> u32 {
  return (part.units + 3u) / 4u;
}
