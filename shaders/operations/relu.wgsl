// Rectified linear unit, for four units. Twin of src/operations/relu.ts.

#import special
#import parts

// No nudge that moves z by up to `reach` changes the value by more than this.
fn farthest(reach: f32) -> f32 {
  return reach;
}

fn activate(z: vec4f) -> vec4f {
  return select(vec4f(), z, z > vec4f());
}

fn derivative(z: vec4f) -> vec4f {
  return select(vec4f(), vec4f(1.0), z > vec4f());
}

fn change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return rectified_change(z, dz);
}

const NEAR_BY = 3e38; // near_change is exact up to here
fn near_change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return change(a, c, z, dz);
}

const TINY_TO = 3e38; // tiny_change holds as far as that

// It needs no series where dz is tiny.
fn tiny_unit(a: vec4f, c: vec4f, z: vec4f) -> Parts {
  return Parts(z, vec4f());
}

fn tiny_change(unit: Parts, dz: f32) -> vec4f {
  return rectified_change(unit.x, vec4f(dz));
}

fn piece_slope(z: vec4f) -> vec4f {
  return select(vec4f(), vec4f(1.0), z > vec4f());
}

fn piece_low(z: vec4f) -> vec4f {
  return select(vec4f(-UNBOUNDED), vec4f(), z > vec4f());
}

fn piece_high(z: vec4f) -> vec4f {
  return select(vec4f(), vec4f(UNBOUNDED), z > vec4f());
}

const UNBOUNDED = 3e38; // stands for infinity
