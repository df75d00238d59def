// Logistic sigmoid: value, companion, exact finite change, derivative, for four units. Twin of
// src/cpu/activations.ts.

#import special

const CHANGE_FACTOR = 0.25; // no change is larger than this times dz

fn activate(z: vec4f) -> vec4f {
  return sigmoid(z);
}

fn companion(z: vec4f) -> vec4f {
  return sigmoid(z) * sigmoid(-z);
}

// s(1-s) e / (1 + s e) with e = expm1(dz). Where dz is tiny (|dz| <= TINY) its series is
// s(1-s) dz (1 + (1/2 - s) dz), the rest below dz^2 / 6.
fn activation_change(s: vec4f, c: vec4f, dz: vec4f, tiny: bool) -> vec4f {
  if (tiny) {
    return c * dz * fma(dz, 0.5 - s, vec4f(1.0));
  }
  let e = expm1(dz);
  return c * e / fma(s, e, vec4f(1.0));
}

fn derivative(s: vec4f, c: vec4f) -> vec4f {
  return c;
}
