// Logistic sigmoid: value, companion, exact finite change, derivative, for four units. Twin of
// src/operations/sigmoid.ts.

#import special

const CHANGE_FACTOR = 0.25; // no change is larger than this times dz

fn activate(z: vec4f) -> vec4f {
  return sigmoid(z);
}

fn companion(z: vec4f) -> vec4f {
  return sigmoid(z) * sigmoid(-z);
}

// s(1-s) e / (1 + s e) with e = expm1(dz).
fn activation_change(s: vec4f, c: vec4f, dz: vec4f) -> vec4f {
  let e = expm1(dz);
  return c * e / fma(s, e, vec4f(1.0));
}

// Where |dz| <= TINY its series is s(1-s) dz (1 + (1/2 - s) dz), the rest below dz^2 / 6.
fn curvature(s: vec4f) -> vec4f {
  return 0.5 - s;
}

fn tiny_change(s: vec4f, c: vec4f, curvature: vec4f, dz: f32) -> vec4f {
  return c * dz * fma(vec4f(dz), curvature, vec4f(1.0));
}

fn derivative(s: vec4f, c: vec4f) -> vec4f {
  return c;
}
