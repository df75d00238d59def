// Rectified linear unit: value, companion, exact finite change, derivative. Twin of
// src/cpu/activations.ts.

const CHANGE_FACTOR = 1.0; // no change is larger than this times dz

fn activate(z: f32) -> f32 {
  return select(0.0, z, z > 0.0);
}

fn companion(z: f32) -> f32 {
  return z;
}

// By the signs before and after; max(z + dz, 0) - max(z, 0) would subtract near-equals.
fn activation_change(a: f32, z: f32, dz: f32, tiny: bool) -> f32 {
  let after = z + dz;
  return select(select(0.0, after, after > 0.0), select(-z, dz, after > 0.0), z > 0.0);
}

fn derivative(a: f32, z: f32) -> f32 {
  return select(0.0, 1.0, z > 0.0);
}
