// Softplus, for four units. Twin of src/operations/softplus.ts.

#import special
#import parts

// No nudge that moves z by up to `reach` changes the value by more than this.
fn farthest(reach: f32) -> f32 {
  return reach;
}

fn activate(z: vec4f) -> vec4f {
  return max(z, vec4f()) + softplus_rest(z);
}

fn derivative(z: vec4f) -> vec4f {
  return sigmoid(z);
}

fn change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return softplus_change(z, c, dz);
}

// The same for |dz| up to NEAR_BY, at less cost.
const NEAR_BY = 1.0;
fn near_change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return log1p(c * expm1(dz));
}

const TINY_TO = TINY; // tiny_change holds as far as that

// Where |dz| <= TINY its series is c dz (1 + (1 - c) dz / 2), the rest below dz^2 / 6.
fn tiny_unit(a: vec4f, c: vec4f, z: vec4f) -> Parts {
  return Parts(c, 0.5 - 0.5 * c);
}

fn tiny_change(unit: Parts, dz: f32) -> vec4f {
  return unit.x * dz * fma(vec4f(dz), unit.y, vec4f(1.0));
}
