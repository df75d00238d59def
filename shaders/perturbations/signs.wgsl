// The direction of a copy is a vector of random signs: every parameter is nudged.

#import directions

@group(0) @binding(8) var<storage, read> keys: array<u32>; // [steps, QUERIES]
@group(0) @binding(9) var<storage, read> step: u32;
override QUERIES: u32;

fn perturbation(direction: u32, index: u32, reach: f32) -> f32 {
  return reach * direction_sign(keys[step * QUERIES + direction], index);
}
