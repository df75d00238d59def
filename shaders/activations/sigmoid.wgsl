// Logistic sigmoid: value, companion, exact finite change, derivative. Twin of src/cpu/activations.ts.

#import special

const CHANGE_FACTOR = 0.25; // no change is larger than this times dz

fn activate(z: f32) -> f32 {
  return sigmoid(z);
}

fn companion(z: f32) -> f32 {
  return sigmoid(z) * sigmoid(-z);
}

// s(1-s) e / (1 + s e) with e = expm1(dz). `tiny` promises |dz| <= TINY.
fn activation_change(s: f32, c: f32, dz: f32, tiny: bool) -> f32 {
  var e: f32;
  if (tiny) {
    e = expm1_tiny(dz);
  } else {
    e = expm1(dz);
  }
  return c * e / fma(s, e, 1.0);
}

fn derivative(s: f32, c: f32) -> f32 {
  return c;
}
