// What has steps has the derivative 0.

fn derivative(z: vec4f) -> vec4f {
  return vec4f();
}
