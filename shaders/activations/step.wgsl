// Step unit: 1 if z > 0, else 0. It has no useful derivative, and an exact finite change all the
// same, for four units. Twin of src/cpu/activations.ts.

const CHANGE_FACTOR = 1e30; // the change of a nudge has no bound in dz

fn activate(z: vec4f) -> vec4f {
  return select(vec4f(), vec4f(1.0), z > vec4f());
}

fn companion(z: vec4f) -> vec4f {
  return z;
}

fn activation_change(a: vec4f, z: vec4f, dz: vec4f, tiny: bool) -> vec4f {
  return activate(z + dz) - a;
}

fn derivative(a: vec4f, z: vec4f) -> vec4f {
  return vec4f();
}
