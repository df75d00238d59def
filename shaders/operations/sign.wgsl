// Sign: -1, 0 or 1, for four units. Twin of src/operations/sign.ts.

#import states

const STATES = 3u;
const LOW = -1.0;
const GAP = 1.0;

fn state_of(z: vec4f) -> vec4u {
  return vec4u(vec4i(sign(z)) + 1);
}

fn threshold(i: u32) -> f32 {
  return 0.0;
}
