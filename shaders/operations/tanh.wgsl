// Hyperbolic tangent: value, companion, exact finite change, derivative, for four units. Twin of
// src/operations/tanh.ts.

#import special

const CHANGE_FACTOR = 1.0; // no change is larger than this times dz

// tanh(z) = expm1(2z) / (expm1(2z) + 2), for z <= 0 to stay clear of overflow.
fn tanh_exact(z: vec4f) -> vec4f {
  let e = expm1(-2.0 * abs(z));
  return select(vec4f(1.0), vec4f(-1.0), z >= vec4f()) * e / (e + 2.0);
}

fn activate(z: vec4f) -> vec4f {
  return tanh_exact(z);
}

// 1 - t^2 as a product: the difference would lose its digits on a saturated unit.
fn companion(z: vec4f) -> vec4f {
  return 4.0 * sigmoid(2.0 * z) * sigmoid(-2.0 * z);
}

// The addition theorem: (1 - t^2) u / (1 + t u) with u = tanh(dz).
fn activation_change(t: vec4f, c: vec4f, dz: vec4f) -> vec4f {
  let u = tanh_exact(dz);
  return c * u / fma(t, u, vec4f(1.0));
}

// Where |dz| <= TINY its series is (1 - t^2) dz (1 - t dz), the rest below dz^2.
fn curvature(t: vec4f) -> vec4f {
  return -t;
}

fn tiny_change(t: vec4f, c: vec4f, curvature: vec4f, dz: f32) -> vec4f {
  return c * dz * fma(vec4f(dz), curvature, vec4f(1.0));
}

fn derivative(t: vec4f, c: vec4f) -> vec4f {
  return c;
}
