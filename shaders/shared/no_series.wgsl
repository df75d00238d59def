// The forms of activations whose change() is one for all changes, near and tiny ones too.

#import parts

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
