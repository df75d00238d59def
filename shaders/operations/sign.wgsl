// Sign: -1, 0 or 1, for four units. Twin of src/operations/sign.ts.

#import parts

// A nudge changes the value by 1, by 2 or not at all, however far it moves z.
fn farthest(reach: f32) -> f32 {
  return 2.0;
}

fn activate(z: vec4f) -> vec4f {
  return sign(z);
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
  return change(unit.x, vec4f(), unit.y, vec4f(dz));
}

const STATES = 3u;

fn state_value(q: u32) -> f32 {
  return f32(q) - 1.0;
}

fn state_of(z: vec4f) -> vec4u {
  return vec4u(vec4i(activate(z)) + 1);
}
