// Four rows of changes side by side, and a layer's values on their samples. What differs from layer
// to layer is a uniform, so that all layers share their kernels.

#import companions

override ROW_QUADS: u32; // that there is room for

// The layer whose units change, and which of them: where channels are nudged, those that a channel
// can reach begin at step (channel / reached), and so do those of the layer before.
struct Changed {
  width: u32, // units that change
  offset: u32, // of its matrix in the parameters
  inputs: u32, // that change
  first: u32, // input of this part of its sums
  behind: u32, // the last
  units: u32, // of the layer
  reached: u32, // channels from whom the same units change
  step: u32,
  reached_before: u32,
  step_before: u32,
}

@group(0) @binding(12) var<uniform> changed: Changed;

@group(0) @binding(2) var<storage, read> values: array<f32>; // [batch, units + 1]
@group(0) @binding(3) var<storage, read> companions: array<vec2f>; // [batch, units]: derivative, input
@group(0) @binding(4) var<storage, read_write> changes: array<vec4f>; // [width, ROW_QUADS]

// The first unit that changes.
fn start_of(quad: u32) -> u32 {
  return channel_of(quad) / changed.reached * changed.step;
}

// The same of the layer before.
fn start_before(quad: u32) -> u32 {
  return channel_of(quad) / changed.reached_before * changed.step_before;
}

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

// What a change of a unit's input does to it, in four rows.
fn effect_on(samples: vec4u, unit: u32, dz: vec4f) -> vec4f {
  let at = samples * (changed.units + 1u) + unit;
  if (ONE_SAMPLE) {
    let on = companions[at.x - samples.x];
    return effect(vec4f(values[at.x]), vec4f(on.x), vec4f(on.y), dz);
  }
  let on = companions_at(at - samples);
  let value = vec4f(values[at.x], values[at.y], values[at.z], values[at.w]);
  return effect(value, on.derivatives, on.inputs, dz);
}
