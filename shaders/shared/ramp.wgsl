// The ramp min(max(z, low), high), of which bounded piecewise activations are made. Twin of
// src/operations/ramp.ts.

const UNBOUNDED = 3e38; // stands for infinity

// z + dz - kink, with nothing rounded before near-equals are subtracted. The clamp changes nothing; it
// keeps a compiler from adding in another order.
fn above(kink: f32, z: vec4f, dz: vec4f) -> vec4f {
  let least = vec4f(abs(kink));
  let z_first = abs(z - kink) <= min(abs(z), least);
  let dz_first = abs(dz - kink) <= min(abs(dz), least);
  let first = select(select(z + dz, dz - kink, dz_first), z - kink, z_first);
  let sum = clamp(first, vec4f(-UNBOUNDED), vec4f(UNBOUNDED));
  return sum + select(select(vec4f(-kink), z, dz_first), dz, z_first);
}

// Its exact change, by the pieces that hold z and z + dz.
fn ramp_change(low: f32, high: f32, z: vec4f, dz: vec4f) -> vec4f {
  let over_low = above(low, z, dz);
  let over_high = above(high, z, dz);
  let ends_low = over_low <= vec4f();
  let ends_high = over_high >= vec4f();
  let width = vec4f(high - low);
  let from_low = select(select(over_low, width, ends_high), vec4f(), ends_low);
  let from_high = select(select(over_high, -width, ends_low), vec4f(), ends_high);
  let from_middle = select(select(dz, high - z, ends_high), low - z, ends_low);
  return select(
    select(from_middle, from_high, z >= vec4f(high)),
    from_low,
    z <= vec4f(low)
  );
}

// The bounds of the piece that holds z.
fn ramp_piece_low(low: f32, high: f32, z: vec4f) -> vec4f {
  return select(select(vec4f(low), vec4f(high), z >= vec4f(high)), vec4f(-UNBOUNDED), z <= vec4f(low));
}

fn ramp_piece_high(low: f32, high: f32, z: vec4f) -> vec4f {
  return select(select(vec4f(high), vec4f(UNBOUNDED), z >= vec4f(high)), vec4f(low), z <= vec4f(low));
}
