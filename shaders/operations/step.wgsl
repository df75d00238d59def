// Step unit: 1 if z > 0, else 0. It has no useful derivative, and an exact finite change all the
// same, for four units. Twin of src/operations/step.ts.

#import parts

// A nudge changes the value by 1 or not at all, however far it moves z.
fn farthest(reach: f32) -> f32 {
  return 1.0;
}

fn activate(z: vec4f) -> vec4f {
  return select(vec4f(), vec4f(1.0), z > vec4f());
}

fn derivative(z: vec4f) -> vec4f {
  return vec4f();
}

fn change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return activate(z + dz) - a;
}

const NEAR_BY = 3e38; // near_change is exact up to here
fn near_change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return change(a, c, z, dz);
}

const TINY_TO = 3e38; // tiny_change holds as far as that

// It needs no series where dz is tiny.
fn tiny_unit(a: vec4f, c: vec4f, z: vec4f) -> Parts {
  return Parts(a, z);
}

fn tiny_change(unit: Parts, dz: f32) -> vec4f {
  return activate(unit.y + dz) - unit.x;
}

const STATES = 2u;

fn state_value(q: u32) -> f32 {
  return f32(q);
}

fn state_of(z: vec4f) -> vec4u {
  return select(vec4u(), vec4u(1u), z > vec4f());
}
