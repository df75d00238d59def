// z times a sigmoid of it, which silu and gelu are. Twin of src/operations/gate.ts.

#import special

// The exact change of z sigmoid(v) when z moves by dz and v, which grows with z, by dv to `after`:
// with the lower and the higher place, (high - low) s(low) + high (s(high) - s(low)).
fn gate_change(z: vec4f, dz: vec4f, v: vec4f, after: vec4f, dv: vec4f) -> vec4f {
  let s = sigmoid(v);
  let ds = logistic_change(s, s * sigmoid(-v), after, dv);
  let up = dz > vec4f();
  let late = select(sigmoid(after), s + ds, dv >= vec4f(-1.0));
  return fma(dz, select(late, s, up), select(z, z + dz, up) * ds);
}
