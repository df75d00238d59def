// Quantised to LEVELS values between 0 and 1, GAP apart, for four units. Twin of
// src/operations/round.ts, which says both.

#import states

const STATES = LEVELS;
const LOW = 0.0;

// Half way between two values z gets the lower.
fn state_of(z: vec4f) -> vec4u {
  let place = clamp(z, vec4f(), vec4f(1.0)) * f32(LEVELS - 1u);
  return vec4u(max(ceil(place - 0.5), vec4f()));
}

fn threshold(i: u32) -> f32 {
  return (f32(i) + 0.5) * GAP;
}
