// Who wins a max pool where its inputs x move by dx: compared without the sum x + dx, in which a small
// change is lost. The clamps change nothing; they keep a compiler from adding in another order.

// x_v - x_u.
fn lead_of(x_v: f32, x_u: f32) -> f32 {
  return clamp(x_v - x_u, -3e38, 3e38);
}

// Whether v is larger than u, once both have moved.
fn beats(x_v: f32, dx_v: f32, x_u: f32, dx_u: f32) -> bool {
  return lead_of(x_v, x_u) + clamp(dx_v - dx_u, -3e38, 3e38) > 0.0;
}
