// Step unit: 1 if z > 0, else 0. It has no useful derivative, and an exact finite change all the
// same, for four units. Twin of src/cpu/activations.ts.

const CHANGE_FACTOR = 1e30; // the change of a nudge has no bound in dz

fn activate(z: vec4f) -> vec4f {
  return select(vec4f(), vec4f(1.0), z > vec4f());
}

fn companion(z: vec4f) -> vec4f {
  return z;
}

fn activation_change(a: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return activate(z + dz) - a;
}

// It needs no series where dz is tiny.
fn curvature(a: vec4f) -> vec4f {
  return vec4f();
}

fn tiny_change(a: vec4f, z: vec4f, curvature: vec4f, dz: f32) -> vec4f {
  return activation_change(a, z, vec4f(dz));
}

fn derivative(a: vec4f, z: vec4f) -> vec4f {
  return vec4f();
}

const STATES = 2u;

fn state_value(state: u32) -> f32 {
  return f32(state);
}

fn state_of(z: vec4f) -> vec4u {
  return select(vec4u(), vec4u(1u), z > vec4f());
}
