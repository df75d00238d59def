// Random directions of plus and minus one: a hash of the direction's key and the parameter's index.
// Twin of src/core/directions.ts.

fn direction_sign(key: u32, index: u32) -> f32 {
  var t = key + index * 0x9e3779b9u;
  t = (t ^ (t >> 16u)) * 0x21f0aaadu;
  t = (t ^ (t >> 15u)) * 0x735a2d97u;
  t = t ^ (t >> 15u);
  return select(-1.0, 1.0, (t >> 31u) == 1u);
}
