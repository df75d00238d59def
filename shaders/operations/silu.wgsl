// Sigmoid-weighted linear unit, for four units. Twin of src/operations/silu.ts.

#import special
#import gate
#import parts

// No nudge that moves z by up to `reach` changes the value by more than this.
fn farthest(reach: f32) -> f32 {
  return 1.0999 * reach;
}

fn activate(z: vec4f) -> vec4f {
  return z * sigmoid(z);
}

fn derivative(z: vec4f) -> vec4f {
  return sigmoid(z) * fma(z, sigmoid(-z), vec4f(1.0));
}

fn change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return gate_change(z, dz, z, z + dz, dz);
}

const NEAR_BY = 3e38; // near_change is exact up to here
fn near_change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return change(a, c, z, dz);
}

const TINY_TO = TINY; // tiny_change holds as far as that

// It needs no series where dz is tiny.
fn tiny_unit(a: vec4f, c: vec4f, z: vec4f) -> Parts {
  return Parts(a, z);
}

fn tiny_change(unit: Parts, dz: f32) -> vec4f {
  return change(unit.x, vec4f(), unit.y, vec4f(dz));
}
