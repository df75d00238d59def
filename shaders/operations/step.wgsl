// Step unit: 1 if z > 0, else 0. It has no useful derivative, and an exact finite change all the
// same, for four units. Twin of src/operations/step.ts.

#import states

const STATES = 2u;
const LOW = 0.0;
const GAP = 1.0;

fn state_of(z: vec4f) -> vec4u {
  return select(vec4u(), vec4u(1u), z > vec4f());
}

fn threshold(i: u32) -> f32 {
  return 0.0;
}
