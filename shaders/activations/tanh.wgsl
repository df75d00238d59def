// Hyperbolic tangent: value, companion, exact finite change, derivative. Twin of
// src/cpu/activations.ts.

#import special

const CHANGE_FACTOR = 1.0; // no change is larger than this times dz

// tanh(z) = expm1(2z) / (expm1(2z) + 2), for z <= 0 to stay clear of overflow.
fn tanh_exact(z: f32) -> f32 {
  let e = expm1(-2.0 * abs(z));
  return select(1.0, -1.0, z >= 0.0) * e / (e + 2.0);
}

fn activate(z: f32) -> f32 {
  return tanh_exact(z);
}

// 1 - t^2 as a product: the difference would lose its digits on a saturated unit.
fn companion(z: f32) -> f32 {
  return 4.0 * sigmoid(2.0 * z) * sigmoid(-2.0 * z);
}

// The addition theorem: (1 - t^2) u / (1 + t u) with u = tanh(dz). `tiny` promises |dz| <= TINY.
fn activation_change(t: f32, c: f32, dz: f32, tiny: bool) -> f32 {
  var u: f32;
  if (tiny) {
    u = dz * fma(dz * dz, -0.33333333, 1.0); // the rest is below 2^-30 dz
  } else {
    u = tanh_exact(dz);
  }
  return c * u / fma(t, u, 1.0);
}

fn derivative(t: f32, c: f32) -> f32 {
  return c;
}
