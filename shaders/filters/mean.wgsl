// An average pool is a convolution of each channel with ones, over the cells that are not padding.

#import special

const HAS_WEIGHTS = false;

fn weights_at(indices: vec4u) -> vec4f {
  return vec4f(1.0);
}

// What the sum over an output's window is multiplied by.
fn share_of(place: vec2u) -> f32 {
  let first = place * window.stride; // of the padded maps
  let before = (max(first, window.pad) - first + window.dilation - 1u) / window.dilation;
  let behind = (window.input + window.pad - 1u - first) / window.dilation + 1u;
  let cells = min(behind, window.kernel) - before;
  return quotient(vec4f(1.0), vec4f(f32(cells.x * cells.y))).x;
}
