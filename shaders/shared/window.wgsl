// What convolutions and pools look at: each place of an output map sees a window of places of the
// maps that it takes, a cell of the kernel each. Places and cells are (row, column). Twin of Window
// in src/operations/structure.ts, and laid out by src/gpu/window.ts.

struct Window {
  input: vec2u, // rows and columns of the maps that it takes
  output: vec2u, // of the maps that it gives
  kernel: vec2u,
  stride: vec2u,
  dilation: vec2u,
  pad: vec2u, // above and to the left
  groups: u32,
  taken: u32, // channels that a group takes
  given: u32, // channels that a group gives
  offset: u32, // of its filters in the parameters
  first: u32, // line of this part of long sums
  behind: u32, // the last
}

@group(0) @binding(13) var<uniform> window: Window;

fn inputs_of_window() -> u32 { // of a sample
  return window.groups * window.taken * window.input.x * window.input.y;
}

fn outputs_of_window() -> u32 { // of a sample
  return window.groups * window.given * window.output.x * window.output.y;
}

fn place_of(position: u32, size: vec2u) -> vec2u {
  return vec2u(position / size.y, position % size.y);
}

// The place behind, without a division.
fn next_place(place: vec2u, size: vec2u) -> vec2u {
  return select(place + vec2u(0u, 1u), vec2u(place.x + 1u, 0u), place.y + 1u == size.y);
}

// Where a cell of the window of an output's place lies. What is padding is beyond the maps: below 0
// numbers wrap around.
fn place_taken(place: vec2u, cell: vec2u) -> vec2u {
  return place * window.stride + cell * window.dilation - window.pad;
}

// The output's place whose cell lies at an input's place; beyond the maps where there is none.
fn place_given(place: vec2u, cell: vec2u) -> vec2u {
  let from_first = place + window.pad - cell * window.dilation;
  let met = from_first % window.stride == vec2u();
  return select(vec2u(0xffffffffu), from_first / window.stride, met);
}

fn is_within(place: vec2u, size: vec2u) -> bool {
  return all(place < size);
}

// The lines of a sum are the kernel's rows, for each channel that is summed over.
fn line_of(line: u32) -> vec2u { // channel, row of cells
  return vec2u(line / window.kernel.x, line % window.kernel.x);
}

fn next_line(on: vec2u) -> vec2u {
  let next = on + vec2u(0u, 1u);
  return select(vec2u(on.x + 1u, 0u), next, next.y < window.kernel.x);
}

// Weights of a filter, one behind the other.
fn weights_of_filter() -> u32 {
  return window.taken * window.kernel.x * window.kernel.y;
}

// Where filters have their weights of channels of their group and a cell.
fn weight_index(filters: vec4u, channels: vec4u, cell: vec2u) -> vec4u {
  let weights = (channels * window.kernel.x + cell.x) * window.kernel.y + cell.y;
  return window.offset + filters * weights_of_filter() + weights;
}

fn bias_index(filters: vec4u) -> vec4u {
  return window.offset + window.groups * window.given * weights_of_filter() + filters;
}

// Four channels of a map; beyond the last, that again, for nothing.
fn channels_from(channel: u32, channels: u32) -> vec4u {
  return min(channel + vec4u(0u, 1u, 2u, 3u), vec4u(channels - 1u));
}
