// Exponential linear unit, for four units: times SCALE below 0, and STEEPEST the larger of that and 1.
// Twin of src/operations/elu.ts, which says both.

#import special
#import parts

// No nudge that moves z by up to `reach` changes the value by more than this.
fn farthest(reach: f32) -> f32 {
  return STEEPEST * reach;
}

fn activate(z: vec4f) -> vec4f {
  return select(SCALE * expm1(z), z, z > vec4f());
}

fn derivative(z: vec4f) -> vec4f {
  return select(SCALE * exp_exact(z), vec4f(1.0), z > vec4f());
}

// By the signs before and after. Below 0 it is c (e^dz - 1), or, where e^dz might overflow,
// e^(z+dz) (1 - e^-dz).
fn change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  let after = z + dz;
  let far = dz > vec4f(1.0);
  let positive = z > vec4f();
  let e = expm1(select(select(dz, -dz, far), after, positive));
  let below = e * select(c, -SCALE * exp_exact(after), far);
  let on = after > vec4f();
  return select(select(below, max(after, vec4f()) - a, on), select(SCALE * e - z, dz, on), positive);
}

// The same for |dz| up to NEAR_BY, at less cost.
const NEAR_BY = 1.0;
fn near_change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  let after = z + dz;
  let positive = z > vec4f();
  let e = expm1(select(dz, after, positive));
  let on = after > vec4f();
  return select(select(c * e, max(after, vec4f()) - a, on), select(SCALE * e - z, dz, on), positive);
}

const TINY_TO = TINY; // tiny_change holds as far as that

// Above 0 c is 1, and below it is needed.
fn tiny_unit(a: vec4f, c: vec4f, z: vec4f) -> Parts {
  return Parts(c, z);
}

fn tiny_change(unit: Parts, dz: f32) -> vec4f {
  return change(activate(unit.y), unit.x, unit.y, vec4f(dz));
}
