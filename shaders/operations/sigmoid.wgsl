// Logistic sigmoid, for four units. Twin of src/operations/sigmoid.ts.

#import special
#import parts

// No nudge that moves z by up to `reach` changes the value by more than this.
fn farthest(reach: f32) -> f32 {
  return min(0.25 * reach, 1.0);
}

fn activate(z: vec4f) -> vec4f {
  return sigmoid(z);
}

// s (1 - s), as a product: the difference would lose its digits on a saturated unit.
fn derivative(z: vec4f) -> vec4f {
  return sigmoid(z) * sigmoid(-z);
}

fn change(s: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return logistic_change(s, c, z + dz, dz);
}

// The same for |dz| up to NEAR_BY, at less cost.
const NEAR_BY = 0.5;
fn near_change(s: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return logistic_near_change(s, c, dz);
}

const TINY_TO = TINY; // tiny_change holds as far as that

// Where |dz| <= TINY its series is s(1-s) dz (1 + (1/2 - s) dz), the rest below dz^2 / 6.
fn tiny_unit(s: vec4f, c: vec4f, z: vec4f) -> Parts {
  return Parts(c, 0.5 - s);
}

fn tiny_change(unit: Parts, dz: f32) -> vec4f {
  return unit.x * dz * fma(vec4f(dz), unit.y, vec4f(1.0));
}
