// A max pool behind a convolution, taken in one: its window without padding or gaps. What each pooled
// unit sees of the convolution's input is its patch.

struct Pooled {
  kernel: vec2u,
  stride: vec2u,
  output: vec2u, // rows and columns
  padded: vec2u, // rows and columns of the convolution's input with its padding
}

@group(0) @binding(16) var<uniform> pooled: Pooled;
