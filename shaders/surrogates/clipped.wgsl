// Straight through, near what has steps: its mean slope up to a width away from the first and the last
// threshold. Twin of src/core/surrogate.ts.

override SURROGATE_WIDTH: f32 = 1.0;

fn derivative(z: vec4f) -> vec4f {
  let low = threshold(0u) - SURROGATE_WIDTH;
  let high = threshold(STATES - 2u) + SURROGATE_WIDTH;
  return select(vec4f(), vec4f(1.0), (z >= vec4f(low)) & (z <= vec4f(high)));
}
