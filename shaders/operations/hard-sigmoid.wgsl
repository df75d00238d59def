// Hard sigmoid, 0 up to LOW, 1 from HIGH, and SLOPE between them, for four units. Twin of
// src/operations/hard-sigmoid.ts, which says all three.

#import ramp
#import no_series

// No nudge that moves z by up to `reach` changes the value by more than this.
fn farthest(reach: f32) -> f32 {
  return min(SLOPE * reach, 1.0);
}

fn activate(z: vec4f) -> vec4f {
  return (clamp(z, vec4f(LOW), vec4f(HIGH)) - LOW) * SLOPE;
}

fn derivative(z: vec4f) -> vec4f {
  return select(vec4f(), vec4f(SLOPE), (z > vec4f(LOW)) & (z < vec4f(HIGH)));
}

fn change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return ramp_change(LOW, HIGH, z, dz) * SLOPE;
}

fn piece_slope(z: vec4f) -> vec4f {
  return derivative(z);
}

fn piece_low(z: vec4f) -> vec4f {
  return ramp_piece_low(LOW, HIGH, z);
}

fn piece_high(z: vec4f) -> vec4f {
  return ramp_piece_high(LOW, HIGH, z);
}
