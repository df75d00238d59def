// Gaussian error linear unit in its tanh form, z sigmoid(v), for four units. Twin of
// src/operations/gelu.ts.

#import special
#import gate
#import parts

const SCALE = 1.5957691; // 2 sqrt(2 / pi)
const CUBE = 0.044715;
const FAR = vec4f(30.0); // beyond this the sigmoid is 0 or 1, and a cube might overflow

// No nudge that moves z by up to `reach` changes the value by more than this.
fn farthest(reach: f32) -> f32 {
  return 1.129 * reach;
}

// v of z that is near.
fn argument(z: vec4f) -> vec4f {
  return SCALE * z * fma(CUBE * z, z, vec4f(1.0));
}

fn activate(z: vec4f) -> vec4f {
  return z * sigmoid(argument(clamp(z, -FAR, FAR)));
}

fn derivative(z: vec4f) -> vec4f {
  let near = clamp(z, -FAR, FAR);
  let v = argument(near);
  let slope = SCALE * fma(3.0 * CUBE * near, near, vec4f(1.0));
  return sigmoid(v) * fma(near * slope, sigmoid(-v), vec4f(1.0));
}

// v moves by a sum of squares times dz: nothing in it cancels.
fn change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  let before = clamp(z, -FAR, FAR);
  let after = clamp(z + dz, -FAR, FAR);
  let both = before + after;
  let squares = fma(before, before, fma(after, after, both * both));
  let is_near = max(abs(z), abs(z + dz)) <= FAR;
  let dv = SCALE * select(after - before, dz, is_near) * fma(vec4f(0.5 * CUBE), squares, vec4f(1.0));
  return gate_change(z, dz, argument(before), argument(after), dv);
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
