// Rectified linear unit: value, companion, exact finite change, derivative, for four units. Twin of
// src/cpu/activations.ts.

const CHANGE_FACTOR = 1.0; // no change is larger than this times dz

fn activate(z: vec4f) -> vec4f {
  return select(vec4f(), z, z > vec4f());
}

fn companion(z: vec4f) -> vec4f {
  return z;
}

// By the signs before and after; max(z + dz, 0) - max(z, 0) would subtract near-equals.
fn activation_change(a: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  let after = z + dz;
  let on = after > vec4f();
  return select(select(vec4f(), after, on), select(-z, dz, on), z > vec4f());
}

// It needs no series where dz is tiny.
fn curvature(a: vec4f) -> vec4f {
  return vec4f();
}

fn tiny_change(a: vec4f, z: vec4f, curvature: vec4f, dz: f32) -> vec4f {
  return activation_change(a, z, vec4f(dz));
}

fn derivative(a: vec4f, z: vec4f) -> vec4f {
  return select(vec4f(), vec4f(1.0), z > vec4f());
}

// The straight piece that holds z: its slope, and where it begins and ends.
fn piece_slope(z: vec4f) -> vec4f {
  return select(vec4f(), vec4f(1.0), z > vec4f());
}

fn piece_low(z: vec4f) -> vec4f {
  return select(vec4f(-3e38), vec4f(), z > vec4f());
}

fn piece_high(z: vec4f) -> vec4f {
  return select(vec4f(), vec4f(3e38), z > vec4f());
}
