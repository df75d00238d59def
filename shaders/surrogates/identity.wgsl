// Straight through: the mean slope of what has steps, everywhere. Twin of src/core/surrogate.ts.

fn derivative(z: vec4f) -> vec4f {
  return vec4f(1.0);
}
