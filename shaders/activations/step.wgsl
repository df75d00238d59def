// Step unit: 1 if z > 0, else 0. It has no useful derivative, and an exact finite change all the
// same. Twin of src/cpu/activations.ts.

const CHANGE_FACTOR = 1e30; // the change of a nudge has no bound in dz

fn activate(z: f32) -> f32 {
  return select(0.0, 1.0, z > 0.0);
}

fn companion(z: f32) -> f32 {
  return z;
}

fn activation_change(a: f32, z: f32, dz: f32, tiny: bool) -> f32 {
  return select(0.0, 1.0, z + dz > 0.0) - a;
}

fn derivative(a: f32, z: f32) -> f32 {
  return 0.0;
}
