// The filters of a convolution are parameters.

@group(0) @binding(15) var<storage, read> parameters: array<f32>; // [parameters]

const HAS_WEIGHTS = true;

fn weights_at(indices: vec4u) -> vec4f {
  return vec4f(
    parameters[indices.x],
    parameters[indices.y],
    parameters[indices.z],
    parameters[indices.w]
  );
}

// What the sum over an output's window is multiplied by.
fn share_of(place: vec2u) -> f32 {
  return 1.0;
}
