// The direction of the logits where nothing but the output layer stands behind a unit: its row of
// weights, on every sample and at any distance.

override NEXT: u32; // of the output layer's matrix

const HAS_REACH = false;

@group(0) @binding(7) var<storage, read> parameters: array<f32>; // [parameters]

fn direction(n: u32, quad: u32, units: vec4u, k: u32) -> vec4f {
  let at = NEXT + units * CLASSES + k;
  return vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
}

fn list_outside(n: u32, quad: u32, response: u32, nearest: vec4f, farthest: vec4f) {}
