// Leaky rectified linear unit, for four units: SLOPE below 0, and STEEPEST the larger of that and 1.
// Twin of src/operations/leaky-relu.ts, which says both.

#import no_series

// No nudge that moves z by up to `reach` changes the value by more than this.
fn farthest(reach: f32) -> f32 {
  return STEEPEST * reach;
}

fn activate(z: vec4f) -> vec4f {
  return select(SLOPE * z, z, z > vec4f());
}

fn derivative(z: vec4f) -> vec4f {
  return select(vec4f(SLOPE), vec4f(1.0), z > vec4f());
}

// By the signs before and after: across the kink, the way to it and the way behind it, each times
// its slope. What lies on the other side is taken by a bound, so that no compiler adds in another
// order.
fn change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  let after = z + dz;
  let on = after > vec4f();
  return select(
    select(SLOPE * dz, max(after, vec4f()) - a, on),
    select(SLOPE * min(after, vec4f()) - z, dz, on),
    z > vec4f()
  );
}

fn piece_slope(z: vec4f) -> vec4f {
  return derivative(z);
}

fn piece_low(z: vec4f) -> vec4f {
  return select(vec4f(-UNBOUNDED), vec4f(), z > vec4f());
}

fn piece_high(z: vec4f) -> vec4f {
  return select(vec4f(), vec4f(UNBOUNDED), z > vec4f());
}

const UNBOUNDED = 3e38; // stands for infinity
