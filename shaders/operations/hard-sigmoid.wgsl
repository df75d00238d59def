// Hard sigmoid, z / 6 + 1/2 from 0 to 1, for four units. Twin of src/operations/hard-sigmoid.ts.

#import ramp
#import no_series

const HIGH = 3.0;
const SIXTH = 0.16666667;

// No nudge that moves z by up to `reach` changes the value by more than this.
fn farthest(reach: f32) -> f32 {
  return min(SIXTH * reach, 1.0);
}

fn activate(z: vec4f) -> vec4f {
  return clamp(z + HIGH, vec4f(), vec4f(2.0 * HIGH)) * SIXTH;
}

fn derivative(z: vec4f) -> vec4f {
  return select(vec4f(), vec4f(SIXTH), abs(z) < vec4f(HIGH));
}

fn change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return ramp_change(-HIGH, HIGH, z, dz) * SIXTH;
}

fn piece_slope(z: vec4f) -> vec4f {
  return derivative(z);
}

fn piece_low(z: vec4f) -> vec4f {
  return ramp_piece_low(-HIGH, HIGH, z);
}

fn piece_high(z: vec4f) -> vec4f {
  return ramp_piece_high(-HIGH, HIGH, z);
}
