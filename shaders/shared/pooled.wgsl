// A max pool behind a convolution, taken in one: its window without padding or gaps; of single cells
// where there is none.

struct Pooled {
  kernel: vec2u,
  stride: vec2u,
  output: vec2u, // rows and columns
}

@group(0) @binding(16) var<uniform> pooled: Pooled;
