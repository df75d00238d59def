// The sums of 4 rows by 4 columns, and 4 inputs times 4 weights more.
fn outer_sum(sums: mat4x4f, inputs: vec4f, weights: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(inputs, vec4f(weights.x), sums[0]),
    fma(inputs, vec4f(weights.y), sums[1]),
    fma(inputs, vec4f(weights.z), sums[2]),
    fma(inputs, vec4f(weights.w), sums[3])
  );
}
