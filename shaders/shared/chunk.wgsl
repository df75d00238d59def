// A chunk of nudged copies of one layer's weights: those of some inputs and some units. The copies
// of a chunk are rows: for each entry (an input and a sample where it is not zero), each unit and
// each point of the stencil, one.

struct Chunk {
  first_input: u32,
  inputs: u32,
  first_unit: u32,
  units: u32,
}
