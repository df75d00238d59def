// Hyperbolic tangent, for four units: tanh(z) = 2 sigmoid(2z) - 1. Twin of tanh in
// src/operations/tanh.ts.

#import special
#import parts

// No nudge that moves z by up to `reach` changes the value by more than this.
fn farthest(reach: f32) -> f32 {
  return min(reach, 2.0);
}

// expm1(2z) / (expm1(2z) + 2), for z <= 0 to stay clear of overflow.
fn activate(z: vec4f) -> vec4f {
  let e = expm1(-2.0 * abs(z));
  return quotient(select(vec4f(1.0), vec4f(-1.0), z >= vec4f()) * e, e + 2.0);
}

// 1 - t^2, as a product: the difference would lose its digits on a saturated unit.
fn derivative(z: vec4f) -> vec4f {
  return 4.0 * sigmoid(2.0 * z) * sigmoid(-2.0 * z);
}

fn change(t: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  let s = fma(t, vec4f(0.5), vec4f(0.5));
  return 2.0 * logistic_change(s, 0.25 * c, 2.0 * (z + dz), 2.0 * dz);
}

// The same for |dz| up to NEAR_BY, at less cost.
const NEAR_BY = 0.5;
fn near_change(t: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  let s = fma(t, vec4f(0.5), vec4f(0.5));
  return 2.0 * logistic_near_change(s, 0.25 * c, 2.0 * dz);
}

const TINY_TO = TINY; // tiny_change holds as far as that

// Where |dz| <= TINY its series is (1 - t^2) dz (1 - t dz), the rest below dz^2.
fn tiny_unit(t: vec4f, c: vec4f, z: vec4f) -> Parts {
  return Parts(c, -t);
}

fn tiny_change(unit: Parts, dz: f32) -> vec4f {
  return unit.x * dz * fma(vec4f(dz), unit.y, vec4f(1.0));
}
