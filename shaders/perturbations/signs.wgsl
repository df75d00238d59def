// The direction of a copy is a vector of random signs, by its key: every parameter is nudged.

#import directions

@group(0) @binding(8) var<storage, read> keys: array<u32>; // [steps, QUERIES]
@group(0) @binding(9) var<storage, read> step: u32;
override QUERIES: u32;

fn nudges_of(directions: vec4u) -> vec4u {
  let at = step * QUERIES + min(directions, vec4u(QUERIES - 1u));
  return vec4u(keys[at.x], keys[at.y], keys[at.z], keys[at.w]);
}

fn perturbation(nudges: vec4u, indices: vec4u, reaches: vec4f) -> vec4f {
  return reaches * vec4f(
    direction_sign(nudges.x, indices.x),
    direction_sign(nudges.y, indices.y),
    direction_sign(nudges.z, indices.z),
    direction_sign(nudges.w, indices.w)
  );
}
