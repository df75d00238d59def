// Four rows of changes side by side, and a layer's values on their samples. What differs from layer
// to layer is a uniform, so that all layers share their kernels.

#import companions

override ROW_QUADS: u32; // that there is room for

// The layer whose units change.
struct Changed {
  width: u32,
  offset: u32, // of its matrix in the parameters
  inputs: u32,
  first: u32, // input of this part of its sums
  behind: u32, // the last
}

@group(0) @binding(12) var<uniform> changed: Changed;

@group(0) @binding(2) var<storage, read> values: array<f32>; // [batch, width + 1]
@group(0) @binding(3) var<storage, read> companions: array<vec2f>; // [batch, width]: derivative, input
@group(0) @binding(4) var<storage, read_write> changes: array<vec4f>; // [width, ROW_QUADS]

fn responses_of(quad: u32) -> vec4u {
  return vec4u(
    response_of(4u * quad),
    response_of(4u * quad + 1u),
    response_of(4u * quad + 2u),
    response_of(4u * quad + 3u)
  );
}

fn samples_of(responses: vec4u) -> vec4u {
  return vec4u(
    sample_of(responses.x),
    sample_of(responses.y),
    sample_of(responses.z),
    sample_of(responses.w)
  );
}

// What a change of unit k's input does to it, in four rows.
fn effect_on(samples: vec4u, k: u32, dz: vec4f) -> vec4f {
  let at = samples * (changed.width + 1u) + k;
  let on = companions_at(samples * changed.width + k);
  let value = vec4f(values[at.x], values[at.y], values[at.z], values[at.w]);
  return effect(value, on.derivatives, on.inputs, dz);
}
